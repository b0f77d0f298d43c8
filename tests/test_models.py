"""The networks: sizes of the paper, what depends on what, and that everything is trained."""

import pytest
import torch

from tryon.models.body_coordinates import body_coordinates
from tryon.models.efficient_unet import PRESETS as EFFICIENT
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import PRESETS, ParallelUNet
from tryon.models.warp_then_blend import PRESETS as TWO_PART
from tryon.models.warp_then_blend import WarpThenBlend, load_parallel_network

TINY = ("tiny-128", "tiny-256", "tiny-paper-128")
ABLATIONS = ("tiny-128-concat", "tiny-256-concat", "tiny-128-warp-then-blend", "tiny-256-warp-then-blend")


def network(name: str) -> ParallelUNet | WarpThenBlend:
    return ParallelUNet(**PRESETS[name]) if name in PRESETS else WarpThenBlend(**TWO_PART[name])


def standing_pose(n: int, shift: float = 0.0) -> torch.Tensor:
    """(n, 18, 3), a plain standing figure moved right by `shift`."""
    points = [
        (0.50, 0.12), (0.50, 0.22), (0.42, 0.22), (0.38, 0.34), (0.36, 0.46), (0.58, 0.22), (0.62, 0.34),
        (0.64, 0.46), (0.46, 0.48), (0.46, 0.68), (0.46, 0.88), (0.54, 0.48), (0.54, 0.68), (0.54, 0.88),
        (0.48, 0.10), (0.52, 0.10), (0.46, 0.11), (0.54, 0.11),
    ]  # fmt: skip
    pose = torch.tensor([(x + shift, y, 1.0) for x, y in points])
    return pose.expand(n, -1, -1).clone()


def inputs(unet: ParallelUNet | WarpThenBlend, n: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs of a network, poses plausible."""
    generator = torch.Generator().manual_seed(seed)
    size = unet.config.sample_size
    pictures = {
        name: torch.rand(n, 3, size, size, generator=generator) * 2 - 1
        for name in ("sample", "agnostic", "garment", *(["low_res"] if unet.config.low_res else []))
    }
    return {
        **pictures,
        "timestep": torch.rand(n, generator=generator),
        "person_pose": standing_pose(n, 0.05),
        "garment_pose": standing_pose(n),
        "conditioning_noise": torch.rand(n, 3 if unet.config.low_res else 2, generator=generator),
    }


def awake(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Zero-initialised layers perturbed, as after some training; at the start they hide what depends on what."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


@pytest.mark.parametrize(("name", "billions"), [("paper-128", 1.13), ("paper-256", 1.06)])
def test_paper_presets_have_the_papers_parameter_counts(name: str, billions: float):
    with torch.device("meta"):
        unet = ParallelUNet(**PRESETS[name])
    assert round(sum(p.numel() for p in unet.parameters()) / 1e9, 2) == billions


def test_the_shipped_networks_fit_their_budget():
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in model.parameters())
            for model in (
                ParallelUNet(**PRESETS["small-128"]),
                ParallelUNet(**PRESETS["small-256"]),
                EfficientUNet(**EFFICIENT["small-1024"]),
            )
        ]
    assert 2 * sum(sizes) < 28.4e6  # bytes in bf16; what is left of 32 MiB is the annotator


@pytest.mark.parametrize("name", TINY + ABLATIONS)
def test_every_parameter_is_trained(name: str):
    unet = awake(network(name))
    out = unet(**inputs(unet))
    loss = out.sample.square().mean()
    if out.position is not None:
        loss = loss + out.position.square().mean() + out.coarse_position.square().mean()
    if out.warped is not None:
        loss = loss + out.warped.square().mean()
    loss.backward()
    assert [k for k, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", TINY + ABLATIONS)
def test_saving_keeps_every_bit(name: str, tmp_path):
    unet = awake(network(name))
    unet.save_pretrained(tmp_path)
    loaded = load_parallel_network(tmp_path)
    with torch.inference_mode():
        assert torch.equal(unet(**inputs(unet)).sample, loaded(**inputs(unet)).sample)


@pytest.mark.parametrize("name", ["tiny-128", "tiny-256", "tiny-256-concat", "tiny-256-warp-then-blend"])
@torch.inference_mode()
def test_cached_garment_gives_the_uncached_result(name: str):
    unet = awake(network(name))
    given = inputs(unet)
    features = unet.encode_garment(
        given["agnostic"],
        given["garment"],
        given["person_pose"],
        given["garment_pose"],
        given["conditioning_noise"],
    )
    for time in (0.1, 0.9):
        given["timestep"] = torch.full((2,), time)
        cached = unet(**given, garment_features=features).sample
        torch.testing.assert_close(cached, unet(**given).sample, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_in_the_paper_the_garment_side_sees_the_time_and_in_the_small_one_it_does_not():
    for name, depends in (("tiny-paper-128", True), ("tiny-128", False)):
        unet = awake(ParallelUNet(**PRESETS[name]))
        given = inputs(unet)
        names = ("agnostic", "garment", "person_pose", "garment_pose", "conditioning_noise")
        args = [given[k] for k in names]
        early = torch.full((2,), 0.1) if depends else None
        late = torch.full((2,), 0.9) if depends else None
        keys = [unet.encode_garment(*args, time).keys_values[0][0] for time in (early, late)]
        assert torch.equal(*keys) is not depends


@pytest.mark.parametrize("name", TINY + ABLATIONS)
@pytest.mark.parametrize("changed", ["agnostic", "garment", "person_pose", "garment_pose", "timestep"])
@torch.inference_mode()
def test_every_condition_matters(name: str, changed: str):
    unet = awake(network(name))
    given = inputs(unet)
    before = unet(**given).sample
    given[changed] = given[changed].flip(-1) if given[changed].ndim > 1 else 1 - given[changed]
    assert not torch.allclose(before, unet(**given).sample, atol=1e-4)


@pytest.mark.parametrize("size", [128, 256])
def test_ablations_have_the_budget_of_the_full_network(size: int):
    with torch.device("meta"):
        names = (f"small-{size}", f"small-{size}-concat", f"small-{size}-warp-then-blend")
        full, *others = (sum(p.numel() for p in network(name).parameters()) for name in names)
    assert others == pytest.approx([full, full], rel=0.03)


def test_nothing_but_the_warped_picture_passes_from_warping_to_blending():
    """Not even a gradient; and where it is the same, so is the result."""
    unet = awake(network("tiny-128-warp-then-blend"))
    given = inputs(unet)
    unet(**given).sample.square().mean().backward()
    assert all(p.grad is None for p in unet.warper.parameters())
    assert any(p.grad is not None and p.grad.any() for p in unet.blender.parameters())
    with torch.inference_mode():
        said = unet(**given)
        other = {**given, "garment": given["garment"].flip(0), "garment_pose": given["garment_pose"].flip(1)}
        names = ("agnostic", "garment", "person_pose", "garment_pose", "conditioning_noise")
        features = unet.encode_garment(*(given[k] for k in names))
        assert torch.equal(unet(**other, garment_features=features).sample, said.sample)


def test_concatenation_and_looking_up_exclude_each_other():
    with pytest.raises(ValueError, match="concat"):
        ParallelUNet(**{**PRESETS["tiny-128"], "fusion": "concat"})
    with pytest.raises(ValueError, match="cross_attention"):
        ParallelUNet(**{**PRESETS["tiny-128"], "fusion": "sum"})


@torch.inference_mode()
def test_pictures_of_a_batch_do_not_mix():
    unet = awake(ParallelUNet(**PRESETS["tiny-128"]))
    given = inputs(unet)
    both = unet(**given).sample
    alone = unet(**{k: v[1:] for k, v in given.items()}).sample
    # Looked-up positions of random weights turn rounding into visible, still tiny, differences.
    torch.testing.assert_close(both[1:], alone, atol=1e-3, rtol=1e-3)


@torch.inference_mode()
def test_an_untrained_locator_already_finds_the_same_place_of_the_body():
    """The garment is 0.2 to the left of the person: looked-up positions must be, on the chest, about that far left."""
    torch.manual_seed(0)
    unet = ParallelUNet(**PRESETS["small-128"]).eval()
    given = inputs(unet, 1)
    given["person_pose"], given["garment_pose"] = standing_pose(1, 0.2), standing_pose(1)
    position = unet(**given).coarse_position[0]
    row, column = int(0.33 * 32), int(0.70 * 32)  # middle of the person's chest
    chest = position[:, row, column]
    assert abs(chest[0] - 0.50) < 0.08
    assert abs(chest[1] - 0.33) < 0.08


def test_body_coordinates_move_with_the_body():
    here, there = body_coordinates(standing_pose(1), 32), body_coordinates(standing_pose(1, 8 / 32), 32)
    torch.testing.assert_close(here[..., :-8], there[..., 8:], atol=1e-4, rtol=1e-4)


def test_body_coordinates_of_nobody_are_zero():
    assert not body_coordinates(torch.zeros(1, 18, 3), 16).any()


def test_body_coordinates_tell_places_apart():
    code = body_coordinates(standing_pose(1), 32)[0].flatten(1)  # (C, HW)
    chest, wrist = (11 * 32 + 16), (14 * 32 + 11)
    similarity = code.T @ code
    assert similarity[chest].argmax() == chest
    assert similarity[wrist, wrist] > 2 * similarity[wrist, chest].abs()


@torch.inference_mode()
def test_efficient_unet_starts_as_plain_enlargement():
    unet = EfficientUNet(**EFFICIENT["tiny-1024"]).eval()
    low_res = torch.rand(1, 3, 64, 64) * 2 - 1
    out = unet(torch.randn(1, 3, 64, 64), torch.ones(1), low_res, torch.zeros(1)).sample
    assert torch.equal(out, low_res)


@torch.inference_mode()
def test_efficient_unet_sees_only_the_surroundings():
    """So that tiles can be put together without seams."""
    unet = awake(EfficientUNet(**EFFICIENT["small-1024"]))
    generator = torch.Generator().manual_seed(0)
    sample, low_res = torch.randn(2, 1, 3, 192, 192, generator=generator)
    whole = unet(sample, torch.ones(1), low_res, torch.zeros(1)).sample
    low_res = low_res.clone()
    low_res[..., :32] = 0
    other = unet(sample, torch.ones(1), low_res, torch.zeros(1)).sample
    assert not torch.allclose(whole[..., :32], other[..., :32], atol=1e-3)
    torch.testing.assert_close(whole[..., 160:], other[..., 160:], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_paper_efficient_unet_keeps_the_size():
    small = {**EFFICIENT["paper-1024"], "block_out_channels": (8, 8, 8, 8), "layers_per_block": (1, 1, 1, 1)}
    unet = awake(EfficientUNet(**small))
    x = torch.randn(1, 3, 64, 96)
    assert unet(x, torch.ones(1), x, torch.zeros(1)).sample.shape == x.shape
