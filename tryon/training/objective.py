"""The losses of all stages."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tryon.diffusion import augment, drop_jointly, make_scheduler, upsample
from tryon.models.parallel_unet import ParallelUNet, ParallelUNetOutput
from tryon.training.data import Batch, CropBatch
from tryon.training.recipes import Recipe

FLOW_WEIGHT = 2.0
OUTLINE_WEIGHT = 0.3
STRUCTURE_WEIGHT = 0.15


class Objective:
    """Loss of one stage on one batch; holds the schedule and the generator of all its draws.

    Args:
        stage: "position", "base", "sr256" or "sr1024".
        recipe: how the stage is trained.
        previous: the network whose results this stage finishes, or None to finish smaller pictures of the truth.
        device: where the batches are.
    """

    def __init__(
        self, stage: str, recipe: Recipe, previous: ParallelUNet | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.stage, self.recipe, self.previous = stage, recipe, previous
        self.scheduler = make_scheduler(recipe.prediction_type)
        self.generator = torch.Generator(device)

    def _random(self, *shape: int) -> torch.Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=self.generator, device=self.generator.device)

    def _noisy(self, clean: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """z_t, t in [0, 1] and what the network has to say."""
        n = len(clean)
        steps = (self._random(n) * 1000).long()
        steps = torch.where(self._random(n) < self.recipe.pure_noise_share, 999, steps)
        noise = self._noise(clean)
        answer = clean if self.recipe.prediction_type == "sample" else noise
        return self.scheduler.add_noise(clean, noise, steps), steps / 1000, answer

    def _augmented(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A conditioning picture with noise, and the level of it."""
        n = len(image)
        level = self._random(n) * self.recipe.max_noise * (self._random(n) < self.recipe.noise_share)
        return augment(image, level, self._noise(image)), level

    def low_res(self, batch: Batch) -> torch.Tensor:
        """What the stage before would hand over: truth made smaller, or its real output for most of the batches."""
        size = batch.target.shape[-1]
        small = F.interpolate(batch.target, scale_factor=0.5, mode="area")
        if self.previous is not None and self._random() < 0.6:
            conditions = batch.conditions.resize(size // 2)
            with torch.no_grad():
                predicted = self.previous(
                    self._noise(small),
                    torch.full((len(small),), 0.999, device=small.device),
                    conditions.agnostic,
                    conditions.garment,
                    conditions.person_pose,
                    conditions.garment_pose,
                    torch.zeros(len(small), 2, device=small.device),
                ).sample.float()
            small = conditions.with_known(predicted)
        return upsample(small, size)

    def __call__(self, model: torch.nn.Module, batch: Batch | CropBatch, seed: int) -> dict[str, torch.Tensor]:
        """Losses by name; `loss` is what is minimised.

        Args:
            model: the network, or the locator of one for the stage "position".
            batch: on the device of the draws.
            seed: of all draws, so that a resumed run repeats an uninterrupted one.
        """
        self.generator.manual_seed(seed)
        if self.stage == "sr1024":
            return self._super_resolution(model, batch)
        if self.stage == "position":
            return self._position(model, batch)
        conditions = batch.conditions
        low_res = None if self.stage == "base" else self.low_res(batch)
        conditions, keep = drop_jointly(conditions, self.recipe.drop_probability, self.generator)
        sample, time_, answer = self._noisy(batch.target)
        agnostic, level_a = self._augmented(conditions.agnostic)
        garment, level_g = self._augmented(conditions.garment)
        levels = [level_a, level_g]
        if low_res is not None:
            low_res, level = self._augmented(low_res * keep.view(-1, 1, 1, 1))
            levels.append(level)
        output: ParallelUNetOutput = model(
            sample,
            time_,
            agnostic,
            garment,
            conditions.person_pose,
            conditions.garment_pose,
            torch.stack(levels, 1),
            low_res=low_res,
        )
        if not self.recipe.weighted:
            return {"loss": F.mse_loss(output.sample.float(), answer)}
        error = (output.sample.float() - answer).abs()
        picture = (error * batch.weight).mean()
        losses = {"picture": picture, "garment": _mean_over(error, batch.garment_mask)}
        similarity = ssim_map(output.sample, answer)
        cloth = F.avg_pool2d(batch.garment_mask, 7, stride=2)
        losses["structure"] = _mean_over(1 - similarity, cloth)
        loss = picture + STRUCTURE_WEIGHT * losses["structure"]
        if output.position is not None:
            losses["flow"] = _flow_error(output.position, batch.flow, keep)
            losses["coarse_flow"] = _flow_error(output.coarse_position, batch.flow, keep)
            loss = loss + FLOW_WEIGHT * (losses["flow"] + 0.5 * losses["coarse_flow"])
            hidden = batch.conditions.hidden & keep.view(-1, 1, 1, 1)
            free = hidden * (1 - batch.garment_mask)
            losses["outline"] = _mean_over(_entropy(output.garment_logit, batch.garment_mask), hidden.float())
            losses["skin"] = _mean_over(_entropy(output.skin_logit, batch.skin_mask), free)
            loss = loss + OUTLINE_WEIGHT * (losses["outline"] + losses["skin"])
        if output.warped is not None:
            # The garment alone, as the target shows it.
            worn = torch.where(batch.garment_mask > 0, batch.target, 1.0)
            losses["warp"] = ((output.warped.float() - worn).abs() * batch.weight).mean()
            likeness = ssim_map(output.warped, worn)
            loss = loss + losses["warp"] + STRUCTURE_WEIGHT * _mean_over(1 - likeness, cloth)
        return {"loss": loss, **losses}

    def _position(self, locator: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """How far from the truth the locator finds the cloth."""
        conditions, keep = drop_jointly(batch.conditions, self.recipe.drop_probability, self.generator)
        agnostic, _ = self._augmented(conditions.agnostic)
        garment, _ = self._augmented(conditions.garment)
        position, _ = locator(agnostic, garment, conditions.person_pose, conditions.garment_pose)
        return {"loss": _flow_error(position, batch.flow, keep)}

    def _super_resolution(self, model: torch.nn.Module, batch: CropBatch) -> dict[str, torch.Tensor]:
        """64 -> 256 crops, as in section 3.3 of the paper; the low-resolution picture is blurred a little at random."""
        n, _, size, _ = batch.target.shape
        small = F.interpolate(batch.target, scale_factor=0.25, mode="area")
        if self._random() < 0.5:
            blurred = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            small = torch.lerp(small, blurred, self._random())
        low_res, level = self._augmented(upsample(small, size))
        keep = self._random(n) >= self.recipe.drop_probability
        low_res = low_res * keep.view(-1, 1, 1, 1)
        sample, time_, answer = self._noisy(batch.target)
        out = model(sample, time_, low_res, level).sample.float()
        if not self.recipe.weighted:
            return {"loss": F.mse_loss(out, answer)}
        loss = (out - answer).abs().mean()
        edges = _gradients(out) - _gradients(answer)
        return {"loss": loss + 0.5 * edges.abs().mean(), "picture": loss}


def ssim_map(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Structural similarity of the grey pictures in 7 x 7 windows (Wang et al. 2004), every second one: CPUs are slow.

    Args:
        image: (N, C, H, W) in [-1, 1].
        truth: (N, C, H, W) in [-1, 1].

    Returns:
        (N, 1, (H - 5) // 2, (W - 5) // 2), at most 1.
    """
    x, y = (p.float().mean(1, keepdim=True) / 2 + 0.5 for p in (image, truth))
    products = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    m1, m2, xx, yy, xy = F.avg_pool2d(products, 7, stride=2).split(1, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * m1 * m2 + c1) / (m1 * m1 + m2 * m2 + c1)
    return luminance * (2 * (xy - m1 * m2) + c2) / ((xx - m1 * m1) + (yy - m2 * m2) + c2)


def _gradients(image: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, 2C, H - 1, W - 1), differences to the right and lower neighbour."""
    right = image[..., :-1, 1:] - image[..., :-1, :-1]
    return torch.cat([right, image[..., 1:, :-1] - image[..., :-1, :-1]], dim=1)


def _entropy(logit: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logit.float(), truth, reduction="none")


def _mean_over(error: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (error * mask).sum() / (mask.sum() * error.shape[1]).clamp(min=1)


def _flow_error(position: torch.Tensor, flow: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Mean distance, in garment pictures, from where the cloth was looked up to where it truly is.

    Cloth that the garment picture does not show counts a fifth: where it would be is known, what it looks like is not.
    """
    side = flow.shape[-1]
    if position.shape[-1] > side:
        position = F.interpolate(position, size=(side, side), mode="area")
    elif position.shape[-1] < side:
        position = F.interpolate(position, size=(side, side), mode="bilinear")
    there = (flow[:, :1] > -0.9).float() * keep.view(-1, 1, 1, 1)
    weight = there * (0.2 + 0.8 * flow[:, 2:])
    distance = (position - flow[:, :2]).abs().sum(1, keepdim=True).clamp(max=0.5)
    return (distance * weight).sum() / weight.sum().clamp(min=1)
