"""The model card of the bundled weights says what `evaluation.json` says."""

import json
import re

import pytest

from tryon.zoo import WEIGHTS

COLUMNS = {
    "garment CIEDE2000": "garment_ciede2000",
    "garment SSIM": "garment_ssim",
    "garment PSNR": "garment_psnr",
    "print correlation": "print_correlation",
    "hidden CIEDE2000": "changed_ciede2000",
    "hidden SSIM": "changed_ssim",
    "pose": "pose_error",
    "kernel distance": "kid",
}
FOLDERS = [folder for folder in sorted(WEIGHTS.iterdir()) if (folder / "evaluation.json").is_file()]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_tables_of_the_card_are_the_evaluation(folder):
    """A row for each method, in the order of the file; numbers may be rounded but not other ones."""
    card, figures = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "evaluation.json"))
    figures = json.loads(figures)
    _compare(card, "| method |", figures)
    _compare(card, "| network |", figures["ablations"])


def _compare(card: str, table: str, figures: dict) -> None:
    assert f"`{figures['command']}`" in card
    head, _, *rows = [line for line in card[card.index(table) :].split("\n\n")[0].splitlines() if line]
    columns = [COLUMNS[name] for name in _cells(head)[1:]]
    assert len(rows) == len(figures["methods"])
    for row, measured in zip(rows, figures["methods"].values(), strict=True):
        for name, cell in zip(columns, _cells(row)[1:], strict=True):
            for said, key in zip(cell.split(" ± "), (name, f"{name}_ci95"), strict=True):
                decimals = len(said.partition(".")[2])
                assert float(said) == pytest.approx(measured[key], abs=0.51 * 10**-decimals), (row, key)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_departure_says_what_was_measured_or_that_nothing_was(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    rows = card[card.index("| departure |") :].split("\n\n")[0].splitlines()
    for row in rows[2:]:
        what, why, with_it, without = _cells(row)
        assert what, row
        assert why, row
        assert re.search(r"\d", with_it + without) or with_it.startswith(("not measured", "equal")), row


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]
