"""Photographs become conditions: tables and decoding against closed forms, the whole path on the shipped examples."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import InputError, read_image, to_images, to_tensor
from tryon.kept import enlarged
from tryon.models.annotator import PRESETS, Annotator
from tryon.preprocessing import Preprocessor
from tryon.preprocessing.agnostic import TAKEN_OFF, split_dress
from tryon.preprocessing.annotation import Annotation, annotate, beside_garment, main_figure
from tryon.preprocessing.checks import doubts
from tryon.preprocessing.garment import joints_of_outline, read_garment
from tryon.preprocessing.garment_kind import COEFFICIENTS, FEATURES, likely_category, outline_features
from tryon.preprocessing.parsing import LABEL, LABELS, colour_parsing, label_areas, label_mask
from tryon.preprocessing.parsing import MIRRORED as MIRRORED_LABELS
from tryon.preprocessing.person import border_colour, is_person, read_person
from tryon.preprocessing.plausibility import ASSUMED, body_reach, plausible_pose, seen_from_behind, torso_length
from tryon.preprocessing.pose import (
    KEYPOINT,
    KEYPOINTS,
    LIMBS,
    decode_heatmaps,
    draw_pose,
    mirror_pose,
)
from tryon.preprocessing.pose import MIRRORED as MIRRORED_JOINTS
from tryon.preprocessing.refinement import (
    edges_by_colour,
    head_wears_no_clothes,
    one_piece_or_two,
    outlined,
    sleeves_are_no_skin,
)
from tryon.preprocessing.segmentation import segment_garment
from tryon.replaced import changed_region, match_tone, taken_off
from tryon.training.annotator_data import Augmented, alike, open_shards, tattooed
from tryon.training.fit_garment_kind import CATEGORY, fit
from tryon.training.train_annotator import SIGMA, Run, main, overlap_loss, target_heatmaps

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "tryon" / "weights" / "small" / "annotator"
PERSONS = sorted((ROOT / "examples" / "persons").glob("*.webp"))
GARMENTS = sorted((ROOT / "examples" / "garments").glob("*.webp"))


@pytest.fixture(scope="module")
def tiny() -> Annotator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Annotator(**PRESETS["tiny"]).eval()


@pytest.fixture(scope="module")
def preprocessor() -> Preprocessor:
    return Preprocessor(Annotator.from_pretrained(SHIPPED, dtype=torch.float32).eval())


@pytest.fixture(scope="module")
def annotator(preprocessor: Preprocessor) -> Annotator:
    return preprocessor.annotator


def random_poses(count: int, rng: np.random.Generator, low: float = 0.05) -> np.ndarray:
    return np.dstack([rng.uniform(low, 1 - low, (count, 18, 2)), np.ones((count, 18))]).astype(np.float32)


# --- tables, decoding, drawing


def test_mirrored_tables_exchange_left_and_right():
    for names, table in ((LABELS, MIRRORED_LABELS), (KEYPOINTS, MIRRORED_JOINTS)):
        assert np.array_equal(table[table], np.arange(len(names)))
        for name, other in zip(names, table.tolist(), strict=True):
            swapped = {"left": "right", "righ": "left"}.get(name[:4])
            assert names[other] == (f"{swapped}_{name.split('_', 1)[1]}" if swapped else name)
    assert all(start in KEYPOINT and end in KEYPOINT for start, end in LIMBS)


def test_label_masks_areas_and_colours():
    parsing = np.zeros((4, 5), np.uint8)
    parsing[0], parsing[1] = LABEL["upper"], LABEL["hair"]
    assert label_mask(parsing, ("upper", "hair")).sum() == 10
    areas = label_areas(parsing)
    assert areas["upper"] == areas["hair"] == 0.25
    assert sum(areas.values()) == pytest.approx(1)
    assert len({tuple(colour) for colour in colour_parsing(np.arange(15, dtype=np.uint8)[None])[0].tolist()}) == 15
    with pytest.raises(KeyError):
        label_mask(parsing, ("trousers",))


def test_decoded_gaussians_are_where_they_were_put():
    rng = np.random.default_rng(0)
    poses = random_poses(20, rng)
    poses[:, 3] = 0
    logits = torch.logit(target_heatmaps(torch.from_numpy(poses), 64).clamp(1e-6, 1 - 1e-6))
    found = decode_heatmaps(logits)
    assert found.shape == (20, 18, 3)
    assert (found[:, 3] == 0).all()
    there = np.delete(np.arange(18), 3)
    assert np.abs(found[:, there, :2] - poses[:, there, :2]).max() < 0.1 / 64
    assert found[:, there, 2].min() > np.exp(-0.25 / SIGMA**2) - 0.01
    assert np.array_equal(decode_heatmaps(logits[4].numpy()), found[4])


def test_joints_at_the_border_stay_inside_the_frame():
    poses = random_poses(1, np.random.default_rng(1))
    poses[0, :4, :2] = [(0.001, 0.5), (0.999, 0.5), (0.5, 0.001), (0.5, 0.999)]
    found = decode_heatmaps(torch.logit(target_heatmaps(torch.from_numpy(poses), 64).clamp(1e-6, 1 - 1e-6)))[0]
    assert (found[:, :2] >= 0).all()
    assert (found[:, :2] < 1).all()
    assert np.abs(found[:4, :2] - poses[0, :4, :2]).max() < 1 / 64


def test_a_small_label_counts_as_much_as_a_large_one():
    """Missing a hand of four pixels costs what missing a wall of half the picture does."""
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[:, 8:], labels[:, :2, :2] = 1, 2

    def loss(missed: int | None) -> float:
        seen = torch.where(labels == missed, 3, labels) if missed is not None else labels
        return float(overlap_loss(50 * torch.nn.functional.one_hot(seen, 5).permute(0, 3, 1, 2).float(), labels))

    assert loss(None) == pytest.approx(0, abs=1e-4)
    assert loss(2) == pytest.approx(loss(1), abs=1e-3)
    assert loss(2) == pytest.approx(1 / 3, abs=1e-3)


def test_mirrored_pose_is_the_pose_of_the_mirrored_picture():
    pose = random_poses(1, np.random.default_rng(2))[0]
    pose[5] = 0
    mirrored = mirror_pose(pose)
    assert (mirrored[KEYPOINT["right_shoulder"]] == 0).all()
    assert mirrored[KEYPOINT["left_hip"], 0] == pytest.approx(1 - pose[KEYPOINT["right_hip"], 0])
    assert np.allclose(mirror_pose(mirrored), pose)


def test_drawn_pose_shows_the_joints_that_are_there():
    pose = np.zeros((18, 3), np.float32)
    pose[KEYPOINT["neck"]] = 0.5, 0.25, 1
    pose[KEYPOINT["left_shoulder"]] = 0.75, 0.25, 1
    canvas = np.full((128, 128, 3), 9, np.uint8)
    drawn = draw_pose(pose, canvas)
    changed = (drawn != canvas).any(2)
    assert (canvas == 9).all()
    assert changed[32, 64]
    assert changed[32, 80], "the limb between them"
    rows, columns = np.nonzero(changed)
    assert rows.max() < 40
    assert columns.min() > 55


# --- the annotator


@pytest.mark.parametrize("preset", PRESETS)
def test_annotator_shapes_and_gradients(preset):
    model = Annotator(**PRESETS[preset])
    output = model(torch.randn(2, 3, 64, 96))
    assert output.heatmaps.shape == (2, 18, 16, 24)
    assert output.parsing.shape == (2, 15, 32, 48)
    inside = model.find_inside(torch.randn(2, 3, 64, 96))
    assert inside.shape == (2, 1, 32, 48)
    joints = model.garment_joints(torch.rand(2, 16, 16), torch.rand(2))
    assert joints.shape == (2, 3, 18, 3)
    sum(answer.square().mean() for answer in (output.heatmaps, output.parsing, joints, inside)).backward()
    unreached = [name for name, value in model.named_parameters() if value.grad is None]
    assert not unreached
    assert sum(value.numel() for value in model.parameters()) < 2.7e6, "it is shipped with every checkpoint"


def test_annotator_round_trip(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    again = Annotator.from_pretrained(tmp_path)
    sample = torch.randn(1, 3, 64, 64)
    assert torch.equal(again.eval()(sample).parsing, tiny(sample).parsing)


def test_annotating_a_mirrored_picture_mirrors_the_annotation(tiny):
    image = np.random.default_rng(3).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    seen, mirrored = annotate(tiny, [image, np.ascontiguousarray(image[:, ::-1])])
    assert np.allclose(seen.probabilities.sum(0), 1, atol=1e-5)
    assert np.allclose(mirrored.probabilities, seen.probabilities[MIRRORED_LABELS][..., ::-1], atol=1e-5)
    assert np.allclose(mirrored.pose, mirror_pose(seen.pose), atol=1e-3)
    assert seen.parsing(64).shape == (64, 64)


def test_main_figure_is_the_person_not_the_larger_thing():
    parsing = np.zeros((128, 128), np.uint8)
    parsing[10:110, 70:125] = LABEL["dress"]
    parsing[20:40, 20:40] = LABEL["face"]
    parsing[40:100, 10:50] = LABEL["upper"]
    parsing[101:110, 10:50] = LABEL["left_shoe"]  # a gap of one pixel does not part them
    figure = main_figure(parsing)
    assert figure.mask[50, 20]
    assert figure.mask[105, 20]
    assert not figure.mask[50, 100]
    assert figure.face == pytest.approx(400 / (400 + 2400 + 360))
    assert figure.box() == (10 / 128, 20 / 128, 50 / 128, 110 / 128)
    assert not main_figure(np.zeros((32, 32), np.uint8)).mask.any()


@pytest.mark.parametrize(
    ("face_joints", "believed", "person", "surely"),
    [(5, 0.8, True, True), (3, 0.8, True, True), (5, 0.55, True, False), (1, 0.9, False, False)],
    ids=["front", "profile", "hood", "button"],
)
def test_a_face_is_told_from_a_hood_by_how_sure_its_joints_are(face_joints, believed, person, surely):
    maps = np.zeros((len(LABELS), 128, 128), np.float32)
    maps[LABEL["face"], 20:36, 56:72] = maps[LABEL["upper"], 36:90, 40:88] = 1
    maps[LABEL["background"]] = 1 - maps.sum(0)
    pose = np.full((18, 3), 0.5, np.float32)
    pose[[0, 14, 15, 16, 17], 2] = 0
    pose[[0, 14, 15, 16, 17][:face_joints], 2] = believed
    seen = Annotation(maps, pose)
    assert is_person(seen) == person
    assert is_person(seen, strict=True) == surely


def two_kinds(certain: float, at_border: float) -> np.ndarray:
    """Probabilities of a picture in which an upper lies above a lower two thirds as large: (15, 128, 128)."""
    maps = np.zeros((len(LABELS), 128, 128), np.float32)
    maps[LABEL["upper"], 20:65, 30:90] = maps[LABEL["lower"], 65:95, 30:90] = certain
    maps[:, 61:69] *= at_border / certain
    maps[LABEL["background"]] = 1 - maps.sum(0)
    return maps


def test_what_lies_beside_a_garment_is_told_from_its_other_half():
    maps = two_kinds(0.98, 0.5)
    below = np.zeros((128, 128), bool)
    below[66:95, 30:90] = True
    found = beside_garment(maps)
    assert found[below].all()
    assert not found[:64].any()
    assert not beside_garment(two_kinds(0.98, 0.95)).any(), "a dress taken for top and skirt"
    chosen = beside_garment(maps, "lower")
    assert chosen[21:64, 31:89].all()
    assert not chosen[below].any()
    assert np.array_equal(beside_garment(maps, "dress"), found), "there is none"
    maps[:, 75:] = maps[:, :1, :1]
    assert not beside_garment(maps, "lower")[21:64].any(), "a strip of shadow is not what is asked for"


# --- training


@pytest.fixture
def shard(tmp_path) -> Path:
    """Pictures whose truth is plain to see: every visible joint is a disc of a limb's label."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "shard"
    folder.mkdir()
    for prefix in ("", "garment_"):
        poses = random_poses(4, rng, low=0.3)
        poses[:, [i for i in range(18) if i not in (2, 5)]] = 0
        images = np.full((4, 256, 256, 3), 200, np.uint8)
        parsings = np.zeros((4, 256, 256), np.uint8)
        for image, parsing, pose in zip(images, parsings, poses, strict=True):
            for joint, label in ((2, "right_arm"), (5, "left_arm")):
                centre = tuple(np.floor(pose[joint, :2] * 256).astype(int).tolist())
                cv2.circle(image, centre, 14, (30 * joint, 20, 20), -1)
                cv2.circle(parsing, centre, 14, LABEL[label], -1)
        for name, value in (("image", images), ("parsing", parsings), ("pose", poses)):
            np.save(folder / f"{prefix}{name}.npy", value)
    return folder


@pytest.mark.parametrize("size", [256, 128])
def test_augmentation_keeps_picture_labels_and_joints_together(shard, size):
    stream = Augmented(open_shards(shard.parent), None, seed=0, size=size)
    checked = 0
    for index in range(60):
        image, parsing, pose = stream[index]
        assert image.shape == (size, size, 3)
        assert parsing.shape == (size // 2, size // 2)
        for joint, label in ((2, "right_arm"), (5, "left_arm")):
            if pose[joint, 2] > 0:
                x, y = (pose[joint, :2] * len(parsing)).astype(int)
                covered = (LABEL["left_arm" if label == "right_arm" else "right_arm"], LABEL["background"])
                assert parsing[y, x] in (LABEL[label], *covered)
                checked += parsing[y, x] == LABEL[label]
    assert checked > 60
    again = Augmented(open_shards(shard), None, seed=0, size=size)[7]
    assert all(np.array_equal(a, b) for a, b in zip(stream[7], again, strict=True)), "item i is always the same"
    with pytest.raises(ValueError, match="No shards of pairs"):
        open_shards(shard / "nothing")


def test_pictures_before_are_drawn_too_with_the_pose_of_the_target(shard):
    black = np.zeros((4, 256, 256, 3), np.uint8)
    np.save(shard / "before_image.npy", black)
    np.save(shard / "before_parsing.npy", black[..., 0] + LABEL["dress"])
    opened = open_shards(shard)[0]
    assert len(opened) == 12
    image, parsing, pose = opened[9]
    assert not image.any()
    assert (parsing == LABEL["dress"]).all()
    assert np.array_equal(pose, np.load(shard / "pose.npy")[1])
    stream = Augmented([opened], None, seed=0)
    assert any(np.isin(LABEL["dress"], stream[index][1]) for index in range(12))


def test_a_surface_alike_has_the_colour_of_the_masked_part_and_its_own_pattern():
    rng = np.random.default_rng(0)
    image = np.full((64, 64, 3), (200, 180, 150), np.uint8)
    image[:32] = 0
    mask = np.arange(64)[:, None].repeat(64, 1) >= 32
    stripes = np.where(np.arange(32)[:, None, None] % 4 < 2, np.uint8(90), np.uint8(30)).repeat(32, 1).repeat(3, 2)
    for _ in range(8):
        surface = alike(stripes, image, mask, rng)
        assert np.abs(surface.mean((0, 1)) - (200, 180, 150)).max() < 40
        assert (surface[0] > surface[2]).all()
    assert alike(stripes, image, np.zeros_like(mask), rng) is stripes


def test_tattoos_are_dark_lines_of_the_motif_within_the_skin():
    image = np.full((64, 64, 3), 200, np.uint8)
    skin = np.arange(64)[:, None].repeat(64, 1) >= 32
    stripes = np.where(np.arange(64)[None, :, None] % 8 < 5, np.uint8(40), np.uint8(220)).repeat(64, 0).repeat(3, 2)
    inked = 0
    for seed in range(8):
        drawn = tattooed(image, skin, stripes, np.random.default_rng(seed))
        changed = (drawn != image).any(-1)
        assert not changed[~skin].any()
        assert not changed[:, 5::8].any(), "light parts of the motif leave the skin as it is"
        assert (drawn <= image).all()
        inked += changed.mean()
    assert inked > 0.5


def test_training_learns_and_resumes(shard, tmp_path):
    stream = Augmented(open_shards(shard), None, seed=0)
    images, parsings, poses = (
        torch.from_numpy(np.stack(parts)) for parts in zip(*(stream[i] for i in range(4)), strict=True)
    )
    batch = images[:, ::2, ::2].contiguous(), parsings[:, ::2, ::2], poses  # half the size is enough to learn from
    run = Run(tmp_path / "run", "tiny", 3e-3, "cpu")
    run.folder.mkdir()
    losses = [run.step(batch, 10) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]
    run.save([])
    resumed = Run(tmp_path / "run", "tiny", 3e-3, "cpu")
    assert resumed.seen == 48
    assert resumed.step(batch, 10) == run.step(batch, 10)


def test_training_command_writes_a_model_and_scores(shard, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    flags = f"--data {shard} --validation {shard} --out {out} --minutes 0.02 --preset tiny --batch-size 2 --workers 0"
    monkeypatch.setattr("sys.argv", ["train_annotator", *flags.split()])
    main()
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(record) >= {"minutes", "seen", "rate", "loss", "miou", "pck", "false_joints", "iou"}
    assert Annotator.from_pretrained(out).config.block_out_channels == list(PRESETS["tiny"]["block_out_channels"])


# --- segmentation


def garment_photo(background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A striped T-shirt shape on a background, and its mask."""
    mask = np.zeros(background.shape[:2], np.uint8)
    outline = [
        (60, 60),
        (120, 40),
        (180, 40),
        (240, 60),
        (270, 120),
        (230, 140),
        (215, 110),
        (215, 300),
        (85, 300),
        (85, 110),
        (70, 140),
        (30, 120),
    ]
    cv2.fillPoly(mask, [np.array(outline)], 1)
    stripes = np.where((np.arange(340) // 12 % 2)[:, None, None], np.array([20, 40, 120]), np.array([180, 60, 60]))
    return np.where(mask[..., None] > 0, stripes, background).astype(np.uint8), mask > 0


def test_a_garment_on_a_plain_background_is_outlined_whatever_the_annotator_thinks():
    light = np.linspace(200, 245, 300)[None, :, None] * np.ones((340, 1, 3))
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    image, truth = garment_photo(np.clip(light + noise, 0, 255))
    vague = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 25)
    for prior in (vague, np.full(truth.shape, 0.4, np.float32)):
        mask = segment_garment(image, prior)
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95


def test_a_garment_on_a_patterned_floor_follows_annotator_and_colours():
    rng = np.random.default_rng(0)
    planks = np.repeat(np.repeat(rng.integers(60, 200, (17, 6, 1)), 20, 0), 50, 1) * np.array([1.0, 0.9, 0.7])
    image, truth = garment_photo(planks)
    vague = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 12)
    mask = segment_garment(image, vague)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    assert np.array_equal(mask, segment_garment(image, vague)), "one picture has one outline"


@pytest.mark.parametrize("table", [(225, 215, 200), (150, 100, 60)])
def test_the_shadow_of_a_garment_is_no_garment(table):
    image, truth = garment_photo(np.broadcast_to(np.array(table), (340, 300, 3)))
    beneath = cv2.GaussianBlur(np.roll(truth, (14, 8), (0, 1)).astype(np.float32), (0, 0), 3)
    light = np.where(truth, 1, 1 - 0.6 * beneath)[..., None]
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    image = (image * light + noise).clip(0, 255).astype(np.uint8)
    mask = segment_garment(image, cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 4))
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97


def test_white_stripes_and_prints_on_a_white_table_belong_to_the_garment():
    """Half of a garment looks like what it lies on; the annotator is sure of it, but not to the pixel."""
    white = np.array([236, 236, 236])
    image, truth = garment_photo(np.broadcast_to(white, (340, 300, 3)))
    rows = (np.arange(340) // 12 % 2)[:, None] > 0
    image[truth & ~rows] = 245
    image[200:250, 110:190] = white  # a print, larger than a pinhole
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    image = (image + noise).clip(0, 255).astype(np.uint8)
    mask = segment_garment(image, cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 4))
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95
    assert mask[200:250, 110:190].all()


@pytest.mark.parametrize("waves", [0, 1, 2])
def test_a_wavy_hem_on_a_striped_floor_is_outlined_to_the_pixel(waves):
    rng = np.random.default_rng(waves)
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 120 + 18 * np.cos(9 * angles + waves)
    places = 192 + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    truth = cv2.fillPoly(np.zeros((384, 384), np.uint8), [np.rint(places).astype(np.int32)], 1) > 0
    stripes = 110 + 25 * np.sign(np.sin(np.arange(384) / 9))[:, None] + rng.normal(0, 6, (384, 384))
    cloth = np.array([70, 120, 190]) + rng.normal(0, 6, (384, 384, 1))
    image = np.where(truth[..., None], cloth, stripes[..., None] * np.array([0.9, 0.7, 0.5]))
    vague = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 10)
    mask = segment_garment(image.clip(0, 255).astype(np.uint8), vague)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.996


def joint(annotator, outline, category, name):
    return joints_of_outline(annotator, outline, category)[KEYPOINT[name]]


def test_an_outline_tells_where_the_joints_are(annotator):
    """Cut with a ruler: slim trousers and shorts, a top with long sleeves and one with short ones."""
    trousers = np.zeros((300, 300), bool)
    for y in range(30, 270):
        apart = max(0, y - 95) // 5
        trousers[y, 104 - apart // 4 : 148 - apart] = trousers[y, 152 + apart : 196 + apart // 4] = True
    trousers[30:95, 104:196] = True
    shorts = np.zeros((300, 300), bool)
    shorts[70:200, 80:145] = shorts[70:200, 155:220] = shorts[70:150, 80:220] = True
    knee = joint(annotator, trousers, "lower", "left_knee")
    assert 0.35 < knee[1] < 0.75
    assert 0.5 < knee[0] < 0.67
    knee = joint(annotator, shorts, "lower", "left_knee")
    assert knee[2] == 0 or knee[1] > 0.58, "knees are not within shorts"
    top = np.zeros((300, 300), bool)
    top[60:240, 100:200] = True
    short, long = top.copy(), top.copy()
    for sleeves, length in ((short, 60), (long, 150)):
        for i in range(length):
            sleeves[70 + i : 105 + i, [100 - i // 2, 199 + i // 2]] = True
    for outline in (short, long):
        right, left = (joint(annotator, outline, "upper", f"{side}_shoulder") for side in ("right", "left"))
        assert 0.25 < right[0] < 0.45 < 0.55 < left[0] < 0.75
        assert abs(right[1] - left[1]) < 0.03
    assert joint(annotator, long, "upper", "left_wrist")[2] == 1


def test_joints_move_with_the_outline(annotator):
    outline = np.zeros((200, 200), bool)
    outline[40:140, 60:120] = True
    moved = np.roll(outline, (20, 30), (0, 1))
    before, after = (joints_of_outline(annotator, each, "upper") for each in (outline, moved))
    seen = (before[:, 2] > 0) & (after[:, 2] > 0)
    assert seen.sum() >= 5
    assert after[seen, :2] - before[seen, :2] == pytest.approx(np.tile([0.15, 0.1], (seen.sum(), 1)), abs=1e-5)


def test_only_what_was_worn_and_what_is_put_on_changes():
    before = np.full((100, 100), LABEL["background"], np.uint8)
    before[20:60, 30:70] = LABEL["upper"]
    before[20:80, 70:80] = LABEL["left_arm"]
    before[60:90, 30:70] = LABEL["lower"]
    garment = np.zeros((100, 100), np.float32)
    garment[20:70, 20:70] = 1
    hidden = np.zeros((100, 100), bool)
    hidden[:80] = True
    free = enlarged(hidden, 200)
    gone = taken_off(before, hidden, np.zeros_like(hidden), "upper", free)
    region = changed_region(gone, free, garment)
    assert region.shape == (200, 200)
    assert (region[50:110, 50:136] == 1).all()  # the old top and the new, wider one
    assert (region[130:136, 50:130] == 1).all()  # the new hem over the trousers
    assert not region[40:120, 148:160].any(), "the arm stays"
    assert not region[40:120, :30].any(), "the wall stays"
    assert not region[160:].any(), "what was not hidden stays"


def test_tone_is_taken_from_what_the_photograph_shows():
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.integers(60, 200, (256, 256, 3)).astype(np.float32), (0, 0), 4).astype(np.uint8)
    hidden = np.zeros((64, 64), bool)
    hidden[16:48, 16:48] = True
    assert np.array_equal(match_tone(photo, photo, hidden), photo)
    painted = np.clip(photo + np.array([12, -8, 6]), 0, 255).astype(np.uint8)
    painted[96:160, 96:160] = (250, 20, 20)  # the garment need not be like what it covers
    matched = match_tone(painted, photo, hidden).astype(int)
    seam = np.abs(matched - photo)[66:190, 66:70].mean()
    assert seam < 0.4 * np.abs(painted.astype(int) - photo)[66:190, 66:70].mean()
    assert np.abs(matched - painted)[120:136, 120:136].max() <= 1


def test_half_of_a_dress_stays_when_only_half_is_replaced():
    parsing = np.zeros((100, 100), np.uint8)
    parsing[20:90, 30:70] = LABEL["dress"]
    pose = np.zeros((18, 3), np.float32)
    for joint, place in {1: (0.5, 0.2), 2: (0.4, 0.2), 5: (0.6, 0.2), 8: (0.45, 0.6), 11: (0.55, 0.6)}.items():
        pose[joint] = *place, 1
    for category in ("upper", "lower"):
        parts = split_dress(parsing, pose, category)
        assert (parts[20:45, 30:70] == LABEL["upper"]).all()
        assert (parts[60:90, 30:70] == LABEL["lower"]).all()
        assert not (parts == LABEL["dress"]).any()
    assert (split_dress(parsing, pose, "dress") == parsing).all()
    assert (split_dress(parsing, np.zeros_like(pose), "upper") == parsing).all()


def test_a_collar_taken_for_the_neck_is_found_out_however_small_and_the_chin_s_shadow_stays():
    parsing = np.zeros((96, 96), np.uint8)
    picture = np.full((96, 96, 3), 200, np.uint8)
    parsing[:20, 40:60], picture[:20, 40:60] = LABEL["face"], (214, 160, 130)
    parsing[60:90, 20:80], picture[60:90, 20:80] = LABEL["upper"], (90, 110, 60)
    parsing[20:60, 30:70], picture[20:60, 30:70] = LABEL["torso_skin"], (214, 160, 130)
    picture[20:40, 30:70] = (122, 86, 70)
    picture[53:60, 40:60] = (90, 110, 60)
    corrected = sleeves_are_no_skin(parsing, picture)
    assert (corrected[55:60, 43:57] == LABEL["upper"]).all()
    assert (corrected[24:51, 34:66] == LABEL["torso_skin"]).all()


def test_a_sleeve_taken_for_an_arm_is_found_out_by_its_colour():
    parsing = np.zeros((96, 96), np.uint8)
    picture = np.full((96, 96, 3), 200, np.uint8)
    parsing[:20, 40:60], picture[:20, 40:60] = LABEL["face"], (214, 160, 130)
    parsing[20:80, 30:70], picture[20:80, 30:70] = LABEL["upper"], (90, 110, 60)
    parsing[20:80, 70:84] = LABEL["left_arm"]
    picture[20:50, 70:84], picture[50:80, 70:84] = (90, 110, 60), (160, 115, 92)  # a sleeve, then a shaded arm
    corrected = sleeves_are_no_skin(parsing, picture)
    assert (corrected[24:46, 74:80] == LABEL["upper"]).all()
    assert (corrected[54:76, 74:80] == LABEL["left_arm"]).all()
    picture[20:68, 70:84] = (160, 115, 92)  # now the lower fifth alone is dark: a shadow
    picture[68:80, 70:84] = (40, 30, 50)
    assert np.array_equal(sleeves_are_no_skin(parsing, picture), parsing)
    picture[20:50, 70:84] = (90, 110, 60)
    parsing[:20] = LABEL["background"]
    assert np.array_equal(sleeves_are_no_skin(parsing, picture), parsing)


def standing_pose() -> np.ndarray:
    """Somebody seen from the front, arms hanging, torso 0.3 of the frame."""
    pose = np.ones((18, 3), np.float32)
    places = {
        "nose": (0.5, 0.12),
        "neck": (0.5, 0.22),
        "right_shoulder": (0.41, 0.22),
        "right_elbow": (0.38, 0.37),
        "right_wrist": (0.37, 0.5),
        "right_hip": (0.44, 0.52),
        "right_knee": (0.43, 0.75),
        "right_ankle": (0.43, 0.97),
        "right_eye": (0.48, 0.1),
        "right_ear": (0.46, 0.11),
    }
    for name, (x, y) in places.items():
        pose[KEYPOINT[name], :2] = x, y
        pose[KEYPOINT[name.replace("right", "left")], :2] = 1 - x, y
    return pose


def test_a_plausible_pose_stays_and_impossible_joints_go():
    pose = standing_pose()
    assert np.array_equal(plausible_pose(pose), pose)
    for joint, place in (
        ("left_wrist", (0.95, 0.02)),
        ("right_knee", (0.05, 0.9)),
        ("left_hip", (0.56, 0.1)),
        ("left_ear", (0.9, 0.1)),
    ):
        wrong = pose.copy()
        wrong[KEYPOINT[joint], :2] = place
        mended = plausible_pose(wrong)
        expected = (0.56, 0.52, ASSUMED) if joint == "left_hip" else 0
        assert mended[KEYPOINT[joint]] == pytest.approx(expected), joint
        others = np.setdiff1d(np.arange(18), [KEYPOINT[joint]])
        assert np.array_equal(mended[others[:8]], pose[others[:8]])


def test_hips_are_turned_the_way_the_shoulders_are():
    pose = standing_pose()
    legs = [KEYPOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle") for side in ("left", "right")]
    swapped = pose.copy()
    swapped[legs] = pose[
        [KEYPOINT[KEYPOINTS[i].replace("left", "*").replace("right", "left").replace("*", "right")] for i in legs]
    ]
    assert np.array_equal(plausible_pose(swapped), pose)


def test_a_back_is_told_from_a_front():
    front = standing_pose()
    behind = mirror_pose(front)[MIRRORED_JOINTS]
    assert not seen_from_behind(front)
    assert not seen_from_behind(behind), "somebody whose face is seen is no back view"
    behind[[0, 14, 15]] = 0
    assert seen_from_behind(behind)


def test_the_body_reaches_as_far_as_its_limbs():
    pose = standing_pose()
    reach = body_reach(pose, 100)
    for x, y in pose[:, :2]:
        assert reach[min(int(y * 100), 99), int(x * 100)]
    assert not reach[5, 15]
    assert not reach[40, 5]
    pose[KEYPOINT["right_elbow"]] = pose[KEYPOINT["right_wrist"]] = 0
    assert body_reach(pose, 100)[38, 26] > reach[38, 26], "an arm that is not seen may be anywhere near"
    assert body_reach(np.zeros((18, 3), np.float32), 50).all()


def test_the_outline_follows_the_colours_and_ends_where_the_body_does():
    rng = np.random.default_rng(0)
    truth = np.zeros((128, 128), bool)
    truth[20:110, 40:90] = True
    picture = np.where(truth[..., None], (30, 120, 120), (205, 195, 180)) + rng.normal(0, 4, (128, 128, 3))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    believed = np.roll(truth, 4, axis=1)
    believed[:, 110:118] = True  # a beam
    probabilities = np.full((len(LABELS), 128, 128), 1e-4, np.float32)
    probabilities[LABEL["upper"]] = np.where(believed, 0.95, 0.03)
    probabilities[0] = 1 - probabilities[LABEL["upper"]]
    reach = np.zeros((128, 128), bool)
    reach[:, 20:105] = True
    sharp = outlined(probabilities, reach, picture)
    assert set(np.unique(sharp)) == {0, LABEL["upper"]}
    assert ((sharp > 0) != truth).sum() < 0.1 * (np.roll(truth, 4, axis=1) != truth).sum()
    assert np.array_equal(sharp, outlined(probabilities, reach, picture))


def test_stripes_of_the_walls_colour_stay_where_the_annotator_is_sure():
    rng = np.random.default_rng(0)
    truth = np.zeros((128, 128), bool)
    truth[20:110, 40:90] = True
    stripes = truth & (np.arange(128) // 8 % 2 > 0)[:, None]
    picture = np.where(stripes[..., None], (30, 40, 120), (225, 220, 215)) + rng.normal(0, 2, (128, 128, 3))
    figure = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1.5)
    probabilities = np.full((len(LABELS), 128, 128), 1e-5, np.float32)
    probabilities[LABEL["upper"]] = figure
    probabilities[0] = 1 - figure
    sharp = outlined(probabilities, np.ones_like(truth), np.clip(picture, 0, 255).astype(np.uint8)) > 0
    assert (sharp & truth).sum() / (sharp | truth).sum() > 0.9


def test_letters_of_the_walls_colour_are_no_holes():
    truth, picture = np.zeros((128, 128), bool), np.full((128, 128, 3), 225, np.uint8)
    truth[30:110, 30:100] = True
    picture[truth] = (20, 20, 30)
    picture[60:70, 50:54] = picture[60:70, 60:64] = 225  # letters
    probabilities = np.full((len(LABELS), 128, 128), 1e-4, np.float32)
    probabilities[LABEL["upper"]] = np.where(truth, 0.9, 0.03)
    probabilities[0] = 1 - probabilities[LABEL["upper"]]
    everywhere = np.ones((128, 128), bool)
    assert (outlined(probabilities, everywhere, picture)[55:75, 45:70] == LABEL["upper"]).all()
    probabilities[:, 58:72, 48:66] = probabilities[:, :1, :1]  # a gap that the annotator sees as well stays open
    assert (outlined(probabilities, everywhere, picture)[61:69, 51:53] == 0).all()


def test_a_post_behind_the_body_is_no_part_of_it_and_a_brim_is():
    """Both have the figure's colour and the annotator hardly sees them; the post leads away, the brim does not."""
    truth, picture = np.zeros((128, 128), bool), np.full((128, 128, 3), 225, np.uint8)
    truth[40:128, 40:90] = truth[16:40, 54:76] = True
    picture[truth] = (120, 60, 40)
    brim, post = np.s_[20:24, 76:82], np.s_[0:70, 34:40]
    picture[brim] = picture[post] = (120, 60, 40)
    probabilities = np.full((len(LABELS), 128, 128), 1e-4, np.float32)
    probabilities[LABEL["upper"]] = np.where(truth, 0.97, 0.004)
    probabilities[LABEL["upper"], 16:24, 76:84] = 0.3
    probabilities[LABEL["upper"], 40:70, 36:40] = 0.06
    probabilities[0] = 1 - probabilities[LABEL["upper"]]
    sharp = outlined(probabilities, np.ones((128, 128), bool), picture) > 0
    assert not sharp[post].any()
    assert sharp[brim].mean() > 0.9
    assert sharp[truth].mean() > 0.98


def test_trousers_of_the_shirts_colour_stay_trousers():
    """One cloth above and below, and a face and arms of another colour: then colours cannot tell where the hem is."""
    parsing, picture = np.zeros((100, 100), np.uint8), np.full((100, 100, 3), 220, np.uint8)
    for name, rows, columns, colour in (
        ("face", slice(0, 20), slice(40, 60), (214, 160, 130)),
        ("upper", slice(20, 60), slice(30, 70), (20, 20, 26)),
        ("lower", slice(60, 95), slice(30, 70), (20, 20, 26)),
        ("left_arm", slice(20, 60), slice(80, 92), (214, 160, 130)),
    ):
        parsing[rows, columns], picture[rows, columns] = LABEL[name], colour
    picture[73:95, 30:70] = (60, 60, 90)  # where light falls on them they are not as black
    assert np.array_equal(edges_by_colour(parsing, picture, ("upper", "dress")), parsing)


def test_a_hem_under_another_label_is_found_by_its_colour():
    truth, picture = np.zeros((100, 100), np.uint8), np.full((100, 100, 3), 220, np.uint8)
    truth[10:60, 30:70], truth[60:95, 30:70] = LABEL["upper"], LABEL["lower"]
    picture[10:60, 30:70], picture[60:95, 30:70] = (150, 30, 60), (30, 40, 90)
    wrong = truth.copy()
    wrong[56:60, 30:70] = LABEL["lower"]
    assert np.array_equal(edges_by_colour(wrong, picture, ("upper", "dress")), truth)
    assert np.array_equal(edges_by_colour(truth, picture, ("upper", "dress")), truth)
    picture[60:95, 30:70] = (150, 30, 60)
    assert np.array_equal(edges_by_colour(wrong, picture, ("upper", "dress")), wrong), "one colour tells nothing"


def test_a_dress_is_one_piece_of_cloth():
    parsing, picture = np.zeros((96, 96), np.uint8), np.full((96, 96, 3), 220, np.uint8)
    parsing[10:50, 30:60], parsing[50:90, 30:60] = LABEL["upper"], LABEL["lower"]
    picture[10:90, 30:60] = (150, 30, 60)
    probabilities = np.zeros((len(LABELS), 96, 96), np.float32)
    probabilities[LABEL["upper"]], probabilities[LABEL["dress"]] = 0.7, 0.3
    assert set(np.unique(one_piece_or_two(parsing, probabilities, picture))) == {0, LABEL["dress"]}
    two = picture.copy()
    two[50:90, 30:60] = (30, 40, 90)
    assert np.array_equal(one_piece_or_two(parsing, probabilities, two), parsing)
    probabilities[LABEL["dress"]] = 0.01
    assert np.array_equal(one_piece_or_two(parsing, probabilities, picture), parsing)


def test_hats_are_no_shirts():
    parsing = np.full((100, 100), LABEL["upper"], np.uint8)
    parsing[8:15, 45:55] = LABEL["face"]
    corrected = head_wears_no_clothes(parsing, standing_pose())
    assert (corrected[:8, 45:55] == LABEL["hair"]).all()
    assert (corrected[8:15, 45:55] == LABEL["face"]).all()
    assert (corrected[20:] == LABEL["upper"]).all()
    assert (corrected[:, :30] == LABEL["upper"]).all()
    speck = np.zeros((100, 100), np.uint8)
    speck[8:15, 45:55] = LABEL["face"]
    speck[12:13, 56:59] = speck[14:40, 50:90] = speck[10:16, 40:44] = LABEL["upper"]
    corrected = head_wears_no_clothes(speck, standing_pose())
    assert (corrected[12:13, 56:59] == LABEL["hair"]).all()
    assert (corrected[11:16, 40:44] == LABEL["upper"]).all(), "a collar reaches below the chin"
    assert (corrected[14:40, 50:90] == LABEL["upper"]).all()
    parsing[8:15] = LABEL["upper"]
    assert np.array_equal(head_wears_no_clothes(parsing, standing_pose()), parsing)


# --- the whole path


@pytest.mark.parametrize("picture", ["grey", "noise", "gradient", "downward", "diagonal"])
def test_a_picture_of_nothing_holds_no_person_and_no_garment(preprocessor, picture):
    x = np.linspace(0, 255, 300)[None, :, None] * np.ones((400, 1, 3))
    noise = np.random.default_rng(0).integers(0, 255, (400, 300, 3))
    down = np.linspace(0, 255, 400)[:, None, None] * np.ones((1, 300, 3))
    smooth = {"grey": np.full_like(x, 128), "gradient": x, "downward": down, "diagonal": (x + down) / 2}
    nothing = read_image({"noise": noise, **smooth}[picture].astype(np.uint8))
    someone, something = read_image(PERSONS[0]), read_image(GARMENTS[0])
    with pytest.raises(InputError, match="No person was found"):
        preprocessor(nothing, something)
    with pytest.raises(InputError, match="No garment was found"):
        preprocessor(someone, nothing)


@pytest.mark.parametrize("person", PERSONS, ids=lambda path: path.stem)
def test_example_persons_are_prepared(preprocessor, person):
    photo, garment = read_image(person), read_image(GARMENTS[0])
    prepared = preprocessor(photo, garment)
    conditions, hidden = prepared.conditions, prepared.hidden
    assert conditions.agnostic.shape == conditions.garment.shape == (1, 3, 256, 256)
    assert prepared.category in CATEGORIES
    assert prepared.person_parsing.shape == hidden.shape == (256, 256)
    assert (conditions.agnostic[0, :, torch.from_numpy(hidden)] == 0).all(), "hidden is hidden"
    shown = prepared.frame.crop(photo, 256, border_colour(photo))
    agnostic = to_images(conditions.agnostic)[0]
    assert np.array_equal(agnostic[~hidden], shown[~hidden]), "and all else is the photograph"
    parsing = prepared.person_parsing
    cloth = cv2.dilate(label_mask(parsing, TAKEN_OFF[prepared.category]).astype(np.uint8), np.ones((3, 3))) > 0
    face, others = label_mask(parsing, ("face",)), label_mask(parsing, ("hair", "left_hand", "right_hand"))
    assert face.any()
    assert not (face & hidden).any()
    assert np.array_equal(others & hidden, others & cloth), "only what touches the old garment may have its traces"
    pose = conditions.person_pose[0]
    assert (pose[[1, 2, 5], 2] > 0).all(), "neck and shoulders are found"
    assert 0.1 < hidden.mean() < 0.8


@pytest.mark.parametrize("garment", GARMENTS, ids=lambda path: path.stem)
def test_example_garments_are_cut_out(preprocessor, garment):
    prepared = preprocessor(read_image(PERSONS[0]), read_image(garment))
    cut = prepared.conditions.garment
    white = (cut == 1).all(1).float().mean()
    assert 0.1 < white < 0.85
    assert (to_tensor(np.full((1, 1, 3), 255, np.uint8)) == 1).all()
    pose = prepared.conditions.garment_pose[0]
    needed = (8, 11) if prepared.category == "lower" else (1, 2, 5)
    assert (pose[list(needed), 2] > 0).sum() >= 2


def test_a_garment_is_not_taken_for_a_person_nor_an_unknown_category_accepted(preprocessor):
    for garment in GARMENTS:
        if "worn" not in garment.stem:
            with pytest.raises(InputError, match="No person was found"):
                preprocessor(read_image(garment), read_image(garment))
            break
    with pytest.raises(ValueError, match="hat"):
        preprocessor(read_image(PERSONS[0]), read_image(GARMENTS[0]), "hat")


def test_a_photo_too_dark_says_so(preprocessor):
    night = Image.fromarray((np.asarray(read_image(PERSONS[0])) * 0.01).astype(np.uint8))
    with pytest.raises(InputError, match="very dark"):
        preprocessor(night, read_image(GARMENTS[0]))


def test_doubts_have_their_sentences(preprocessor):
    photo = read_image(PERSONS[0])
    person = read_person(preprocessor.annotator, photo, "upper", 256)
    assert doubts(photo, person, "upper") == []
    behind = mirror_pose(person.pose)[MIRRORED_JOINTS]
    behind[[0, 14, 15]] = 0
    dim = Image.fromarray((np.asarray(photo) * 0.15).astype(np.uint8))
    small = dataclasses.replace(person.frame, side=100)
    for other, words in (
        (dataclasses.replace(person, others=0.8), "several people"),
        (dataclasses.replace(person, pose=behind), "behind"),
        (dataclasses.replace(person, frame=small), "100 pixels"),
        (dataclasses.replace(person, parsing=np.full_like(person.parsing, LABEL["upper"])), "fills the photo"),
    ):
        assert [words in sentence for sentence in doubts(photo, other, "upper")] == [True], words
    assert "dark" in doubts(dim, person, "upper")[0]
    assert "feet" in doubts(photo, dataclasses.replace(person, parsing=person.parsing * 0), "dress")[0]


def test_somebody_who_sits_is_told_of(preprocessor):
    photo = read_image(next(path for path in PERSONS if "striped_tee" in path.stem))
    person = read_person(preprocessor.annotator, photo, "lower", 256)
    assert doubts(photo, person, "lower") == []
    seated = person.pose.copy()
    seated[[9, 12], 1] = seated[[8, 11], 1].mean() + 0.1 * torso_length(seated)
    hidden = person.pose.copy()
    hidden[[9, 10, 12, 13]] = 0
    for pose in (seated, hidden):
        assert "seated" in doubts(photo, dataclasses.replace(person, pose=pose), "lower")[0]
    assert doubts(photo, dataclasses.replace(person, pose=seated), "upper") == []


def test_bottoms_need_legs(preprocessor):
    """A photograph that ends just below the hips is no place for trousers; one with the thighs is."""
    photo = read_image(next(path for path in PERSONS if "striped_tee" in path.stem))
    person = read_person(preprocessor.annotator, photo, "lower", 256)
    hips = person.pose[[8, 11], 1].mean()

    def cut(below: float) -> Image.Image:
        """The photograph down to so many torso lengths below the hips."""
        bottom = person.frame.top + (hips + below * torso_length(person.pose)) * person.frame.side
        return photo.crop((0, 0, photo.width, round(bottom)))

    with pytest.raises(InputError, match="legs are not visible"):
        read_person(preprocessor.annotator, cut(0.3), "lower", 256)
    assert read_person(preprocessor.annotator, cut(0.8), "lower", 256).pose[[8, 11], 2].all()


def test_a_category_that_contradicts_the_garment_is_followed_with_a_word(preprocessor):
    shorts = next(path for path in GARMENTS if "shorts" in path.stem)
    garment = read_garment(preprocessor.annotator, read_image(shorts), "upper")
    assert garment.category == "upper"
    assert any("looks like lower" in warning for warning in garment.warnings)


# --- the kind of garment


def test_the_table_is_for_these_features():
    assert COEFFICIENTS.shape == (len(CATEGORIES), len(FEATURES) + 1)
    mask = np.zeros((200, 200), bool)
    mask[50:150, 60:140] = True
    mask[100:150, 90:110] = False  # legs
    features = dict(zip(FEATURES, outline_features(mask, np.array([0.1, 0.7, 0.1])), strict=True))
    assert features["log_aspect"] == pytest.approx(np.log(0.8))
    assert features["width_0"] == pytest.approx(0.8)
    assert features["covered_3"] == pytest.approx(0.75, abs=0.02)
    assert features["apart_0"] == 0
    assert features["apart_3"] == pytest.approx(0.75, abs=0.02)
    assert features["top_in_middle"] == 0
    assert features["votes_lower"] == max(features[f"votes_{name}"] for name in CATEGORIES)
    assert likely_category(mask, np.array([0.1, 0.7, 0.1])) == ("lower", True)


def test_a_fit_finds_what_divides_the_kinds():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 90)
    features = rng.normal(0, 1, (90, 5))
    features[:, 2] = 10 + 4 * truth + rng.normal(0, 0.3, 90)
    table = fit(features, truth)
    assert table.shape == (3, 6)
    assert ((np.c_[features, np.ones(90)] @ table.T).argmax(1) == truth).mean() > 0.95


PHOTOS = ROOT.parent / "shared" / "photos" / "garments"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="photographs of garments are not in the repository")
def test_photographed_garments_are_told_apart(preprocessor):
    right = 0
    names = ("t-shirt_068", "t-shirt_022", "longsleeve_026", "shirt_024", "pants_012", "pants_004", "dress_034")
    for name in names:
        garment = read_garment(preprocessor.annotator, read_image(PHOTOS / f"{name}.jpg"))
        assert not garment.worn
        assert 0.15 < (garment.parsing > 0).mean() < 0.8
        right += garment.category == CATEGORY[name.partition("_")[0]]
    assert right >= 6


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="photographs of garments are not in the repository")
@pytest.mark.parametrize("name", ["outwear_000", "outwear_001", "outwear_010", "outwear_014"])
def test_nobody_wears_a_hood_that_lies_on_the_floor(preprocessor, name):
    garment = read_garment(preprocessor.annotator, read_image(PHOTOS / f"{name}.jpg"))
    assert not garment.worn
    assert garment.category == "upper"
