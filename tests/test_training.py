"""Training learns, goes on where it stopped, and evaluation measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from skimage.metrics import structural_similarity

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.models.garment_joints import GarmentJoints
from tryon.preprocessing.agnostic import TAKEN_OFF
from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.training.baselines import mean_colour, pasted_by_torso, warped_by_spline
from tryon.training.metrics import (
    colour_error,
    confidence_interval,
    kernel_distance,
    print_correlation,
    region_ssim,
)

pytest.importorskip("numba", reason="rendering needs the extra: pip install -e '.[train]'")

from tryon.synthetic.render import plan_shards, render_dataset
from tryon.training.cascades import Cascade, finished, with_networks
from tryon.training.data import CropDataset, PairDataset, batches, collate, stack
from tryon.training.evaluate import evaluate, measure
from tryon.training.fit_garment_joints import Outlines, fit, varied
from tryon.training.laid_out import random_layout
from tryon.training.objective import Objective, ssim_map
from tryon.training.recipes import recipe_for
from tryon.training.train import learning_rate, make_model, parse_arguments, train
from tryon.training.variation import mirror, vary


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    """Eight held-out pairs of side 128."""
    folder = tmp_path_factory.mktemp("pairs")
    render_dataset(plan_shards(folder, 8, 128, "heldout", seed=3, reuse=1), workers=1)
    return folder


def test_samples_hide_the_garment_and_keep_the_rest(shards):
    dataset = PairDataset(shards, 128, augment=False)
    for i in range(len(dataset)):
        sample, row = dataset[i], dataset.row(i)
        hidden = sample["hidden"]
        # what is worn now, and nearly all the room that another garment of the category takes
        assert hidden[label_mask(row["before_parsing"], TAKEN_OFF[CATEGORIES[row["category"]]])].mean() > 0.99
        assert hidden[sample["garment_mask"]].mean() > 0.95
        assert (sample["agnostic"][hidden] == 127).all()
        assert np.array_equal(sample["agnostic"][~hidden], row["before_image"][~hidden])


def test_flow_points_at_the_same_cloth(shards):
    """Colours fetched from the garment picture along the flow are those of the target, up to its light."""
    dataset = PairDataset(shards, 128, augment=False)
    batch = collate([dataset[i] for i in range(len(dataset))])
    grid = (2 * batch.flow[:, :2] - 1).permute(0, 2, 3, 1)
    fetched = torch.nn.functional.grid_sample(batch.conditions.garment, grid, align_corners=False)
    target = torch.nn.functional.interpolate(batch.target, size=(64, 64), mode="area")
    seen = (batch.flow[:, 2] > 0.5)[:, None].expand_as(target)
    aligned = (fetched - target).abs()[seen].mean()
    shuffled = (fetched.roll(1, 0) - target).abs()[seen & seen.roll(1, 0)].mean()
    assert aligned < 0.6 * shuffled


def test_flow_points_at_the_same_cloth_of_a_garment_laid_out(shards):
    dataset, errors, beneath = PairDataset(shards, 128, augment=False), [], 0
    for i in range(len(dataset)):
        row = dataset.row(i)
        category = CATEGORIES[row["category"]]
        outline = row["garment_parsing"] == LABEL[category]
        layout = random_layout(outline, row["garment_pose"], category, np.random.default_rng(i))
        if layout is None:
            continue
        seen = row["flow"][..., 2] > 0.5
        places = row["flow"][seen, :2].astype(np.float64)
        laid, _, top = layout.pictures(row["garment_image"], row["garment_parsing"], LABEL[category])
        before, after = (
            picture[tuple(np.clip(at * 128, 0, 127).astype(int).T[::-1])].astype(float)
            for picture, at in ((row["garment_image"], places), (laid, layout.places(places)))
        )
        x, y = np.clip(layout.places(places) * 128, 0, 127).astype(int).T
        on_top = top[y, x] == layout.pieces(places)
        errors.append(np.abs(before - after)[on_top].mean())
        beneath += (~on_top).sum()
        pose = layout.pose(row["garment_pose"])
        joints = [joint for joint in (1, 8, 11) if pose[joint, 2] > 0]
        moved = layout.places(row["garment_pose"][joints, :2].astype(np.float64))
        np.testing.assert_allclose(pose[joints, :2], moved, atol=1e-5)
    assert len(errors) > 4
    assert np.mean(errors) < 10  # of 255; cloth elsewhere is off by several times that
    assert beneath > 50, "sleeves lie on the trunk, or beneath it"


def test_only_garments_that_are_not_worn_are_laid_out_and_always_the_same_way(shards):
    plain, laid, again = (PairDataset(shards, 128, augment=False, laid_out=on) for on in (False, True, True))
    for i in range(len(plain)):
        changed = not np.array_equal(plain[i]["garment"], laid[i]["garment"])
        assert changed == (plain.row(i)["kind"] != KINDS_OF_PICTURE.index("worn"))
        assert all(np.array_equal(value, again[i][name]) for name, value in laid[i].items())
        assert np.array_equal(plain[i]["target"], laid[i]["target"])


def test_joints_of_garments_laid_out_are_learnt_from_their_outlines(shards):
    torch.manual_seed(0)
    network = GarmentJoints()
    outlines = varied(shards, network.side, np.random.default_rng(0))
    there = outlines.poses[..., 2] > 0

    def answer() -> torch.Tensor:
        with torch.no_grad():
            return network(outlines.cells, outlines.aspects)[torch.arange(len(there)), outlines.categories]

    def errors() -> torch.Tensor:
        """Mean error of each garment's joints."""
        return ((answer()[..., :2] - outlines.poses[..., :2]).norm(dim=-1) * there).sum(1) / there.sum(1)

    before = errors()
    fit(network, Outlines(*(torch.cat([column] * 60) for column in outlines)))
    assert errors().max() < 0.06 < before.min(), "of the box around a garment"
    usual = (there == (there.float().mean(0) > 0.5)).float().mean()  # the same joints for every garment
    assert ((answer()[..., 2] > 0.5) == there).float().mean() > usual + 0.01


def test_garments_laid_out_have_straighter_sides_and_stay_in_the_picture():
    y, x = np.mgrid[:128, :128] / 128
    outline = (np.abs(x - 0.5) < 0.18 + 0.09 * np.cos(4 * np.pi * (y - 0.3))) & (y > 0.2) & (y < 0.9)
    pose = np.zeros((18, 3), np.float32)
    pose[[1, 2, 5, 8, 11]] = [[0.5, 0.2, 1], [0.36, 0.22, 1], [0.64, 0.22, 1], [0.42, 0.65, 1], [0.58, 0.65, 1]]
    picture = np.zeros((128, 128, 3), np.uint8)
    straighter = []
    for seed in range(20):
        layout = random_layout(outline, pose, "upper", np.random.default_rng(seed))
        laid = layout.pictures(picture, outline.astype(np.uint8), 1)[1] > 0
        assert not laid[[0, -1]].any()
        assert not laid[:, [0, -1]].any()
        widths = [np.sort(shape.sum(1)[shape.any(1)])[[2, -2]] for shape in (outline, laid)]
        straighter.append(widths[1][0] / widths[1][1] - widths[0][0] / widths[0][1])
    assert np.mean(straighter) > 0.05


def test_mirrored_samples_are_true_mirrors(shards):
    """Cloth is still found along the flow, joints are on the same pixels, and twice is once not."""
    samples = stack([PairDataset(shards, 128, augment=False)[i] for i in range(8)])
    mirrored = mirror(samples)
    for name, value in mirror(mirrored).items():
        assert value.dtype == samples[name].dtype
        assert "pose" in name or torch.allclose(value.double(), samples[name].double(), atol=1e-6)
    assert torch.equal(mirrored["agnostic"], samples["agnostic"].flip(2))
    for name in ("person_pose", "garment_pose"):
        right, left = mirrored[name][:, 2], samples[name][:, 5]
        seen = left[:, 2] > 0
        assert torch.allclose(right[seen, 0], 1 - left[seen, 0])
        assert torch.equal(right[:, 1:], left[:, 1:])
        assert (right[~seen] == 0).all()
    errors = []
    for stacked in (samples, mirrored):
        place = stacked["flow"][..., :2]
        fetched = torch.nn.functional.grid_sample(
            stacked["garment"].permute(0, 3, 1, 2).float(), 2 * place - 1, align_corners=False
        )
        target = torch.nn.functional.avg_pool2d(stacked["target"].permute(0, 3, 1, 2).float(), 2)
        there = (stacked["flow"][..., 2] > 0.5)[:, None]
        errors.append(float(((fetched - target).abs() * there).sum() / there.sum()))
    assert errors[1] == pytest.approx(errors[0], rel=0.02)


def test_variations_change_the_garment_alike_in_both_pictures_and_hide_the_same(shards):
    samples = stack([PairDataset(shards, 128, augment=False)[i] for i in range(8)])
    for name, mask in (("target", "garment_mask"), ("garment", "cloth_mask")):
        samples[name][samples[mask]] = torch.tensor([200, 90, 40], dtype=torch.uint8)
    before = {name: value.clone() for name, value in samples.items()}
    draws = [vary(samples, torch.Generator().manual_seed(seed)) for seed in (*range(6), 0)]
    assert all(torch.equal(value, before[name]) for name, value in samples.items()), "left as they were"
    assert all(torch.equal(value, draws[-1][name]) for name, value in draws[0].items()), "the seed decides"
    mirrored, counts = mirror(samples), {"recoloured": 0, "relit": 0, "mirrored": 0}
    for drawn in draws[:-1]:
        assert (drawn["agnostic"][drawn["hidden"]] == 127).all()
        for i in range(8):
            flipped = torch.equal(drawn["person"][i], mirrored["person"][i])
            old = {name: value[i] for name, value in (mirrored if flipped else samples).items()}
            new = {name: value[i] for name, value in drawn.items()}
            assert torch.equal(new["hidden"], old["hidden"])
            relit = not torch.equal(new["agnostic"], old["agnostic"])
            worn, lying = new["target"][old["garment_mask"]], new["garment"][old["cloth_mask"]]
            assert (lying == lying[0]).all(), "one colour stays one colour"
            assert (worn == worn[0]).all()
            assert relit or torch.equal(worn[0], lying[0])
            around = torch.nn.functional.max_pool2d(old["cloth_mask"][None].float(), 3, 1, 1)[0] == 0
            assert torch.equal(new["garment"][around], old["garment"][around])
            counts["recoloured"] += lying[0].tolist() != [200, 90, 40]
            counts["relit"] += relit
            counts["mirrored"] += flipped
    assert all(12 < count < 43 for count in counts.values()), counts


def test_batches_go_on_where_they_stopped(shards):
    whole = batches(PairDataset(shards, 128, seed=1), 2, 0, workers=0)
    targets = [next(whole)["target"] for _ in range(6)]
    resumed = batches(PairDataset(shards, 128, seed=1), 2, 8, workers=0)
    for expected in targets[4:]:
        assert torch.equal(next(resumed)["target"], expected)


def test_pairs_are_used_again_as_often_as_asked_and_a_stopped_run_draws_the_same(shards, monkeypatch):
    monkeypatch.setattr("tryon.training.data.POOL", 6)  # smaller than an epoch, so that the oldest are forgotten

    def stream(start: int):
        return batches(PairDataset(shards, 128, seed=1), 4, start, workers=0, reuse=2)

    read, dataset_row = [], PairDataset.row
    monkeypatch.setattr(PairDataset, "row", lambda self, index: read.append(index) or dataset_row(self, index))
    whole = stream(0)
    drawn = [next(whole)["target"].clone() for _ in range(9)]
    assert len(read) == 2 * (9 + 1), "half of each batch is new, and one more group fills the first"
    assert all(len(torch.unique(batch.flatten(1), dim=0)) == 4 for batch in drawn[:3]), "none twice in one batch"
    for start in (1, 2, 7):
        resumed = stream(4 * start)
        assert all(torch.equal(next(resumed)["target"], expected) for expected in drawn[start:])
    with pytest.raises(ValueError, match="1/3"):
        next(batches(PairDataset(shards, 128), 4, 0, workers=0, reuse=3))


def test_crops_are_pieces_of_the_pictures(shards):
    crop = CropDataset(shards, 64)[0]["target"]
    picture = PairDataset(shards, 128, augment=False).row(0)["image"]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (64, 64), axis=(0, 1))
    windows = windows.transpose(0, 1, 3, 4, 2)
    assert any((windows == c).all((2, 3, 4)).any() for c in (crop, crop[:, ::-1]))


STAGES_AND_PRESETS = [
    ("position", "tiny-128"),
    ("base", "tiny-128"),
    ("base", "tiny-paper-128"),
    ("base", "tiny-128-concat"),
    ("base", "tiny-128-warp-then-blend"),
    ("sr1024", "tiny-1024"),
]


@pytest.mark.parametrize(("stage", "preset"), STAGES_AND_PRESETS)
def test_a_network_learns_one_batch(shards, stage, preset):
    torch.manual_seed(0)
    if stage != "sr1024":
        dataset = PairDataset(shards, 128, augment=False)
        batch = collate([dataset[i] for i in range(4)])
    else:
        dataset = CropDataset(shards, 64)
        batch = collate([dataset[i] for i in range(0, 128, 32)])
    model, objective = make_model(stage, preset), Objective(stage, recipe_for(preset))
    network = model.locator if stage == "position" else model

    def score() -> float:
        """Mean loss over the same draws of noise and time."""
        with torch.no_grad():
            return float(np.mean([float(objective(network, batch, seed)["loss"]) for seed in range(8)]))

    before = score()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)  # at 3e-3 rounding decides
    for seed in range(60):
        objective(network, batch, 100 + seed)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    after = score()
    assert after < (0.97 if stage == "sr1024" else 0.75) * before, (before, after)


def test_the_second_stage_learns_to_finish_what_the_first_hands_over(shards):
    """Most batches start from the real first stage, and every draw follows from the seed."""
    dataset = PairDataset(shards, 256, augment=False)
    batch = collate([dataset[i] for i in range(2)])
    previous = make_model("base", "tiny-128").eval()
    objective = Objective("sr256", recipe_for("tiny-256"), previous)
    truth = torch.nn.functional.interpolate(batch.target, scale_factor=0.5, mode="area")
    truth = torch.nn.functional.interpolate(truth, scale_factor=2.0, mode="bilinear").clamp(-1, 1)
    hidden = batch.conditions.hidden.expand_as(truth)
    handed = []
    for seed in range(12):
        objective.generator.manual_seed(seed)
        handed.append(not torch.allclose(objective.low_res(batch)[hidden], truth[hidden], atol=1e-4))
    assert 3 <= sum(handed) <= 11
    model = make_model("sr256", "tiny-256")
    assert torch.equal(objective(model, batch, 5)["loss"], objective(model, batch, 5)["loss"])


def test_a_stopped_run_repeats_the_uninterrupted_one_bit_for_bit(shards, tmp_path):
    command = [
        "--stage", "base", "--preset", "tiny-128", "--data", str(shards),
        "--batch-size", "2", "--interval", "4", "--workers", "0", "--pictures", "8",
    ]  # fmt: skip
    for name, *limits in (("whole",), ("stopped", "--minutes", "0"), ("stopped",)):
        train(parse_arguments([*command, "--out", str(tmp_path / name), *limits]))
    logs = {name: (tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "stopped")}
    assert [json.loads(line)["seen"] for line in logs["stopped"]] == [2, 6, 8]
    assert [json.loads(line)["seen"] for line in logs["whole"]] == [4, 8]
    weights = [load_file(tmp_path / name / "ema" / "diffusion_pytorch_model.safetensors") for name in logs]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert (tmp_path / "whole" / "samples.png").exists()


def test_presets_trained_together_are_as_trained_alone(shards, tmp_path):
    """Each learns from the very batches that it would see by itself."""
    presets = ["tiny-128", "tiny-128-concat"]
    common = ["--stage", "base", "--data", str(shards), "--batch-size", "2", "--workers", "0", "--pictures", "6"]
    train(parse_arguments([*common, "--preset", *presets, "--out", str(tmp_path / "both")]))
    for preset in presets:
        train(parse_arguments([*common, "--preset", preset, "--out", str(tmp_path / preset)]))
        together, alone = (
            load_file(folder / "ema" / "diffusion_pytorch_model.safetensors")
            for folder in (tmp_path / "both" / preset, tmp_path / preset)
        )
        assert all(torch.equal(together[name], alone[name]) for name in alone)
    with pytest.raises(SystemExit):
        parse_arguments([*common, "--preset", *presets, "--out", str(tmp_path), "--initial", str(tmp_path)])


def test_the_learning_rate_rises_and_falls():
    assert learning_rate(0, 1.0, 100, 0.0) == pytest.approx(0.01)
    assert learning_rate(99, 1.0, 100, 0.0) == pytest.approx(1.0)
    assert learning_rate(500, 1.0, 100, 0.5) == pytest.approx(0.525)
    assert learning_rate(900, 1.0, 100, 1.3) == pytest.approx(0.05)


def test_gradients_add_up_to_those_of_a_larger_batch(shards, tmp_path):
    """Two accumulated steps are one update."""
    options = parse_arguments([
        "--stage", "position", "--preset", "tiny-128", "--data", str(shards), "--out", str(tmp_path),
        "--batch-size", "2", "--accumulate", "2", "--workers", "0", "--pictures", "8",
    ])  # fmt: skip
    train(options)
    (folder,) = tmp_path.glob("state-*")
    state = {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}
    assert state["seen"] == 8
    assert {float(value) for name, value in state.items() if name.startswith("step:")} == {2.0}


def test_new_shards_are_taken_up(shards, tmp_path):
    """Rendering may go on beside the training."""
    first, folder = next(shards.iterdir()), tmp_path / "growing"
    folder.mkdir()
    (folder / "one").symlink_to(first)
    dataset = PairDataset(folder, 128)
    stream = batches(dataset, 4, 0, workers=0)
    next(stream)
    (folder / "two").symlink_to(first)
    before = len(dataset)
    for _ in range(before // 4):
        next(stream)
    assert len(dataset) == 2 * before


def test_shards_are_found_through_links(shards, tmp_path):
    (tmp_path / "linked").symlink_to(next(shards.iterdir()))
    assert len(PairDataset(tmp_path, 128)) == len(PairDataset(shards, 128))


def test_unknown_presets_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="small-128"):
        make_model("base", "huge")
    with pytest.raises(ValueError, match="no locator"):
        make_model("position", "tiny-paper-128")
    with pytest.raises(ValueError, match="No shards"):
        PairDataset(tmp_path, 128)


def test_metrics_know_equal_and_different():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    assert colour_error(truth, truth, mask) == 0
    assert region_ssim(truth, truth, mask) == pytest.approx(1)
    outside = truth.copy()
    outside[~mask] = 0
    assert colour_error(outside, truth, mask) == 0
    assert region_ssim(outside, truth, mask) == pytest.approx(1)
    noise = rng.integers(0, 256, truth.shape, dtype=np.uint8)
    assert region_ssim(noise, truth, mask) < 0.1
    black, white = np.zeros_like(truth), np.full_like(truth, 255)
    assert colour_error(black, white, mask) == pytest.approx(100, abs=0.5)
    with pytest.raises(ValueError, match="no pixels"):
        colour_error(truth, truth, np.zeros_like(mask))


def test_print_correlation_follows_the_cloth():
    """1 where every cell shows its cloth, about 0 where the print is elsewhere, none without a print."""
    rng = np.random.default_rng(0)
    garment = cv2.resize(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
    axis = (np.arange(64) + 0.5) / 64
    x, y = np.meshgrid(axis, axis)
    flow = np.stack([0.8 * x + 0.1, 0.7 * y + 0.2, np.ones_like(x)], -1)  # the person shows a part of it
    matrix = np.float32([[0.8, 0, 25.5], [0, 0.7, 51.1]])
    worn = cv2.warpAffine(garment, matrix, (256, 256), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert print_correlation(worn, garment, flow) > 0.97
    assert print_correlation(worn // 2 + 20, garment, flow) > 0.97, "light does not matter"
    assert abs(print_correlation(np.roll(worn, 60, 1), garment, flow)) < 0.4
    assert print_correlation(worn, np.full_like(garment, 90), flow) is None
    assert print_correlation(worn, garment, np.full_like(flow, -1)) is None


def test_the_spline_goes_through_all_joints():
    rng = np.random.default_rng(1)
    person, cloth = (np.ones((18, 3), np.float32) for _ in range(2))
    person[:, :2] = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 6), [0.2, 0.5, 0.8]), -1).reshape(18, 2)
    cloth[:, :2] = person[:, :2] + rng.uniform(-0.05, 0.05, (18, 2))
    garment = np.full((256, 256, 3), 200, np.uint8)
    for i in range(1, 14):
        cv2.circle(garment, tuple((cloth[i, :2] * 256).astype(int).tolist()), 5, (10 * i, 0, 0), -1)
    hidden = np.ones((256, 256), bool)
    worn = warped_by_spline(np.zeros_like(garment), hidden, garment, person, cloth)
    for i in range(1, 14):
        x, y = (person[i, :2] * 256).astype(int)
        assert abs(int(worn[y, x, 0]) - 10 * i) < 12


def test_evaluation_knows_a_perfect_result(shards, tiny_pipeline):
    """A cascade is scored beside the baselines; the truth itself would win every figure."""
    dataset = PairDataset(shards, 256, augment=False)
    figures, sheet = evaluate(Cascade(tiny_pipeline), dataset, 6)
    assert figures["pairs"] == 6
    assert set(figures["methods"]) == {"mean_colour", "affine", "tps", "ours", "ours_finished"}
    assert sheet.shape == (3 * 256, 2 * 9 * 256, 3)
    for parts in ("by_category", "by_kind", "by_difficulty_of_pose", "by_print"):
        assert sum(part["pairs"] for part in figures[parts].values()) == 6
    assert set(figures["by_print"]) <= {"plain", "stripes", "check", "logo", "other"}
    json.dumps(figures)
    gain = figures["ours_better_by"]["affine"]["garment_ciede2000"]
    table = figures["methods"]
    assert gain == pytest.approx(table["affine"]["garment_ciede2000"] - table["ours"]["garment_ciede2000"], abs=1e-3)
    sample = dataset[0]
    perfect = measure({"ours": sample["target"]}, sample, tiny_pipeline.annotator)["ours"]
    assert perfect["garment_ciede2000"] == perfect["changed_ciede2000"] == 0
    assert perfect["garment_psnr"] == 60
    assert perfect["pose_error"] in (0, None)


def test_a_finished_picture_is_the_photograph_where_nothing_is_hidden(shards, tiny_pipeline):
    dataset = PairDataset(shards, 256, augment=False)
    row, sample = dataset.row(0), dataset[0]
    _, said = Cascade(tiny_pipeline).paint([sample], [0])
    hidden, photo = sample["hidden"], row["before_image"].repeat(2, 0).repeat(2, 1)
    result = finished(row, hidden, np.full_like(photo, 90), said.picture(0), tiny_pipeline.annotator)
    assert np.array_equal(result[~hidden], photo[~hidden])
    assert (result[hidden] != photo[hidden]).any()


def test_other_networks_are_measured_in_the_same_run(shards, tiny_pipeline, tmp_path):
    """The same networks saved again have the same figures, others have not; and every row has all its parts."""
    tiny_pipeline.base_unet.save_pretrained(tmp_path / "same" / "base" / "ema")
    torch.manual_seed(1)
    for size in (128, 256):
        stage = {128: "base", 256: "sr256"}[size]
        make_model(stage, f"tiny-{size}-warp-then-blend").save_pretrained(tmp_path / "two" / stage / "ema")
    also = {name: Cascade(with_networks(tiny_pipeline, tmp_path / name)) for name in ("same", "two")}
    dataset = PairDataset(shards, 256, augment=False)
    figures, _ = evaluate(Cascade(tiny_pipeline), dataset, 4, also=also, shift_pairs=1, stage="base")
    rows = figures["methods"]
    assert rows["same"] == rows["ours"]
    assert rows["two"]["garment_ciede2000"] != rows["ours"]["garment_ciede2000"]
    assert set(rows["two"]) == set(rows["ours"]) >= {"kid", "kid_ci95"}
    assert figures["ours_better_by"]["same"]["garment_ciede2000"] == 0
    assert figures["colour_shift_1024_ciede2000"]["pairs"] == 1
    with pytest.raises(ValueError, match="no trained network"):
        with_networks(tiny_pipeline, tmp_path)


def test_the_kernel_distance_is_unbiased_and_knows_other_pictures():
    """0 on average for sets of one kind, however small, even if the i-th of both is the same; above 0 for others."""
    rng = np.random.default_rng(0)
    same, paired, other = [], [], []
    for _ in range(200):
        truth = rng.normal(size=(12, 8))
        same.append(kernel_distance(rng.normal(size=(12, 8)), truth)[0])
        paired.append(kernel_distance(truth, truth)[0])
        other.append(kernel_distance(rng.normal(1.0, 1.0, (12, 8)), truth)[0])
    scale = np.mean(other)
    assert abs(np.mean(same)) < 0.1 * scale
    assert np.max(np.abs(paired)) < 1e-9
    assert min(other) > 0
    truth = rng.normal(size=(400, 8))
    distance, half = kernel_distance(truth + rng.normal(0.2, 0.1, truth.shape), truth)
    assert 0 < half < distance


def test_confidence_interval_of_a_known_sample():
    mean, half = confidence_interval(np.array([1.0, 3.0] * 50))
    assert mean == 2
    assert half == pytest.approx(1.96 * 1.005038 / 10, rel=1e-4)


def test_baselines_fill_the_hidden_region_and_nothing_else(shards):
    dataset = PairDataset(shards, 128, augment=False)
    for i in range(len(dataset)):
        sample = dataset[i]
        given = (sample["agnostic"], sample["hidden"], sample["garment"])
        poses = (sample["person_pose"], sample["garment_pose"])
        for filled in (mean_colour(*given), pasted_by_torso(*given, *poses), warped_by_spline(*given, *poses)):
            assert np.array_equal(filled[~sample["hidden"]], sample["agnostic"][~sample["hidden"]])
            assert (filled[sample["hidden"]] != 127).any()


def test_the_structure_loss_is_structural_similarity():
    rng = np.random.default_rng(0)
    truth = cv2.GaussianBlur(rng.random((97, 97)), (0, 0), 2)
    image = np.clip(truth + rng.normal(0, 0.02, truth.shape), 0, 1)
    tensors = [torch.from_numpy(2 * x - 1).float()[None, None].expand(1, 3, -1, -1) for x in (image, truth)]
    expected = structural_similarity(image, truth, data_range=1.0, use_sample_covariance=False, full=True)[1]
    ours = ssim_map(*tensors)[0, 0].numpy()
    np.testing.assert_allclose(ours, expected[3:-3:2, 3:-3:2], atol=1e-3)


def test_training_needs_no_more_than_its_packages(shards, tmp_path):
    """Neither the app's packages nor the evaluation's, as on a bare machine with a GPU; nor TensorBoard."""
    absent = ["gradio", "spaces", "skimage", "tensorboard", "torchvision", "transformers", "matplotlib", "onnxruntime"]
    absent += ["controlnet_aux", "mcp", "fastapi", "pandas", "peft", "sklearn", "pillow_heif"]
    program = f"""
import runpy, sys
sys.modules |= dict.fromkeys({absent})
import tryon.synthetic.render, tryon.training.assemble, tryon.training.import_folder, tryon.training.train_annotator
sys.argv[1:] = {["--stage", "base", "--preset", "tiny-128", "--data", str(shards), "--out", str(tmp_path)]}
sys.argv += ["--batch-size", "2", "--pictures", "2", "--workers", "0"]
runpy.run_module("tryon.training.train", run_name="__main__")
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])
    assert json.loads((tmp_path / "log.jsonl").read_text())["seen"] == 2
    assert (tmp_path / "ema" / "config.json").exists()


def test_no_file_of_a_run_is_too_large_to_send(shards, tmp_path):
    """The state of the small network is over 90 MB; in pieces of at most 10 each, and the newest replaces the older."""
    options = parse_arguments([
        "--stage", "position", "--preset", "small-128", "--data", str(shards), "--out", str(tmp_path),
        "--batch-size", "2", "--workers", "0", "--pictures", "4", "--interval", "2",
    ])  # fmt: skip
    train(options)
    sizes = {file: file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()}
    assert max(sizes.values()) < 10e6
    assert sum(size for file, size in sizes.items() if file.parent.name.startswith("state-")) > 50e6
    assert [folder.name for folder in tmp_path.glob("state-*")] == ["state-000000000004"]
