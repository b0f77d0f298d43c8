"""The mesh everything is cut from: MakeHuman's base body with its morphs, rig and masks.

`assets/body.npz` is CC0 (see `build_assets.py` for its origin). Units are decimetres; y points up,
z towards the viewer and x to the person's own left.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

from tryon.synthetic.mesh import split_quads

ASSET_PATH = Path(__file__).parent / "assets" / "body.npz"
_FINGERS = ("index", "middle", "ring", "pinky", "thumb", "hand")


@dataclass(frozen=True)
class BodyAsset:
    """The unmorphed body and everything that is defined per vertex of it.

    Attributes:
        vertices: (V, 3) float32, dm; body, eyes and the helper meshes garments are cut from.
        bones: names of the B bones, parents before children.
        parents: (B,) int32, index of a bone's parent or -1.
        head_map, tail_map: (B, V) sparse, bone ends as means of vertices.
        targets: morph name -> (V, 3) float16 offsets.
        skin_index, skin_weight: (V, 4) int32 and float32, bones that move a vertex; rows sum to 1.
        quads: mesh name (body, tights, skirt, eyes) -> (F, 4) int32.
        body_corner_uv: (T, 3, 2) float32 in [0, 1], texture coordinates of `triangles`.
        masks: name -> (512, 512) uint8 in texture space.
    """

    vertices: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    head_map: sparse.csr_matrix
    tail_map: sparse.csr_matrix
    targets: dict[str, np.ndarray]
    skin_index: np.ndarray
    skin_weight: np.ndarray
    quads: dict[str, np.ndarray]
    body_corner_uv: np.ndarray
    masks: dict[str, np.ndarray]

    @cached_property
    def bone(self) -> dict[str, int]:
        """Index of a bone by name."""
        return {name: index for index, name in enumerate(self.bones)}

    @cached_property
    def bone_weight(self) -> np.ndarray:
        """(V, B) float32: the skin weights as a dense table."""
        weight = np.zeros((len(self.vertices), len(self.bones)), np.float32)
        np.put_along_axis(weight, self.skin_index, self.skin_weight, 1)
        return weight

    @cached_property
    def triangles(self) -> np.ndarray:
        """(T, 3) int32: the body without eyes and helpers."""
        return split_quads(self.quads["body"])

    @cached_property
    def body_vertices(self) -> np.ndarray:
        """Indices of the vertices used by `triangles`."""
        return np.unique(self.triangles)

    @cached_property
    def rest_joints(self) -> np.ndarray:
        """(B, 3): where the bones of the unmorphed body begin."""
        return np.asarray(self.head_map @ self.vertices)

    @cached_property
    def vertex_uv(self) -> np.ndarray:
        """(V, 2) float32: one texture coordinate per body vertex (seams keep the last corner)."""
        uv = np.zeros((len(self.vertices), 2), np.float32)
        faces = len(self.quads["body"])
        corners = np.concatenate([self.body_corner_uv[:faces], self.body_corner_uv[faces:, 2:3]], axis=1)
        uv[self.quads["body"].ravel()] = corners.reshape(-1, 2)
        return uv

    @cached_property
    def collision_vertices(self) -> np.ndarray:
        """Indices of the vertices cloth may lie on: no hands, nothing above the neck."""
        hand = np.array([any(part in name for part in _FINGERS) for name in self.bones])
        index = self.body_vertices
        keep = (self.bone_weight[index][:, hand].sum(1) < 0.5) & (self.vertices[index, 1] < 6.4)
        return index[keep]

    def weight_of(self, prefixes: tuple[str, ...]) -> np.ndarray:
        """(V,) float32: summed weight of the bones whose names begin with one of `prefixes`."""
        return self.bone_weight[:, [name.startswith(prefixes) for name in self.bones]].sum(1)


def _mean_map(anchors: np.ndarray, vertex_count: int) -> sparse.csr_matrix:
    """Sparse map that averages, per row of `anchors`, the vertices listed there (-1 = none)."""
    rows, columns = np.nonzero(anchors >= 0)
    counts = (anchors >= 0).sum(1)
    data = (1 / counts[rows]).astype(np.float32)
    shape = (len(anchors), vertex_count)
    return sparse.csr_matrix((data, (rows, anchors[rows, columns])), shape)


@cache
def load_body() -> BodyAsset:
    """The body asset, read once per process."""
    with np.load(ASSET_PATH) as data:
        vertices = data["v"].astype(np.float32)
        weight = data["skin_w"].astype(np.float32) / 255
        corner = data["vt"][data["ft_body"].astype(int)].astype(np.float32)
        meshes = ("body", "tights", "skirt", "eyes")
        masks = ("lips", "ears", "fingernails", "eyelids")
        return BodyAsset(
            vertices=vertices,
            bones=tuple(str(name) for name in data["bone_names"]),
            parents=data["bone_parent"].astype(np.int32),
            head_map=_mean_map(data["bone_head"], len(vertices)),
            tail_map=_mean_map(data["bone_tail"], len(vertices)),
            targets=dict(zip(map(str, data["target_names"]), data["targets"], strict=True)),
            skin_index=data["skin_i"].astype(np.int32),
            skin_weight=weight / weight.sum(1, keepdims=True),
            quads={name: data[f"f_{name}"].astype(np.int32) for name in meshes},
            body_corner_uv=np.concatenate([corner[:, [0, 1, 2]], corner[:, [0, 2, 3]]]),
            masks={name: data[f"mask_{name}"] for name in masks},
        )
