"""What the old garment covered and the new one does not: the wall goes on, arms are bare, the garment is gone."""

import numpy as np
import pytest

from tryon.kept import enlarged
from tryon.preprocessing.parsing import LABEL
from tryon.replaced import taken_off
from tryon.underneath import uncover

SKIN = (200, 150, 120)
RED = (220, 20, 20)
NOWHERE = np.zeros((256, 256), np.float32)


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red top with a bare forearm before a wall of grey and green bands."""
    photo = np.full((256, 256, 3), 90, np.uint8)
    photo[(np.arange(256) // 16 % 2) == 0] = (60, 160, 60)
    parsing = np.zeros((256, 256), np.uint8)
    parsing[40:200, 90:160] = LABEL["upper"]
    parsing[120:220, 160:180] = LABEL["left_arm"]
    photo[parsing == LABEL["upper"]] = RED
    photo[parsing == LABEL["left_arm"]] = SKIN
    return photo, parsing


def test_the_wall_goes_on_where_the_garment_was(scene):
    photo, parsing = scene
    gone = parsing == LABEL["upper"]
    result = uncover(photo, parsing, gone, NOWHERE, photo, NOWHERE)
    assert np.array_equal(result[~gone], photo[~gone])
    assert (result[gone].astype(int) - RED)[:, 0].max() < -60, "no red is left"
    near = result[40:200, 90:94].astype(int)
    assert np.abs(near - photo[40:200, 80:84]).mean() < 12, "bands go on in their places"


def test_bared_skin_has_the_colour_of_the_skin_that_is_seen(scene):
    photo, parsing = scene
    gone = parsing == LABEL["upper"]
    skin = np.zeros((256, 256), np.float32)
    skin[60:120, 140:160] = 1
    painted = np.full_like(photo, 20)  # the networks' own colours count for nothing
    result = uncover(photo, parsing, gone, skin, painted, NOWHERE)
    assert np.abs(result[65:115, 142:158].astype(int) - SKIN).max() < 6
    assert np.abs(result[65:115, 100:130].astype(int) - SKIN).mean() > 30


def test_an_arm_is_as_wide_as_the_wrist_it_ends_at_and_has_a_clear_edge():
    photo, parsing = np.full((256, 256, 3), 90, np.uint8), np.zeros((256, 256), np.uint8)
    parsing[40:160, 100:156] = LABEL["upper"]
    parsing[160:200, 118:138] = LABEL["left_hand"]
    photo[parsing == LABEL["upper"]], photo[parsing == LABEL["left_hand"]] = RED, SKIN
    gone = parsing == LABEL["upper"]
    skin = np.zeros((256, 256), np.float32)
    skin[40:160, 106:150] = 0.4
    skin[40:160, 116:140] = 0.6  # as likely as not, and two pixels wider than the wrist on both sides
    result = uncover(photo, parsing, gone, skin, np.full_like(photo, 100), NOWHERE)
    bare = np.abs(result.astype(int) - SKIN).max(-1) < 30
    assert bare[60:150, 117:139].all(), "what is more likely than not is skin and no mist"
    assert not bare[60:150, 106:115].any()
    assert not bare[60:150, 141:].any()
    assert not bare[158:160, :117].any()
    assert not bare[158:160, 139:].any()
    assert bare[157:160, 120:136].all()


def test_the_networks_shade_the_skin(scene):
    photo, parsing = scene
    gone = parsing == LABEL["upper"]
    skin = gone.astype(np.float32)
    painted = np.full_like(photo, 100)
    painted[:, 125:] = 130
    result = uncover(photo, parsing, gone, skin, painted, NOWHERE).mean(-1)
    assert result[100, 129:134].mean() > 1.1 * result[100, 116:121].mean()


def test_no_seam_parts_bared_skin_from_the_skin_that_is_kept():
    photo, parsing = np.full((256, 256, 3), 90, np.uint8), np.zeros((256, 256), np.uint8)
    parsing[40:160, 100:156], parsing[160:220, 110:146] = LABEL["upper"], LABEL["left_hand"]
    photo[parsing == LABEL["upper"]], photo[parsing == LABEL["left_hand"]] = RED, SKIN
    gone = parsing == LABEL["upper"]
    painted = np.full_like(photo, 160)
    painted[148:] = 80  # the networks see a shadow that the hand in the photograph has not
    painted[60:80] = 80  # and one on the arm
    result = uncover(photo, parsing, gone, gone.astype(np.float32), painted, NOWHERE)
    result = result.astype(int)[:, 124:132].mean((1, 2))
    assert abs(result[156:159] - result[161:164]).max() < 12
    assert result[65:75].mean() < 0.9 * result[100:120].mean(), "far from the hand theirs is all there is"


def test_the_chin_throws_no_shade_on_the_chest():
    photo, parsing = np.full((256, 256, 3), 90, np.uint8), np.zeros((256, 256), np.uint8)
    parsing[20:60, 105:151], parsing[60:80, 112:144] = LABEL["face"], LABEL["torso_skin"]
    parsing[80:150, 90:166] = LABEL["upper"]
    photo[parsing == LABEL["face"]], photo[parsing == LABEL["torso_skin"]] = SKIN, (0.6 * np.array(SKIN)).astype(int)
    photo[parsing == LABEL["upper"]] = RED
    gone = parsing == LABEL["upper"]
    result = uncover(photo, parsing, gone, gone.astype(np.float32), np.full_like(photo, 100), NOWHERE).astype(int)
    assert result[95:110, 110:146].mean() > 0.9 * np.mean(SKIN), "as light as the face"
    assert abs(result[81:84, 120:136] - result[75:78, 120:136]).max() < 20, "and no seam where the shade ends"


def test_nobody_to_take_the_colour_from(scene):
    """A mannequin without skin, and a picture that is nothing but garment: then the networks' word is all there is."""
    photo, parsing = scene
    parsing = np.where(parsing == LABEL["left_arm"], LABEL["upper"], parsing)
    gone = parsing == LABEL["upper"]
    result = uncover(photo, parsing, gone, np.ones((256, 256), np.float32), photo, NOWHERE)
    assert result[gone][:, 0].max() < 120
    everything = np.ones((256, 256), bool)
    assert np.array_equal(uncover(photo, parsing, everything, NOWHERE, photo, NOWHERE), photo)


def test_all_of_the_garment_is_taken_off_and_nothing_that_must_stay(scene):
    _, parsing = scene
    parsing[100:102, 120:122] = LABEL["left_arm"]  # a fleck within the garment
    hidden = np.zeros((256, 256), bool)
    hidden[:180] = True
    opened = np.zeros((256, 256), bool)
    opened[20:30, 20:30] = True
    gone = taken_off(parsing, hidden, opened, "upper", enlarged(hidden, 512))
    assert gone.shape == (512, 512)
    assert gone[80:360, 180:320].all()
    assert gone[40:60, 40:60].all()
    assert not gone[360:].any()
    assert not gone[:, 330:].any()
    assert not taken_off(parsing, hidden, np.zeros_like(opened), "lower", enlarged(hidden, 512)).any()


def test_an_arm_beside_the_garment_stays_an_arm(scene):
    """Outlines may be off, so a seam around the garment is replaced too: a wide one of wall, a narrow one of skin."""
    photo, parsing = (np.kron(p, np.ones((2, 2, *[1] * (p.ndim - 2)), np.uint8)) for p in scene)
    nothing = np.zeros((512, 512), bool)
    gone = taken_off(parsing, ~nothing, nothing, "upper", ~nothing)
    wall, arm = gone[150, 160:180].sum(), gone[300, 320:340].sum()
    assert 0 < arm < wall
    assert np.array_equal(gone[150, 140:180], np.r_[np.zeros(40 - wall, bool), np.ones(wall, bool)])
    nowhere = np.zeros((512, 512), np.float32)
    result = uncover(photo, parsing, gone, nowhere, np.full_like(photo, 100), nowhere)
    assert np.abs(result[280:400, 322:360].astype(int) - SKIN).max() < 25, "no wall on the arm"
