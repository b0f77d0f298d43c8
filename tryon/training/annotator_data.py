"""Pictures to train the annotator on: rendered pairs, changed so much that a photograph is no surprise to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from tryon.preprocessing.annotation import INPUT_SIDE
from tryon.preprocessing.parsing import ARMS, GARMENTS, HANDS, HEAD, LEGS, SHOES, label_mask
from tryon.preprocessing.parsing import MIRRORED as MIRRORED_LABELS
from tryon.preprocessing.pose import mirror_pose
from tryon.training.backgrounds import background, cloudy, cover
from tryon.training.data import find_shards

PHOTO_SHARE = 0.15  # of the stream, where there are photographs
SKIN = ("face", "torso_skin", *ARMS, *HANDS, *LEGS)
WORN = (*(((name,), 0.5) for name in GARMENTS), (SHOES, 0.2), (("hair",), 0.15))
"""Labels, and how often they get another fabric; hair does because hats and scarves count as hair."""


@dataclass
class Shard:
    """One folder of n pairs, memory-mapped: n targets, n garments and, where there are any, n pictures before."""

    images: tuple[np.ndarray, ...]
    parsings: tuple[np.ndarray, ...]
    poses: tuple[np.ndarray, ...]

    @classmethod
    def open(cls, folder: Path) -> "Shard":
        """Map the arrays of a folder; nothing is read yet."""

        def read(*names: str) -> tuple[np.ndarray, ...]:
            return tuple(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names)

        shard = cls(read("image", "garment_image"), read("parsing", "garment_parsing"), read("pose", "garment_pose"))
        if (folder / "before_image.npy").exists():
            shard.images += read("before_image")
            shard.parsings += read("before_parsing")
            shard.poses += shard.poses[:1]  # the person of the target, in the same pose
        return shard

    def __len__(self) -> int:
        return len(self.images) * len(self.images[0])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(H, W, 3) uint8, (H, W) uint8 and (18, 3) float32 of picture `index`."""
        side, row = divmod(index, len(self.images[0]))
        return self.images[side][row], self.parsings[side][row], self.poses[side][row]


def open_shards(folder: Path) -> list[Shard]:
    """The shards in a folder, or the folder itself if it is one.

    Raises:
        ValueError: there is none.
    """
    return [Shard.open(path) for path in find_shards(folder)]


class Augmented(Dataset):
    """An endless stream of changed pictures; item i is always the same, so a run can be stopped and resumed.

    Args:
        shards: rendered pairs to draw from.
        textures: (n, h, w, 3) uint8 photographs of fabric-like things for garments and backgrounds, or None.
        seed: of the stream.
        photos: outlined photographs of garments, the source of `PHOTO_SHARE` of the stream. Their joints are not known:
            every confidence is -1.
        size: side of the pictures in pixels, even.
    """

    def __init__(
        self,
        shards: list[Shard],
        textures: np.ndarray | None,
        seed: int,
        photos: Sequence[Shard] = (),
        size: int = INPUT_SIDE,
    ) -> None:
        self.shards, self.textures, self.seed, self.photos, self.size = shards, textures, seed, photos, size

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(S, S, 3) uint8 RGB, (S / 2, S / 2) uint8 parsing, (18, 3) float32 pose; S is `size`."""
        rng = np.random.default_rng((self.seed, index))
        image, parsing, pose = (np.array(part) for part in self._draw(rng))
        for names, chance in WORN:
            if rng.random() < chance:
                fabric = self._patch(rng, image.shape[0])
                if rng.random() < 0.15:
                    fabric = alike(fabric, image, label_mask(parsing, SKIN), rng)
                image = refabric(image, label_mask(parsing, names), fabric)
        for names in (GARMENTS, SKIN):
            if rng.random() < 0.4:
                image = uneven(image, label_mask(parsing, names), rng)
        if rng.random() < 0.1:
            image = tattooed(image, label_mask(parsing, SKIN[1:]), self._patch(rng, image.shape[0]), rng)
        if rng.random() < 0.5:
            image, parsing, pose = image[:, ::-1], MIRRORED_LABELS[parsing[:, ::-1]], mirror_pose(pose)
        matrix = random_affine(parsing, self.size, rng)
        keep = rng.random() < 0.3
        patch = partial(self._patch, rng, self.size)
        border = rng.choice([255, 127, rng.integers(256)])
        frame = (self.size, self.size)
        canvas = np.full((*frame, 3), border, np.uint8) if keep else background(self.size, patch, rng)
        shown = np.unique(parsing[parsing > 0])
        if not keep and len(shown) and rng.random() < 0.25:
            canvas = alike(canvas, image, parsing == rng.choice(shown), rng)
        alpha = np.ones(parsing.shape, np.float32) if keep else (parsing > 0).astype(np.float32)
        if not keep and rng.random() < 0.07:  # nobody and nothing there
            alpha[:], parsing, pose = 0, np.zeros_like(parsing), np.zeros_like(pose)
        alpha = cv2.warpAffine(alpha, matrix, frame)[..., None]
        image = cv2.warpAffine(np.ascontiguousarray(image), matrix, frame, borderMode=cv2.BORDER_REPLICATE)
        image = (canvas + alpha * (image.astype(np.float32) - canvas)).astype(np.uint8)
        half = np.diag([0.5, 0.5]) @ matrix
        half[:, 2] -= 0.25  # centres of pixels, not corners
        source = parsing.shape[0]
        parsing = cv2.warpAffine(parsing, half, (self.size // 2, self.size // 2), flags=cv2.INTER_NEAREST)
        if rng.random() < 0.15:
            cover(image, parsing, patch, rng)
        return photometric(image, rng), parsing, move_pose(pose, matrix, source, self.size)

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shards = self.photos if self.photos and rng.random() < PHOTO_SHARE else self.shards
        ends = np.cumsum([len(shard) for shard in shards])
        index = int(rng.integers(ends[-1]))
        shard = int(np.searchsorted(ends, index, side="right"))
        return shards[shard][index - int(ends[shard]) + len(shards[shard])]

    def _patch(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A piece of some picture, too close up to tell what it shows, blown up to `size`."""
        if self.textures is not None and rng.random() < 0.7:
            source, widest = self.textures[rng.integers(len(self.textures))], 3
        else:
            source, widest = self._draw(rng)[0], 5
        side = int(rng.integers(source.shape[0] // 10, source.shape[0] // widest))
        top, left = rng.integers(0, source.shape[0] - side, 2)
        return cv2.resize(np.ascontiguousarray(source[top : top + side, left : left + side]), (size, size))


def refabric(image: np.ndarray, mask: np.ndarray, fabric: np.ndarray) -> np.ndarray:
    """Give the masked garment another fabric, keeping its folds.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) bool.
        fabric: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    if mask.sum() < 20:
        return image
    light = image[mask].astype(np.float32).mean(1, keepdims=True)
    shade = np.clip(light / max(float(light.mean()), 20.0), 0.3, 1.6)
    image = image.copy()
    image[mask] = np.clip(fabric[mask] * shade, 0, 255).astype(np.uint8)
    return image


def alike(surface: np.ndarray, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A surface in about the colour of the masked part: white shirts before white walls, collars like the neck.

    Args:
        surface: (h, w, 3) uint8.
        image: (H, W, 3) uint8.
        mask: (H, W) bool.
        rng: source of chance.

    Returns:
        (h, w, 3) uint8; `surface` if nothing is masked.
    """
    if not mask.any():
        return surface
    colour = image[mask].mean(0, dtype=np.float32) + rng.normal(0, 8, 3)
    contrast = rng.uniform(0.1, 1.0)
    return np.clip(colour + contrast * (surface - surface.mean((0, 1), np.float32)), 0, 255).astype(np.uint8)


def uneven(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Folds, stains, freckles, shadows: (H, W, 3) uint8 with the masked part's light and colour made uneven."""
    if not mask.any():
        return image
    change = cloudy(image.shape[:2], rng, rng.uniform(0.3, 1.0)) * rng.uniform(0.03, 0.2)
    change += rng.normal(0, 0.15) + rng.normal(0, 0.05, 3)  # another tone altogether
    image = image.copy()
    image[mask] = np.clip(image[mask] * np.exp(change[mask]), 0, 255).astype(np.uint8)
    return image


def tattooed(image: np.ndarray, mask: np.ndarray, motif: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink in the skin: (H, W, 3) uint8 with the dark lines of a motif, (H, W, 3) uint8, in places of the masked part.

    Prints are cloth, and so is all printed skin to one that has never seen a tattoo.
    """
    grey = cv2.cvtColor(motif, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dark = np.clip((np.quantile(grey, rng.uniform(0.2, 0.6)) - grey) / 12 + 0.5, 0, 1)
    places = np.clip(3 * cloudy(image.shape[:2], rng, 0.6)[..., 0] + rng.uniform(0, 1.5), 0, 1)
    cover = (rng.uniform(0.4, 0.9) * dark * places * mask)[..., None]
    ink = rng.uniform(15, 90) + rng.normal(0, 15, 3)
    return np.clip(image * (1 - cover) + ink * cover, 0, 255).astype(np.uint8)


def random_affine(parsing: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """(2, 3) matrix from source to output pixels: more often a mild change than a strong one."""
    rows, columns = np.nonzero(parsing)
    centre = (columns.mean(), rows.mean()) if len(rows) else (parsing.shape[0] / 2,) * 2
    mild = rng.random() < 0.6
    scale = math.exp(rng.uniform(-0.15, 0.15) if mild else rng.uniform(-0.8, 0.45)) * size / parsing.shape[0]
    matrix = cv2.getRotationMatrix2D(centre, rng.normal(0, 3 if mild else 8), scale)
    if not label_mask(parsing, HEAD).any():
        # real garments come wider and narrower, longer and shorter than rendered ones
        stretch = math.exp(rng.normal(0, 0.15))
        around = np.array(centre)
        matrix[:, 2] += matrix[:, :2] @ (around - around * [stretch, 1 / stretch])
        matrix[:, :2] *= [stretch, 1 / stretch]
    reach = 0.04 if mild else 0.2
    start = np.array(centre) * size / parsing.shape[0] if mild else np.array([size / 2, size / 2])
    matrix[:, 2] += start - centre + rng.uniform(-reach, reach, 2) * size
    return matrix


def move_pose(pose: np.ndarray, matrix: np.ndarray, source: int, size: int) -> np.ndarray:
    """The pose after an affine change of its square picture: joints that leave it are missing, unknown ones stay so.

    Args:
        pose: (18, 3): x, y in [0, 1], confidence.
        matrix: (2, 3), pixels to pixels.
        source: side of the picture before in pixels.
        size: side of the picture after.
    """
    moved = pose.copy()
    moved[:, :2] = ((pose[:, :2] * source - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5) / size
    gone = (pose[:, 2] <= 0) | (moved[:, :2] < 0).any(1) | (moved[:, :2] >= 1).any(1)
    moved[gone] = 0
    moved[pose[:, 2] < 0, 2] = -1
    return moved


def photometric(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light, another camera: (H, W, 3) uint8 -> (H, W, 3) uint8."""
    ramp = np.linspace(0, 1, 256)[:, None]
    gain = math.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.08, 3))
    curve = (ramp ** math.exp(rng.normal(0, 0.25)) - 0.5) * rng.uniform(0.7, 1.3) + 0.5
    table = np.clip(255 * curve * gain, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = 0.0 if rng.random() < 0.1 else rng.uniform(0.4, 1.4)
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    if rng.random() < 0.3:
        coarse = rng.uniform(0.6, 1.2, (3, 3)).astype(np.float32)
        light = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        image = np.clip(image * light[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.25:
        noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(2, 12)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])[1]
        image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return image


def read_textures(folder: Path) -> np.ndarray:
    """(n, 256, 256, 3) uint8 of all pictures in a folder, their middle square."""
    pictures = []
    for path in sorted(folder.glob("*.*g")):  # jpg, jpeg, png
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        side = min(picture.shape[:2])
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        pictures.append(cv2.resize(picture[top : top + side, left : left + side], (256, 256)))
    return np.stack(pictures)
