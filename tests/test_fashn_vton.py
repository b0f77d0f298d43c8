"""FASHN VTON v1.5: the network agrees with the published checkpoint, with its formulas, and with itself."""

import math
from pathlib import Path

import pytest
import torch

from tryon.models.fashn_vton import PRESETS, FashnVTON, TimeEmbedding, attend, rotation_table

FACTS = Path(__file__).parent / "fashn_vton_v1.5.txt"
CONDITIONS = ("ca_images", "person_poses", "garment_images", "garment_poses")


@pytest.fixture(scope="module")
def network() -> FashnVTON:
    """Random weights at the tiny preset."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FashnVTON(**PRESETS["tiny"]).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
    return network


@pytest.fixture
def inputs(network: FashnVTON) -> dict[str, torch.Tensor]:
    """Arguments of `forward` for two pictures."""
    generator = torch.Generator().manual_seed(1)
    height, width = network.config.input_shape

    def picture(channels: int) -> torch.Tensor:
        return torch.rand(2, channels, height, width, generator=generator) * 2 - 1

    return {
        "x": torch.randn(2, 3, height, width, generator=generator),
        "t": torch.tensor([0.2, 0.9]),
        "ca_images": picture(3),
        "person_poses": picture(1),
        "garment_images": picture(3),
        "garment_poses": picture(1),
        "garment_categories": torch.tensor([1, 3]),
    }


def published() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the published file."""
    tensors = {}
    for line in FACTS.read_text().splitlines()[1:]:
        name, shape, *count = line.split()
        for block in range(int(*count)) if count else (0,):
            tensors[name.replace("*", str(block))] = tuple(map(int, shape.split("x")))
    return tensors


def test_the_published_checkpoint_fits_strictly():
    with torch.device("meta"):
        network = FashnVTON()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published()
    assert len(published()) == 366
    assert sum(parameter.numel() for parameter in network.parameters()) == 971_813_808


@torch.inference_mode()
def test_guidance_in_one_batch_is_two_passes(network: FashnVTON, inputs: dict):
    doubled = {name: value.repeat(2, *[1] * (value.ndim - 1)) for name, value in inputs.items()}
    keep = torch.tensor([True, True, False, False])
    conditional, null = network(**doubled, keep_mask=keep).chunk(2)
    torch.testing.assert_close(conditional, network(**inputs), atol=1e-5, rtol=0)
    torch.testing.assert_close(null, network(**inputs, keep_mask=~keep[:2]), atol=1e-5, rtol=0)
    assert (conditional - null).abs().mean() > 0.01


@torch.inference_mode()
def test_a_dropped_sample_is_grey_and_without_category(network: FashnVTON, inputs: dict):
    grey = {name: torch.zeros_like(inputs[name]) for name in CONDITIONS}
    null = {**inputs, **grey, "garment_categories": torch.tensor([0, 0])}
    assert torch.equal(network(**inputs, keep_mask=torch.tensor([False, False])), network(**null))


@torch.inference_mode()
@pytest.mark.parametrize("name", ["x", "t", *CONDITIONS, "garment_categories"])
def test_every_input_matters_to_its_own_sample_only(network: FashnVTON, inputs: dict, name: str):
    before = network(**inputs)
    changed = inputs[name].clone()
    changed[0] = 2 if name == "garment_categories" else changed[0] * 0.5
    after = network(**{**inputs, name: changed})
    assert (after[0] - before[0]).abs().max() > 1e-4
    torch.testing.assert_close(after[1], before[1], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_conditions_encoded_once_give_the_same_bits(network: FashnVTON, inputs: dict):
    conditions = network.encode(*(inputs[name] for name in (*CONDITIONS, "garment_categories")))
    for t in (0.1, 0.7):
        time = torch.full((2,), t)
        expected = network(**{**inputs, "t": time})
        assert torch.equal(network.denoise(inputs["x"], time, conditions), expected)


@torch.inference_mode()
def test_the_buffer_of_the_file_is_not_read(network: FashnVTON, inputs: dict):
    before = network(**inputs)
    network.patch_mixer_token.fill_(5)
    assert torch.equal(network(**inputs), before)
    network.patch_mixer_token.zero_()


@torch.inference_mode()
def test_other_sizes_than_the_trained_one_keep_their_grid(network: FashnVTON, inputs: dict):
    """64 x 96 has as many patches as 96 x 64; a grid taken from the configuration would scramble the picture."""
    names = ("x", *CONDITIONS)
    turned = {**inputs, **{name: inputs[name].transpose(2, 3).contiguous() for name in names}}
    assert network(**turned).shape == (2, 3, 64, 96)


@torch.inference_mode()
def test_the_last_layer_paints_colour_by_colour_row_by_row(inputs: dict):
    network = FashnVTON(**PRESETS["tiny"]).eval()
    torch.nn.init.zeros_(network.final_layer.linear.weight)
    network.final_layer.linear.bias.copy_(torch.arange(192))
    patch = network(**inputs)[0, :, 8:16, 16:24]
    assert torch.equal(patch, torch.arange(192.0).reshape(3, 8, 8))


def test_time_becomes_cosines_then_sines():
    embedding = TimeEmbedding(256)
    torch.nn.init.eye_(embedding.mlp.in_layer.weight)
    torch.nn.init.zeros_(embedding.mlp.in_layer.bias)
    seen = []
    embedding.mlp.in_layer.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    embedding(torch.tensor([0.25]))
    (code,) = seen
    for j in (0, 1, 64, 127):
        angle = 250 * math.exp(-math.log(10000) * j / 128)
        assert code[0, j].item() == pytest.approx(math.cos(angle), abs=2e-5)
        assert code[0, 128 + j].item() == pytest.approx(math.sin(angle), abs=2e-5)


def test_positions_turn_pairs_of_channels_by_row_and_column():
    cosine, sine = rotation_table(3, 5, (4, 6, 6), 10000.0)
    assert cosine.shape == (15, 8)
    assert torch.equal(cosine[:, :2], torch.ones(15, 2))  # the first axis is 0 everywhere
    token = 2 * 5 + 4
    for pair, angle in ((2, 2.0), (3, 2 * 10000 ** (-2 / 6)), (5, 4.0), (7, 4 * 10000 ** (-4 / 6))):
        assert cosine[token, pair].item() == pytest.approx(math.cos(angle), abs=1e-6)
        assert sine[token, pair].item() == pytest.approx(math.sin(angle), abs=1e-6)


def test_attention_sees_only_differences_of_positions():
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 9, 16, generator=generator)
    cosine, sine = rotation_table(6, 6, (4, 6, 6), 10000.0)
    here = torch.tensor([row * 6 + column for row in range(3) for column in range(3)])
    there = here + 2 * 6 + 3
    first, second = (attend(query, key, value, (cosine[at], sine[at])) for at in (here, there))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)
    still = attend(query, key, value, (torch.ones(9, 8), torch.zeros(9, 8)))
    assert (first - still).abs().max() > 0.01


@pytest.mark.parametrize("wrong", [{"guidance_embed": True}, {"axes_dim": (8, 8, 16)}, {"patch_size": 5}])
def test_settings_that_do_not_fit_are_refused(wrong: dict):
    with pytest.raises(ValueError, match="must"):
        FashnVTON(**{**PRESETS["tiny"], **wrong})


def test_a_saved_network_is_the_same(network: FashnVTON, inputs: dict, tmp_path: Path):
    network.save_pretrained(tmp_path)
    loaded = FashnVTON.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(loaded(**inputs), network(**inputs))
