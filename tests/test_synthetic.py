"""The studio: same seed same pixels, truth that agrees with the pictures, shards that are whole or absent."""

import itertools
import multiprocessing
import resource
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

pytest.importorskip("numba", reason="the studio needs the extra `train`")

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.preprocessing.parsing import LABEL
from tryon.synthetic import pairs
from tryon.synthetic.asset import load_body
from tryon.synthetic.body import BodyShape, morph
from tryon.synthetic.details import decorate
from tryon.synthetic.dressing import Dressed, Outfit, Trim, cloth_surface, display, dress
from tryon.synthetic.fabric import PATTERNS, make_fabric
from tryon.synthetic.garment import Garment, tailor
from tryon.synthetic.garments import KINDS
from tryon.synthetic.mesh import vertex_normals
from tryon.synthetic.pairs import PairStream, RenderedPair, render_pair
from tryon.synthetic.person import random_person
from tryon.synthetic.pose import Pose, arm_preset, random_pose, random_seated_pose
from tryon.synthetic.prints import WORDS
from tryon.synthetic.quality import TRAINING
from tryon.synthetic.render import STAGES, main, parse_arguments, plan_shards, render_dataset
from tryon.synthetic.shards import list_shards, read_shard, write_shard
from tryon.synthetic.shots import FLOW_SIZE, Shot, arrange, photograph_person, photograph_product
from tryon.training.data import FIELDS, RENDERED_FIELDS

SIZE = 128
NOSE, RIGHT_SHOULDER, LEFT_SHOULDER = 0, 2, 5


def as_dict(pair: RenderedPair) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in vars(pair).items()}


def label_at(parsing: np.ndarray, joint: np.ndarray) -> str:
    column, row = (joint[:2] * len(parsing)).astype(int)
    return list(LABEL)[parsing[row, column]]


def labels_around(parsing: np.ndarray, joint: np.ndarray) -> set[str]:
    """Labels within two pixels of a joint."""
    column, row = (joint[:2] * len(parsing)).astype(int)
    return {list(LABEL)[label] for label in parsing[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].flat}


@pytest.fixture(scope="module")
def rendered() -> list[RenderedPair]:
    """Eighteen pairs, each with its own people and clothes."""
    stream = PairStream(7, SIZE, "heldout", reuse=1)
    return [stream.draw() for _ in range(18)]


def test_pair_has_the_agreed_fields(rendered):
    pair = as_dict(rendered[0])
    assert set(pair) == {*FIELDS, *RENDERED_FIELDS}
    for side in ("", "garment_"):
        assert pair[f"{side}image"].shape == (SIZE, SIZE, 3)
        assert pair[f"{side}parsing"].shape == (SIZE, SIZE)
        assert pair[f"{side}pose"].shape == (18, 3)
        assert pair[f"{side}image"].dtype == pair[f"{side}parsing"].dtype == np.uint8
        assert pair[f"{side}pose"].dtype == np.float32
    assert pair["flow"].shape == (FLOW_SIZE, FLOW_SIZE, 3)
    assert pair["flow"].dtype == np.float16


def test_same_seed_same_pixels():
    first, again, other = (as_dict(render_pair(seed, 64)) for seed in (3, 3, 4))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)
    assert (first["image"] != other["image"]).any()


def test_every_category_and_kind_of_picture_occurs(rendered):
    assert {pair.category for pair in rendered} == {0, 1, 2}
    assert {pair.kind for pair in rendered} == {0, 1, 2}


def test_labels_are_the_silhouette(monkeypatch):
    """Before two backgrounds, exactly the unlabelled pixels change (edges blend both)."""
    pictures = []
    for grey in (0.1, 0.9):
        monkeypatch.setattr(
            "tryon.synthetic.shots.random_background",
            lambda rng, size, grey=grey: np.full((size, size, 3), grey, np.float32),
        )
        monkeypatch.setattr("tryon.synthetic.picture.develop", lambda linear, *_: linear[::2, ::2])
        pictures.append(render_pair(11, SIZE))
    first, second = pictures
    np.testing.assert_array_equal(first.parsing, second.parsing)
    changed = (first.image != second.image).any(-1)
    assert (changed == (first.parsing == LABEL["background"])).mean() > 0.985


def test_everyone_is_dressed(rendered):
    for pair in rendered:
        labels = set(np.unique(pair.parsing))
        category = CATEGORIES[pair.category]
        assert LABEL[category] in labels
        assert (LABEL["dress"] in labels) == (category == "dress")
        if category != "dress":
            assert LABEL["upper"] in labels
        alone = pair.kind != KINDS_OF_PICTURE.index("worn")
        if alone:
            assert set(np.unique(pair.garment_parsing)) == {0, LABEL[category]}


def test_no_skin_shows_through_the_clothes(rendered):
    """Hardly a pixel of the trunk is skin with cloth on all four sides."""
    specks = cloth = 0
    for pair in rendered:
        worn = np.isin(pair.parsing, [LABEL[name] for name in CATEGORIES])
        skin = pair.parsing == LABEL["torso_skin"]
        around = [np.roll(worn, shift, axis) for axis in (0, 1) for shift in (-2, 2)]
        specks += (skin & np.logical_and.reduce(around)).sum()
        cloth += worn.sum()
    assert specks < 0.001 * cloth


def test_before_differs_from_after_by_the_garment_alone(rendered):
    """What shows neither garment nor the skin that one of them bares is the same in both, noise included."""
    for pair in rendered:
        category = CATEGORIES[pair.category]
        same = (pair.before_image == pair.image).all(-1)
        assert not same[pair.parsing == LABEL[category]].all()
        away = np.isin(pair.parsing, [LABEL[name] for name in ("background", "face", "hair")])
        away &= pair.parsing == pair.before_parsing
        assert np.abs(pair.before_image[away].astype(int) - pair.image[away]).mean() < 3  # shadows differ a little
        assert same[away].mean() > 0.7


def test_joints_lie_on_the_body(rendered):
    on_body = on_face = facing = total = 0
    for pair in rendered:
        seen = pair.pose[:, 2] > 0
        # the far ear of a turned head lies before the wall
        labels = [label_at(pair.parsing, joint) for joint in pair.pose[:16][seen[:16]]]
        on_body += sum(label != "background" for label in labels)
        total += len(labels)
        # the tip of a nose in profile lies on the outline
        on_face += bool(labels_around(pair.parsing, pair.pose[NOSE]) & {"face", "right_hand", "left_hand", "hair"})
        assert ((pair.pose[:, :2] >= 0) & (pair.pose[:, :2] < 1)).all()
        assert (pair.pose[~seen] == 0).all()
        facing += pair.pose[RIGHT_SHOULDER, 0] < pair.pose[LEFT_SHOULDER, 0]
    assert facing > 0.8 * len(rendered)  # a few are seen a little from behind
    assert on_body > 0.98 * total
    assert on_face == len(rendered)


@pytest.mark.parametrize("limb", ["arm", "hand", "leg", "shoe"])
def test_left_and_right_are_the_wearers_own(rendered, limb):
    """The wearer's right side is nearer to the left edge of the picture."""
    nearer = 0
    for pair in rendered:
        left, right = (np.nonzero(pair.parsing == LABEL[f"{side}_{limb}"])[1] for side in ("left", "right"))
        if len(left) and len(right):
            nearer += 1 if right.mean() < left.mean() else -1
    assert nearer > 0


def test_joints_of_garments_alone_leave_out_the_face(rendered):
    alone = [pair for pair in rendered if pair.kind > 0]
    for pair in alone:
        assert (pair.garment_pose[[0, 14, 15, 16, 17]] == 0).all()
        assert pair.garment_pose[:, 2].sum() >= 4


def test_flow_finds_the_same_cloth(monkeypatch):
    """Dyed so that colour tells the place on the pattern, both ends of the flow have one colour."""

    def coded_fabric(rng, size, *args, **kwargs):
        ramp = np.linspace(0.1, 0.9, size, dtype=np.float32)
        fabric = np.full((2, size, size, 3), 0.3, np.float32)
        fabric[..., 0], fabric[..., 1] = ramp[None, None, :], ramp[None, :, None]
        return fabric, "plain"

    monkeypatch.setattr(pairs, "make_fabric", coded_fabric)
    stream = PairStream(2, SIZE, reuse=1)
    errors, shuffled = [], []
    for pair in itertools.islice(stream, 16):
        visible = pair.flow[..., 2] == 1
        x, y = (pair.flow[visible][:, :2].astype(float) * SIZE).astype(int).T
        if visible.sum() < 20:  # seen from opposite sides
            continue
        half = SIZE // FLOW_SIZE // 2
        here = pair.image[half :: SIZE // FLOW_SIZE, half :: SIZE // FLOW_SIZE][visible] / 255.0
        there = pair.garment_image[y, x] / 255.0
        # Hue does not depend on shading; the white balance of the two pictures is a constant.
        hue = [np.log((rgb[:, :2] + 0.02) / (rgb[:, 2:] + 0.02)) for rgb in (here, there)]
        hue = [h - np.median(h, 0) for h in hue]
        errors.append(np.median(np.abs(hue[0] - hue[1])))
        shuffled.append(np.median(np.abs(hue[0] - stream._rng.permutation(hue[1]))))
    assert len(errors) >= 12
    assert np.mean(errors) < 0.05
    assert np.mean(errors) < 0.3 * np.mean(shuffled)


def test_flow_is_given_exactly_where_the_garment_is(rendered):
    for pair in rendered:
        step = SIZE // FLOW_SIZE
        middle = slice(step // 2, None, step)
        worn = pair.parsing[middle, middle] == LABEL[CATEGORIES[pair.category]]
        assert (worn == (pair.flow[..., 0] > -0.9)).mean() > 0.999
        assert (pair.flow[~worn] == -1).all()


def test_splits_share_nothing():
    drawn = {}
    for split in pairs.SPLITS:
        stream = PairStream(0, 64, split, reuse=1)
        garments = [stream._garment(category) for category in CATEGORIES for _ in range(4)]
        drawn[split] = {garment.position.tobytes() for garment in garments}, stream._person().vertices
    assert not drawn["train"][0] & drawn["heldout"][0]
    assert (drawn["train"][1] != drawn["heldout"][1]).any()
    assert not set(WORDS["train"]) & set(WORDS["heldout"])


@pytest.mark.parametrize("kind", KINDS)
def test_garments_follow_the_body(kind):
    """A bigger wearer's garment is bigger, and its cut does not depend on the level of detail."""
    garment = tailor(kind, 0, 1)
    slim, large = (garment.weights @ morph(BodyShape(weight=weight)) for weight in (0.1, 0.9))
    assert np.abs(large[:, 0]).mean() > np.abs(slim[:, 0]).mean()
    coarse = tailor(kind, 0, 0)
    assert np.abs(coarse.position.min(0) - garment.position.min(0)).max() < 0.4
    assert set(np.unique(garment.triangles)) == set(range(len(garment.position)))


@pytest.mark.parametrize("kind", KINDS)
def test_cutting_leaves_no_slivers(kind):
    """Triangles without area have no normal, and would throw the cloth at hems anywhere."""
    for number in range(3):
        garment = tailor(kind, number, 0)
        a, b, c = np.moveaxis(garment.position[garment.triangles], 1, 0)
        assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 1e-5


@pytest.fixture(scope="module")
def worn() -> dict[str, tuple[Garment, Dressed, Shot, Shot]]:
    """Every kind of garment on one person who stands with the arms away, and lying flat."""
    rng = np.random.default_rng(5)
    person = random_person(rng, TRAINING)
    arms, leg = arm_preset("away"), (np.array([0.1, -1, 0.0]), np.array([0.08, -1, 0.0]))
    pose = Pose((arms, arms), (leg, leg), np.zeros(3), np.zeros(3))
    shots = {}
    for kind, row in KINDS.items():
        clothes = {"top" if row.category != "lower" else "lower": tailor(kind, 2, 1)}
        if row.category != "dress":
            other = "lower" if "top" in clothes else "top"
            clothes[other] = tailor("trousers" if other == "lower" else "tshirt", 0, 1)
        size = person.vertices
        dressed = dress(person, pose, Outfit(clothes["top"], size, clothes.get("lower"), size), rng, TRAINING)
        fabric = np.full((2, 384, 384, 3), 0.4, np.float32)
        surfaces = [cloth_surface(slot, clothes[slot], dressed.cloth[slot], fabric, Trim()) for slot in dressed.cloth]
        slot = "lower" if row.category == "lower" else "top"
        setting = arrange(dressed, "full", 256, rng, TRAINING)
        shot = photograph_person(dressed, surfaces, slot, setting, 256, TRAINING)
        vertices, joints = display(clothes[slot], size, rng, TRAINING)
        lying = cloth_surface(slot, clothes[slot], vertices, fabric, Trim())
        flat = photograph_product(lying, joints, row.category, True, 256, rng, TRAINING)
        shots[kind] = clothes[slot], dressed, shot, flat
    return shots


def halfway(pose: np.ndarray, start: int, end: int) -> np.ndarray:
    return (pose[start] + pose[end]) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_covers_what_it_should(worn, kind):
    """Worn and lying flat, the garment is where its kind says and nowhere else."""
    garment, _, *shots = worn[kind]
    long_sleeved = {"hoodie", "jacket", "open_jacket", "turtleneck"}
    for shot in shots:
        parsing, pose, label = shot.picture.parsing, shot.pose, garment.category
        if label == "lower":
            inside = [halfway(pose, hip, knee) for hip, knee in ((8, 9), (11, 12))] if kind != "shorts" else []
            inside += [pose[8] * 0.75 + pose[9] * 0.25] if kind == "shorts" else []
        else:
            inside = [halfway(pose, 2, 11), halfway(pose, 5, 8)]  # from a shoulder to the other hip
            inside += [halfway(pose, 2, 3), pose[3], halfway(pose, 5, 6)] if kind in long_sleeved else []
        for joint in inside:
            assert label_at(parsing, joint) == label
    label = LABEL[garment.category]
    assert 0.01 < (shots[0].picture.parsing == label).mean() < 0.35
    assert 0.15 < (shots[1].picture.parsing == label).mean() < 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_lets_skin_through(worn, kind):
    _, _, shot, _ = worn[kind]
    cloth = np.isin(shot.picture.parsing, [LABEL[name] for name in CATEGORIES])
    skin = shot.picture.parsing == LABEL["torso_skin"]
    around = [np.roll(cloth, shift, axis) for axis in (0, 1) for shift in (-3, 3)]
    assert (skin & np.logical_and.reduce(around)).sum() < 0.002 * cloth.sum()  # the tip of a neckline


def test_folds_of_dresses_show_no_skin():
    """Cloth that blouses at the waist folds more finely than skin can be tucked under it."""
    rng, specks = np.random.default_rng(0), []
    arms, leg = arm_preset("away"), (np.array([0.1, -1, 0.0]), np.array([0.08, -1, 0.0]))
    fabric, dress_label = np.full((2, 384, 384, 3), 0.4, np.float32), LABEL["dress"]
    for number in range(8):
        person, garment = random_person(rng, TRAINING), tailor("dress", number, 1)
        pose = Pose((arms, arms), (leg, leg), np.zeros(3), np.zeros(3))
        dressed = dress(person, pose, Outfit(garment, random_person(rng, TRAINING).vertices), rng, TRAINING)
        surface = cloth_surface("top", garment, dressed.cloth["top"], fabric, Trim())
        setting = arrange(dressed, "knee", 256, rng, TRAINING)
        parsing = photograph_person(dressed, [surface], "top", setting, 256, TRAINING).picture.parsing
        parts, count = ndimage.label(parsing == LABEL["torso_skin"])
        rims = [ndimage.binary_dilation(parts == part) & (parts != part) for part in range(1, count + 1)]
        inside = [part for part, rim in enumerate(rims, 1) if (parsing[rim] == dress_label).all()]
        specks.append(np.isin(parts, inside).sum())
    assert sum(specks) <= 6
    assert max(specks) <= 3


@pytest.mark.parametrize("kind", ["shirt", "polo", "turtleneck", "hoodie", "jacket"])
def test_collars_neither_fly_nor_sink_into_the_neck(kind):
    rng = np.random.default_rng(0)
    for number in range(3):
        person, garment = random_person(rng, TRAINING), tailor(kind, number, 1)
        outfit = Outfit(garment, random_person(rng, TRAINING).vertices)
        dressed = dress(person, random_pose(rng), outfit, rng, TRAINING)
        skin = load_body().body_vertices
        normals = vertex_normals(dressed.posed, load_body().triangles)[skin]
        above = (garment.pinned > 0) & (garment.position[:, 1] > 5.2)
        assert above.any()
        distance, nearest = cKDTree(dressed.posed[skin]).query(dressed.cloth["top"][above])
        height = ((dressed.cloth["top"][above] - dressed.posed[skin][nearest]) * normals[nearest]).sum(1)
        assert (height > 0).mean() > 0.93  # beside a raised arm the crease of the shoulder closes around a hood
        assert distance.max() < 1.2


@pytest.fixture(scope="module")
def seated() -> list[tuple[Dressed, Shot]]:
    """People in trousers and shorts who face the camera, on every seat."""
    rng = np.random.default_rng(3)
    shots = []
    for number, seat in enumerate((14, 21, 1, 4, 0, 24, 23, 9)):  # each of `SEATS` among them
        person = random_person(rng, TRAINING)
        pose = replace(random_seated_pose(rng), yaw=0.0, seat=seat, arms=(arm_preset("chest"),) * 2)
        lower, size = tailor("shorts" if number % 2 else "trousers", number, 1), person.vertices
        outfit = Outfit(tailor("tshirt", number, 1), size, lower, size)
        dressed = dress(person, pose, outfit, rng, TRAINING)
        fabric = np.full((2, 384, 384, 3), 0.4, np.float32)
        surfaces = [
            cloth_surface(slot, outfit.in_slot(slot), vertices, fabric, Trim())
            for slot, vertices in dressed.cloth.items()
        ]
        setting = arrange(dressed, "full", 256, rng, TRAINING)
        shots.append((dressed, photograph_person(dressed, surfaces, "lower", setting, 256, TRAINING)))
    return shots


def test_people_sit_on_their_seats(seated):
    """Hips and knees are at nearly one height, the seat is just under them, and both feet are on the floor."""
    for dressed, _ in seated:
        seat = next(surface for surface in dressed.body if surface.name == "seat").vertices
        hips, knees, ankles = (dressed.joints[pair, 1] for pair in ([8, 11], [9, 12], [10, 13]))
        assert np.abs(hips - knees).max() < 1
        assert (knees - ankles).min() > 2.5
        shoes = min(surface.vertices[:, 1].min() for surface in dressed.body if surface.name == "soles")
        assert abs(seat[:, 1].min() - shoes) < 0.25
        level = np.unique(seat[:, 1].round(3))
        assert (np.abs(hips.mean() - 1 - level) < 0.6).any()


def test_seats_are_background_and_hide_nobody(seated):
    for _, shot in seated:
        picture = shot.picture
        number = picture.surface_names.index("seat")
        first, end = picture.first_triangle[number : number + 2]
        seat = (picture.seen.triangle >= first) & (picture.seen.triangle < end)
        assert seat.any()
        assert (picture.parsing[seat] == LABEL["background"]).all()
        for joint in shot.pose[[2, 5, 8, 9, 10, 11, 12, 13]]:
            assert label_at(picture.parsing, joint) != "background"


def test_clothes_of_people_who_sit_cover_them(seated):
    for _, shot in seated:
        parsing = shot.picture.parsing
        assert 0.003 < (parsing == LABEL["lower"]).mean() < 0.35  # thighs point at the camera
        cloth = np.isin(parsing, [LABEL[name] for name in CATEGORIES])
        skin = np.isin(parsing, [LABEL[name] for name in ("torso_skin", "left_leg", "right_leg")])
        around = [np.roll(cloth, shift, axis) for axis in (0, 1) for shift in (-3, 3)]
        assert (skin & np.logical_and.reduce(around)).sum() < 0.004 * cloth.sum()


def test_some_people_sit():
    stream = PairStream(0, 64)
    size = load_body().vertices
    trousers = Outfit(tailor("tshirt", 0, 0), size, tailor("trousers", 0, 0), size)
    skirt = Outfit(tailor("tshirt", 0, 0), size, tailor("skirt", 0, 0), size)
    dress_ = Outfit(tailor("dress", 0, 0), size)
    framings = [
        framing for pose, framing in (stream._pose("upper", trousers) for _ in range(400)) if pose.seat is not None
    ]
    assert 0.07 < len(framings) / 400 < 0.17
    assert set(framings) == {"knee", "full"}
    for tube in (skirt, dress_):
        assert all(stream._pose("upper", trousers, tube)[0].seat is None for _ in range(100))


def test_details_are_drawn_on_a_copy_of_the_cloth():
    shirt = tailor("shirt", 0, 1)
    plain = np.full((2, 384, 384, 3), 0.4, np.float32)
    drawn = decorate(plain, shirt.details)
    assert (plain == np.float32(0.4)).all()
    column = drawn.shape[2] // 2
    buttons = np.abs(drawn[0, :, column] - 0.4).max(-1) > 0.1
    assert 5 <= (np.diff(buttons.astype(int)) == 1).sum() <= 16
    assert decorate(plain, tailor("tank", 0, 1).details) is plain


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_dyes_cloth(pattern):
    fabrics = [make_fabric(np.random.default_rng(3), 384, pattern)[0] for _ in range(2)]
    np.testing.assert_array_equal(*fabrics)
    assert fabrics[0].shape == (2, 384, 384, 3)
    assert 0 <= fabrics[0].min() <= fabrics[0].max() <= 0.95
    assert np.isfinite(fabrics[0]).all()
    if pattern != "plain":
        assert fabrics[0][0].std((0, 1)).max() > 0.001


def test_what_is_not_printed_bears_no_picture():
    """Shirts and jackets are of one cloth from seam to seam."""
    for seed in range(12):
        fabric, _ = make_fabric(np.random.default_rng(seed), 128, "plain", printed=False)
        assert (fabric == fabric[:1, :1, :1]).all()


def test_refusals_say_what_to_do():
    with pytest.raises(ValueError, match="no split 'test': choose one of train, heldout"):
        render_pair(0, 64, "test")
    with pytest.raises(ValueError, match="multiple of 64 px, not 100"):
        render_pair(0, 100)
    with pytest.raises(ValueError, match="no garment 'toga'"):
        tailor("toga", 0, 0)


def test_the_name_of_a_pattern_tells_whether_there_is_one():
    drawn = [make_fabric(np.random.default_rng(seed), 64) for seed in range(60)]
    uniform = [pattern for fabric, pattern in drawn if not np.ptp(fabric, (0, 1, 2)).any()]
    assert uniform.count("plain") == sum(pattern == "plain" for _, pattern in drawn) > 0
    assert set(uniform) <= {"plain", "text"}  # some words come to lie where there is no cloth
    assert len({pattern for _, pattern in drawn}) > 6
    assert {pattern for _, pattern in drawn} <= set(PATTERNS)


def test_half_written_shard_is_never_read_as_whole(tmp_path):
    pair = render_pair(0, 64)
    folder = tmp_path / "train_64_0_000"

    def dies_after_two():
        yield from (pair, pair)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(folder, dies_after_two(), 3)
    (unfinished,) = tmp_path.iterdir()
    assert list_shards(tmp_path) == []
    with pytest.raises(ValueError, match="not finished"):
        read_shard(unfinished)
    with pytest.raises(ValueError, match="3 pairs was asked for"):
        write_shard(folder, [pair], 3)

    write_shard(folder, [pair] * 3, 3)
    assert list_shards(tmp_path) == [folder]
    shard = read_shard(folder)
    assert set(shard) == set(as_dict(pair))
    for name, value in as_dict(pair).items():
        np.testing.assert_array_equal(shard[name][2], value)
    assert shard["category"].dtype == shard["kind"].dtype == np.int64


def test_full_disk_leaves_no_shard(tmp_path):
    pair = render_pair(0, 64)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # files may not grow beyond one picture
    try:
        with pytest.raises(OSError, match="train_64_0_000 could not be written"):
            write_shard(tmp_path / "train_64_0_000", [pair] * 3, 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_killed_worker_is_told_of_and_leaves_no_shard(tmp_path):
    def kill_first_worker():
        while not multiprocessing.active_children():
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_first_worker)
    killer.start()
    tasks = plan_shards(tmp_path, 2, 64, "train", 0, 1)
    with pytest.raises(RuntimeError, match="worker was killed"):
        render_dataset(tasks, 2)
    killer.join()
    assert list_shards(tmp_path) == []


def test_workers_render_what_one_process_does(tmp_path, monkeypatch):
    monkeypatch.setattr("tryon.synthetic.render._SHARD_PAIRS", 1)
    for workers in (1, 2):
        render_dataset(plan_shards(tmp_path / str(workers), 2, 64, "train", 0, 1), workers)
    alone, together = (list_shards(tmp_path / str(workers)) for workers in (1, 2))
    assert len(alone) == len(together) == 2
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(read_shard(first)["image"], read_shard(second)["image"])


def test_benchmark_tells_speed_and_stages(capsys):
    main(["--benchmark", "--size", "64", "--pairs", "2", "--reuse", "1"])
    *shares, rate, _ = capsys.readouterr().out.splitlines()
    assert float(rate.removesuffix(" pairs/s/core")) > 0
    shares = {name: float(share) for share, name in (line.strip().split("% ") for line in shares)}
    assert set(shares) == {*STAGES, "rest"}
    assert sum(shares.values()) == pytest.approx(100, abs=1)
    assert min(shares["draping"], shares["shading"], shares["rasterising"]) > 0


def test_benchmark_is_of_few_small_pairs_unless_told_otherwise():
    def shape(*arguments: str) -> tuple[int, int, int]:
        options = parse_arguments(list(arguments))
        return options.size, options.pairs, options.reuse

    assert shape("--benchmark") == (128, 500, 6)
    assert shape("--benchmark", "--size", "512", "--pairs", "3") == (512, 3, 1)
    assert shape("--out", "data") == (256, 1000, 6)


def test_command_line_renders_and_resumes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tryon.synthetic.render._SHARD_PAIRS", 2)
    command = ["--out", str(tmp_path), "--pairs", "3", "--size", "64", "--split", "heldout", "--seed", "5"]
    main(command)
    assert '"rendered_pairs": 3' in capsys.readouterr().out
    shards = list_shards(tmp_path)
    assert [len(read_shard(shard)["image"]) for shard in shards] == [2, 1]
    main(command)
    assert '"rendered_pairs": 0' in capsys.readouterr().out
    (first, _) = shards
    expected = PairStream([5, 0], 64, "heldout", reuse=1).draw()
    np.testing.assert_array_equal(read_shard(first)["image"][0], expected.image)
