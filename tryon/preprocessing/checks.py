"""What to tell somebody about their photograph before any network paints: why it is refused, or what is doubtful."""

import numpy as np
import torch
from PIL import Image

from tryon.images import Frame
from tryon.preprocessing.annotation import INPUT_SIDE, annotate, main_figure
from tryon.preprocessing.parsing import LABEL, SHOES, SKIN, label_mask
from tryon.preprocessing.person import FILL, NOBODY, Found
from tryon.preprocessing.plausibility import seen_from_behind, stands

DARK = 30  # of 255: the brightest tenth of such a picture is darker
SMALL = 160  # pixels of the photograph across the person's frame; the result would be all blur

TOO_DARK = "No person was found, as this photo is very dark; please use one taken in more light."
NO_FACE = "No person was found whose face can be seen; please use a photo that shows the front and the head."


def brightness(image: Image.Image) -> float:
    """Luma that a tenth of the picture exceeds, 0 to 255."""
    return float(np.percentile(np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BOX)), 90))


def why_nobody(annotator: torch.nn.Module, image: Image.Image) -> str:
    """The sentence for a photograph in which no person was found.

    Args:
        annotator: an `Annotator`.
        image: RGB photograph.
    """
    if brightness(image) < DARK:
        return TOO_DARK
    seen = annotate(annotator, [Frame.around(image).crop(image, INPUT_SIDE, FILL)])[0]
    parsing = seen.parsing(128)
    figure = main_figure(parsing).mask
    body = seen.pose[[2, 3, 4, 5, 6, 7, 8, 11], 2] > 0
    bare = (figure & label_mask(parsing, SKIN)).sum() > 0.05 * max(figure.sum(), 1)
    if figure.mean() > 0.05 and (seen_from_behind(seen.pose) or (body.sum() >= 4 and bare)):
        return NO_FACE
    return NOBODY


def doubts(image: Image.Image, person: Found, category: str) -> list[str]:
    """Warnings about a photograph in which a person was found.

    Args:
        image: RGB photograph.
        person: who was found there.
        category: of the garment, one of `CATEGORIES`.
    """
    sentences = []
    if person.others > 0.4:
        sentences.append("There are several people in the photo; the largest was dressed.")
    if seen_from_behind(person.pose):
        sentences.append("The person is seen from behind; garments are put on as seen from the front.")
    if brightness(image) < 2 * DARK:
        sentences.append("The photo is dark; one taken in more light gives a better result.")
    if person.frame.side < SMALL:
        sentences.append(
            f"The person is only {person.frame.side} pixels large in the photo; a closer one would be sharper."
        )
    if category != "upper" and not label_mask(person.parsing, SHOES).any():
        sentences.append("The photo does not show the person down to the feet; long garments are cut off there.")
    if category != "upper" and not stands(person.pose, person.frame.bottom):
        sentences.append(
            "The person seems to be seated; dresses, skirts and trousers come out right on people who stand."
        )
    face = np.nonzero(person.parsing == LABEL["face"])[0]
    if person.frame.top <= 0 and len(face) and np.percentile(face, 30) < 2:  # specks at the edge are no face
        sentences.append("The head is cut off at the top of the photo.")
    if (person.parsing != LABEL["background"]).mean() > 0.85:
        sentences.append("The person fills the photo; one taken from further away gives a better result.")
    return sentences
