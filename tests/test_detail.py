"""The result shows the garment's own pixels, in the networks' light, within a clear outline."""

import numpy as np
import pytest
import torch

from tryon.continuation import continue_picture
from tryon.detail import lay_cloth
from tryon.models.locate import enlarge, sample_at
from tryon.preprocessing.agnostic import GARMENT_MARGIN, spread_cloth
from tryon.preprocessing.parsing import LABEL


@pytest.fixture
def scene() -> dict[str, torch.Tensor]:
    """A disc of fine checks, seen blurred and twice as dark on a green wall."""
    x = torch.arange(512) // 8 % 2
    checks = (0.7 * (2 * (x[None] ^ x[:, None]) - 1)).float().expand(1, 3, -1, -1)
    axis = (torch.arange(64) + 0.5) / 64
    position = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None] * 0.5 + 0.25
    distance = (torch.stack(torch.meshgrid(axis, axis, indexing="xy")) - 0.5).norm(dim=0)
    logit = ((0.3 - distance) * 40)[None, None]
    wall = torch.tensor([-0.5, 0.4, -0.5]).view(1, 3, 1, 1).expand(1, 3, 256, 256)
    share = torch.nn.functional.interpolate(logit, size=(256, 256), mode="bilinear").sigmoid()
    result = torch.lerp(wall, torch.full_like(wall, -0.5), share)  # half as bright as the mean of the checks
    return {"result": result, "cloth": checks, "position": position, "garment_logit": logit}


def test_fine_print_comes_back_in_the_light_of_the_result(scene):
    finished, share, _ = lay_cloth(**scene)
    assert finished.shape == scene["result"].shape
    middle = finished[0, 0, 96:160, 96:160]
    truth = torch.nn.functional.interpolate(scene["cloth"][..., 128:384, 128:384], size=(256, 256), mode="area")
    truth = (truth[0, 0, 96:160, 96:160] + 1) / 2 - 1  # half the brightness
    assert (middle - truth).abs().mean() < 0.08
    assert middle.std() > 0.3
    assert share[0, 0, 128, 128] > 0.99
    assert share[0, 0, 5, 5] < 0.01


def test_light_is_not_taken_from_what_the_photograph_shows(scene):
    """A white shirt that hangs over dark trousers must not make their waist pale."""
    hidden = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    hidden[..., :28, :] = False
    true, _, _ = lay_cloth(**scene)
    scene["result"][..., : 4 * 28, :] = 1
    naive, careful = (lay_cloth(**scene, hidden=given)[0] for given in (None, hidden))
    waist = np.s_[0, :, 4 * 28 : 4 * 34, 96:160]
    errors = [(lit[waist] - true[waist]).abs().mean() for lit in (naive, careful)]
    assert errors[1] < 0.3 * errors[0]


def test_cloth_goes_on_beyond_its_outline(scene):
    """So that the blend along the outline holds nothing but cloth and what lies beneath."""
    lit, share, _ = lay_cloth(**scene)
    edge = (share > 0.05) & (share < 0.5)
    truth = torch.nn.functional.interpolate(scene["cloth"][..., 128:384, 128:384], size=(256, 256), mode="area")
    correlation = np.corrcoef(lit[:, :1][edge], truth[:, :1][edge])[0, 1]
    assert correlation > 0.8


def test_cloth_is_continued_and_nothing_else():
    image = np.full((256, 256, 3), 255, np.uint8)
    parsing = np.zeros((256, 256), np.uint8)
    parsing[80:160, 40:256] = LABEL["upper"]  # as far as the edge of the picture
    image[80:160, 40:148], image[80:160, 148:] = (200, 0, 0), (0, 0, 200)
    spread = spread_cloth(image, parsing, "upper", 128).astype(int)
    assert (spread[45:83, 8:60] == (200, 0, 0)).all()
    assert (spread[45:83, 68:120] == (0, 0, 200)).all()
    # Far from it the colours may mix, but there is none of the white around it, nor beyond the picture.
    assert spread[..., 1].max() == 0
    assert np.abs(spread[..., 0] + spread[..., 2] - 200).max() <= 1
    with pytest.raises(ValueError, match="no lower"):
        spread_cloth(image, parsing, "lower", 128)


def test_cloth_goes_on_as_a_pattern_and_not_as_streaks():
    image = np.full((256, 256, 3), 255, np.uint8)
    parsing = np.zeros((256, 256), np.uint8)
    parsing[:, 64:192] = LABEL["upper"]
    image[:, 64:192] = np.where(np.arange(128)[:, None] // 4 % 2, np.uint8(200), np.uint8(40))
    window = 256 * (1 + 2 * GARMENT_MARGIN)  # around the garment, in pixels
    edge = round((window / 2 + 64) * 256 / window)
    beside = spread_cloth(image, parsing, "upper", 256)[128, edge : edge + 14, 0].astype(int)
    assert np.ptp(beside) > 100


def test_a_seam_beside_a_jagged_edge_is_continued_without_jumps():
    rows, columns = np.mgrid[:512, :512]
    source = rows < 210 + 3 * (columns // 80 % 2)
    picture = np.full((512, 512, 3), 230, np.uint8)
    picture[195:200] = 60
    continued = continue_picture(picture, source, ~source)[..., 0]
    seam = np.where(source, 255, continued)[:240, 40:472].argmin(0)
    assert 218 < seam.min() <= seam.max() < 232
    assert np.abs(np.diff(seam)).max() <= 3


def test_waves_of_positions_do_not_bend_the_print_and_nonsense_beside_the_cloth_does_not_reach_it(scene):
    """The edge of the cloth stays where it is: an average with what is inside alone would draw it inwards."""
    position, logit = (enlarge(scene[name], 256) for name in ("position", "garment_logit"))
    straight, share, _ = lay_cloth(**{**scene, "position": position, "garment_logit": logit})
    wave = 0.01 * (torch.arange(256) * (2 * torch.pi / 6)).sin().expand(256, 256)
    bent = torch.where(logit < -2, torch.zeros(1), position + torch.stack([wave.T, wave])[None])
    laid, _, _ = lay_cloth(**{**scene, "position": bent, "garment_logit": logit})
    within = (share > 0.5).expand_as(laid)
    as_they_are = (sample_at(scene["cloth"], bent) - sample_at(scene["cloth"], position)).abs()[within].mean()
    assert (laid - straight).abs()[within].mean() < 0.1 * as_they_are
