"""Noise, guidance, hand-off; and that the samplers return the distribution that a perfect denoiser knows."""

import pytest
import torch
from diffusers.schedulers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from tryon.conditions import Conditions
from tryon.diffusion import augment, drop_jointly, guide, make_scheduler, threshold, upsample

MEAN, STD = 0.3, 0.2


def conditions(n: int) -> Conditions:
    """Conditions without a single zero."""
    return Conditions(
        *(torch.rand(n, 3, 8, 8) + 0.1 for _ in range(2)), *(torch.rand(n, 18, 3) + 0.1 for _ in range(2))
    )


def test_augmentation_keeps_the_variance_and_spans_picture_to_noise():
    generator = torch.Generator().manual_seed(0)
    image, noise = torch.randn(2, 4, 3, 64, 64, generator=generator)
    level = torch.tensor([0.0, 0.3, 0.7, 1.0])
    out = augment(image, level, noise)
    assert torch.equal(out[0], image[0])
    torch.testing.assert_close(out[3], noise[3], atol=1e-6, rtol=0)
    assert all(abs(o.std() - 1) < 0.02 for o in out)


def test_guidance_of_one_is_the_conditional_prediction():
    unconditional, conditional = torch.randn(2, 1, 3, 4, 4)
    assert torch.equal(guide(unconditional, conditional, 1.0), conditional)
    torch.testing.assert_close(guide(unconditional, conditional, 2.0), 2 * conditional - unconditional)


def test_conditions_are_dropped_together():
    dropped, keep = drop_jointly(conditions(2000), 0.1, torch.Generator().manual_seed(0))
    assert 0.07 < 1 - keep.float().mean() < 0.13
    for value in (dropped.agnostic, dropped.garment, dropped.person_pose, dropped.garment_pose):
        alive = value.flatten(1).ne(0).all(1)
        assert torch.equal(alive, keep)
        assert not value[~keep].any()


@pytest.mark.parametrize("size", [256, 1024])
def test_hand_off_keeps_range_and_colour(size: int):
    image = torch.linspace(-1.5, 1.5, 128).expand(1, 3, 128, 128)
    up = upsample(image, size)
    assert up.shape == (1, 3, size, size)
    assert up.min() == -1
    assert up.max() == 1
    assert abs(up.mean() - image.clamp(-1, 1).mean()) < 1e-3


def test_thresholds():
    sample = torch.tensor([-3.0, 0.5, 2.0]).view(1, 3, 1, 1)
    assert torch.equal(threshold(sample).flatten(), torch.tensor([-1.0, 0.5, 1.0]))
    dynamic = threshold(sample, percentile=0.999)
    assert dynamic.abs().max() <= 1
    assert 0 < dynamic[0, 1] < 0.5
    inside = torch.rand(1, 3, 8, 8) - 0.5
    assert torch.equal(threshold(inside, percentile=0.995), inside)


@pytest.mark.parametrize("kind", [DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler])
def test_samplers_return_the_gaussian_that_the_perfect_denoiser_knows(kind: type):
    """Of N(0.3, 0.2^2) the best guess of x0 given z_t is known in closed form."""
    scheduler = kind.from_config(make_scheduler().config, clip_sample=False)
    scheduler.set_timesteps(100)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(50_000, 1, 1, 1, generator=generator)
    alphas = make_scheduler().alphas_cumprod
    for step in scheduler.timesteps:
        a2 = alphas[int(step)]
        a, s2 = a2.sqrt(), 1 - a2
        x0 = (MEAN * s2 + a * STD**2 * z) / (s2 + a2 * STD**2)
        extra = {"generator": generator} if kind is DDPMScheduler else {}
        z = scheduler.step(x0, step, z, return_dict=False, **extra)[0]
    assert abs(z.mean() - MEAN) < 0.01
    assert abs(z.std() / STD - 1) < 0.1


def test_conditions_refuse_shapes_that_do_not_fit():
    good = conditions(2)
    with pytest.raises(ValueError, match="garment_pose"):
        Conditions(good.agnostic, good.garment, good.person_pose, good.garment_pose[:, :17])
    with pytest.raises(ValueError, match="garment"):
        Conditions(good.agnostic, good.garment[:1], good.person_pose, good.garment_pose)


def test_a_smaller_picture_hides_all_that_was_hidden():
    given = conditions(1)
    given.agnostic[:, :, 2:5, 3:6] = 0
    small = given.resize(4)
    hidden = (small.agnostic == 0).all(1)[0]
    for row in range(2, 5):
        for column in range(3, 6):
            assert hidden[row // 2, column // 2]
    assert not hidden[:, 0].any()  # the filter reaches no further than two source pixels
