"""The inside of a garment laid out is found, and its wearer's skin is shown where the networks lay it."""

import numpy as np
import pytest
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.finish import dress
from tryon.images import to_tensor
from tryon.models.annotator import Annotator
from tryon.models.garment_inside import GarmentInside
from tryon.models.parallel_unet import ParallelUNetOutput
from tryon.preprocessing.garment import read_garment
from tryon.preprocessing.garment_inside import inside_at_neck
from tryon.preprocessing.parsing import LABEL
from tryon.zoo import load_pipeline

pytest.importorskip("numba", reason="rendering needs the extra: pip install -e '.[train]'")

from tryon.synthetic.pairs import PairStream, RenderedProduct
from tryon.training.fit_garment_inside import fit, judge, look, render


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return load_pipeline("small", device="cpu").annotator.float()


@pytest.fixture(scope="module")
def products() -> list[RenderedProduct]:
    """Held-out tops and dresses alone, which show something of their inside."""
    stream = PairStream(5, 256, "heldout", reuse=2)
    drawn = [stream.draw_product() for _ in range(24)]
    return [p for p in drawn if CATEGORIES[p.category] != "lower" and p.inside.mean() > 0.003]


def outline_of(product: RenderedProduct) -> np.ndarray:
    return product.parsing == LABEL[CATEGORIES[product.category]]


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / max((found | truth).sum(), 1)


def test_the_inside_is_of_the_garment_and_most_of_it_is_at_the_neck(products):
    assert len(products) > 5
    for product in products:
        outline = outline_of(product)
        assert not (product.inside & ~outline).any()
        rows, columns = np.nonzero(outline)
        upper = np.arange(256)[:, None] < rows.min() + 0.35 * np.ptp(rows)
        middle = np.abs(np.arange(256) - np.median(columns)) < 0.25 * np.ptp(columns)
        assert (product.inside & upper & middle).sum() > 0.5 * product.inside[:128].sum()


def test_where_the_inside_is_can_be_learnt(annotator):
    torch.manual_seed(0)
    head = GarmentInside(annotator.config.block_out_channels, annotator.config.norm_num_groups)
    seen = look(annotator, iter([render(("train", 7, 16))]))
    before = judge(head, seen)
    fit(head, seen, epochs=30)
    assert judge(head, seen) > 0.5 > before + 0.3


def test_the_shipped_annotator_finds_the_neck_of_garments_it_has_not_seen(annotator, products):
    found = [inside_at_neck(annotator, p.image, outline_of(p), CATEGORIES[p.category]) for p in products]
    for product, mask in zip(products, found, strict=True):
        assert not (mask & ~outline_of(product)).any()
    assert np.mean([overlap(mask, p.inside) for p, mask in zip(products, found, strict=True)]) > 0.6


def test_a_mirrored_garment_has_a_mirrored_inside(annotator, products):
    product = max(products, key=lambda p: p.inside[:128].sum())
    aside = [np.roll(part, 25, axis=1) for part in (product.image, outline_of(product))]
    found = inside_at_neck(annotator, *aside, "upper")
    mirrored = inside_at_neck(annotator, *(np.ascontiguousarray(part[:, ::-1]) for part in aside), "upper")
    assert overlap(mirrored[:, ::-1], found) > 0.7 > 0.5 > overlap(mirrored, found)


def test_trousers_and_garments_that_are_worn_have_none(annotator, products):
    worn = next(p for p in (PairStream(seed, 256, "heldout", reuse=1).draw() for seed in range(20)) if p.kind == 0)
    assert read_garment(annotator, Image.fromarray(worn.garment_image)).inside is None
    top = next(p for p in products if CATEGORIES[p.category] == "upper")
    image = Image.fromarray(top.image)
    assert read_garment(annotator, image, "upper").inside.any()
    assert read_garment(annotator, image, "lower").inside is None


def test_skin_is_seen_where_the_inside_was_laid():
    """A red top with a white inside at its neck is put on somebody in a blue one."""
    skin, blue, red, white, grey = ((200, 150, 120), (30, 40, 160), (200, 30, 30), (250, 250, 250), (90, 90, 90))
    photo, parsing = np.empty((256, 256, 3), np.uint8), np.zeros((256, 256), np.uint8)
    parsing[20:64, 108:148], parsing[64:200, 70:186] = LABEL["face"], LABEL["upper"]
    for name, colour in (("background", grey), ("face", skin), ("upper", blue)):
        photo[parsing == LABEL[name]] = colour
    garment, inside = np.full((256, 256, 3), red, np.uint8), np.zeros((256, 256), bool)
    inside[64:90, 108:148] = True
    garment[inside] = white
    worn = parsing == LABEL["upper"]
    painted = np.where(worn[..., None], garment, photo)
    axis = (torch.arange(256) + 0.5) / 256
    said = ParallelUNetOutput(
        sample=to_tensor(painted),
        position=torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None],
        garment_logit=torch.from_numpy(np.where(worn, 8.0, -8.0).astype(np.float32))[None, None],
        skin_logit=torch.full((1, 1, 256, 256), -8.0),
    )
    hidden = worn | (parsing == 0)
    given = photo, parsing, hidden, painted, said, to_tensor(garment), torch.ones(1, 1, 256, 256), "upper"
    as_cloth, _ = dress(*given)
    unseen = torch.from_numpy(inside.astype(np.float32))[None, None]
    result, changed = dress(*given, inside=unseen)
    neck = np.s_[70:84, 114:142]
    assert np.abs(as_cloth[neck].astype(int) - white).max() < 20
    assert np.abs(result[neck].astype(int) - skin).max() < 20
    assert (changed[neck] > 0.99).all()
    assert np.array_equal(result[110:190, 80:176], as_cloth[110:190, 80:176])
