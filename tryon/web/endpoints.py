"""What programs and language models can call: three functions with plain arguments, over HTTP and MCP.

Their names, arguments and order are public: new arguments only at the end, with defaults.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr

from tryon.images import InputError
from tryon.web import seen
from tryon.web.batch import MAX_GARMENTS, Row, archive, contact_sheet
from tryon.web.files import keep_mask, keep_result, keep_view, path_of
from tryon.web.sampler import DEFAULT, Request, Sampler, readable_errors


def make_endpoints(sampler: Sampler) -> dict[str, Callable]:
    """The functions behind `/tryon`, `/prepare` and `/batch`, by name."""

    def tryon(
        person_image: dict,
        garment_image: dict,
        category: str = "auto",
        num_inference_steps: int = 0,
        guidance_scale: float = 0,
        seed: int = -1,
        mask: dict | None = None,
        checkpoint: str = DEFAULT,
    ) -> tuple[str, dict]:
        """Show a person wearing a garment: one photo of a person and one of a garment in, the edited photo out.

        Args:
            person_image: photo of one person, best standing upright and facing the camera.
            garment_image: photo of a top, a bottom or a dress, laid flat or worn by somebody.
            category: "upper", "lower", "dress", or "auto" to recognise it.
            num_inference_steps: of each stage, up to 100; 0 is the checkpoint's recommended number.
            guidance_scale: how strongly the result follows the garment, up to 5; 0 is the recommended value.
            seed: the same seed gives the same picture; -1 picks one, which `info` tells.
            mask: picture of the person photo's size, white where it may change; leave it out to find the region.
            checkpoint: name of the trained networks to use.

        Returns:
            The person photo with the garment on, at its own size (PNG), and a JSON object: seed, checkpoint, revision,
            category, sizes, seconds per stage, warnings.
        """
        request = Request(
            person_image, garment_image, category, num_inference_steps, guidance_scale, seed, mask, checkpoint
        )
        *_, (_, image, info) = sampler(request)
        return keep_result(image, info), info

    def prepare(
        person_image: dict, garment_image: dict, category: str = "auto", checkpoint: str = DEFAULT
    ) -> tuple[str, str, str, dict]:
        """Show what the app understands of both photos, before anything is painted; takes a second.

        Args:
            person_image: photo of one person.
            garment_image: photo of a garment.
            category: "upper", "lower", "dress", or "auto" to recognise it.
            checkpoint: name of the trained networks to use.

        Returns:
            The part of the photo that is looked at with the joints found, the region that may change (a mask of the
            photo's size; alter it and give it to `tryon` as `mask`), the garment cut out, and a JSON object: category,
            sizes, warnings.
        """
        person, prepared = sampler.look(Request(person_image, garment_image, category, checkpoint=checkpoint))
        info = {
            "category": prepared.category,
            "person_size": list(person.size),
            "checkpoint": checkpoint,
            "warnings": list(prepared.warnings),
        }
        joints, _, garment = seen.views(person, prepared)
        return keep_view(joints, "seen"), keep_mask(prepared.region), keep_view(garment, "garment"), info

    def batch(
        person_image: dict,
        garment_images: list[dict],
        category: str = "auto",
        num_inference_steps: int = 0,
        guidance_scale: float = 0,
        seed: int = -1,
        checkpoint: str = DEFAULT,
    ) -> tuple[str, str, list[dict]]:
        """Show one person in many garments, each in a picture of its own.

        Args:
            person_image: photo of one person.
            garment_images: up to 24 photos of garments.
            category: "upper", "lower", "dress", or "auto" to recognise it, for all.
            num_inference_steps: of each stage; 0 is the checkpoint's recommended number.
            guidance_scale: 0 is the recommended value.
            seed: for all pictures; -1 picks one for each.
            checkpoint: name of the trained networks to use.

        Returns:
            A contact sheet, a zip with all pictures and a CSV table, and the table as JSON: one object per garment;
            a garment that cannot be used has an `error` there and does not stop the others.
        """
        settings = (category, num_inference_steps, guidance_scale, seed, None, checkpoint)
        *_, rows = run_batch(sampler, person_image, garment_images, settings)
        return (*keep_batch(rows), [row.table() for row in rows])

    return {"tryon": tryon, "prepare": prepare, "batch": batch}


def run_batch(
    sampler: Sampler, person: dict | None, garments: list[dict] | None, settings: tuple, visit: str | None = None
) -> Iterator[list[Row]]:
    """The rows so far, after each garment.

    Args:
        sampler: does the work.
        person: upload of the person photo.
        garments: uploads of garment photos.
        settings: the other fields of `Request`.
        visit: name under which `Sampler.stop` ends it.

    Raises:
        gr.Error: there is nothing to do, too much, or nothing could be made.
    """
    with readable_errors():
        if not garments:
            raise InputError("There is no garment picture: upload one or more.")
        if len(garments) > MAX_GARMENTS:
            raise InputError(f"There are {len(garments)} garments: upload at most {MAX_GARMENTS} at once.")
    rows: list[Row] = []
    for garment in garments:
        name = garment.get("orig_name") or Path(path_of(garment) or "garment").name
        try:
            *_, (_, image, info) = sampler(Request(person, garment, *settings), visit)
            rows.append(Row(name, keep_result(image, info), info))
        except gr.Error as error:
            if not error.visible:  # stopped by the visitor
                raise
            rows.append(Row(name, error=error.message))
        yield list(rows)
    if not any(row.result for row in rows):
        raise gr.Error(rows[0].error, print_exception=False)


def keep_batch(rows: list[Row]) -> tuple[str, str]:
    """Paths of the contact sheet and of the archive."""
    sheet = keep_view(contact_sheet(rows), "contact_sheet")
    return sheet, archive(rows, sheet)
