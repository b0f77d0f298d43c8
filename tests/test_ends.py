"""The new garment ends where the body and its own neckline say, where they are close to the guess, and clearly."""

import pytest
import torch

from tryon.ends import EDGE_WIDTH, distance_to, fitted, outline, with_neckline

SIDE = 256


@pytest.fixture
def disc() -> torch.Tensor:
    """(1, 1, 256, 256) logit: a disc was guessed, of radius 76 about the middle, softly."""
    axis = torch.arange(SIDE) + 0.5
    distance = (torch.stack(torch.meshgrid(axis, axis, indexing="xy")) - SIDE / 2).norm(dim=0)
    return ((76 - distance) / 8)[None, None]


def box(rows: slice, columns: slice) -> torch.Tensor:
    mask = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    mask[..., rows, columns] = True
    return mask


def test_the_outline_is_clear_where_the_networks_are_not(disc):
    share = outline(disc, 1024)
    guess = torch.nn.functional.interpolate(disc, size=(1024, 1024), mode="bilinear").sigmoid()
    assert ((share > 0.5) == (guess > 0.5)).float().mean() > 0.999
    row = share[0, 0, 512]
    assert 4 <= ((row > 0.02) & (row < 0.98)).sum() <= 2 * (EDGE_WIDTH * 1024 + 1)
    assert (outline(0.02 * disc, 1024) - share).abs().max() < 0.01, "as narrow where they are unsure"


def test_what_was_worn_a_little_wider_is_covered_and_nothing_far_away(disc):
    worn = box(slice(0, 240), slice(124, 207))
    gained = (fitted(disc, worn) > 0) & (disc <= 0)
    assert gained[0, 0, 128, 204:207].all()  # beside the disc, within what was worn
    assert not gained[0, 0, :, 207:].any()
    assert not gained[0, 0, :40].any()  # too far from the disc
    assert not gained[0, 0, :, :120].any()
    assert not ((fitted(disc, worn) <= 0) & (disc > 0))[..., 130:200].any()


def test_what_stands_out_a_little_over_what_was_worn_is_cut(disc):
    worn = box(slice(50, 210), slice(10, 200))  # a little narrower on the right, far wider on the left
    lost = (fitted(disc, worn) <= 0) & (disc > 0)
    assert lost[0, 0, 128, 200:204].all()
    assert torch.equal(fitted(disc, worn)[..., 100:160, :150], disc[..., 100:160, :150]), "as guessed if not close"


def test_a_skirt_that_was_worn_does_not_fill_the_gap_between_the_legs_of_trousers():
    legs = torch.full((1, 1, SIDE, SIDE), -4.0)
    legs[..., 40:240, 80:120] = legs[..., 40:240, 128:168] = 4.0  # eight pixels apart
    worn = box(slice(20, SIDE), slice(60, 188))
    assert (fitted(legs, worn)[..., 60:220, 121:127] < 0).all()


def test_near_the_neck_the_garment_ends_where_its_picture_does():
    """Unsure networks would end a crew neck too low; its picture says that there is cloth up to row 60."""
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    position = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None]
    shown = box(slice(60, 250), slice(40, 216)).float()
    guess = ((torch.arange(SIDE) - 75) / 20).view(1, 1, SIDE, 1).expand(1, 1, SIDE, SIDE).contiguous()
    neck = box(slice(0, 56), slice(108, 148))
    ends = with_neckline(guess, position, shown, neck)
    column = ends[0, 0, :, 128] > 0
    assert abs(column.int().argmax().item() - 60) < 8 < abs(75 - 60)
    assert torch.equal(ends[..., :20], guess[..., :20]), "far from the neck the networks know better"
    assert (ends - guess).abs().max() < 2.01, "and where they are sure they are not overruled"


def test_without_neck_and_without_anything_worn_the_guess_stands(disc):
    nothing = torch.zeros_like(disc, dtype=torch.bool)
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    position = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None]
    assert torch.equal(fitted(disc, nothing), disc)
    assert torch.equal(with_neckline(disc, position, (disc > 0).float(), nothing), disc)


def test_distances_are_of_each_picture_of_a_batch():
    masks = torch.cat([box(slice(10, 11), slice(10, 11)), box(slice(10, 11), slice(50, 51))])
    assert distance_to(masks)[:, 0, 10, 10].tolist() == [0, 40]
