"""Parts of the body surface: parsing labels, joints, and groups of vertices with a purpose."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tryon.preprocessing.parsing import LABEL
from tryon.synthetic.asset import load_body
from tryon.synthetic.mesh import compact, neighbour_mean, split_quads
from tryon.synthetic.pose import Skeleton
from tryon.synthetic.simplify import simplify

_SMOOTH = 1.8  # how much longer than on head and hands edges may be elsewhere
_INTRICATE = ("face", "left_hand", "right_hand")
_NOSE_TIP = 297  # vertex of the base mesh
_INSTEP = 1.0  # dm, z on the unmorphed body
_CHIN_HEIGHT = 6.55  # dm on the unmorphed body
_LIMBS = (
    ("head",),
    ("neck",),
    ("upperarm", "lowerarm"),
    ("hand", "index", "middle", "ring", "pinky", "thumb"),
    ("thigh", "calf"),
    ("foot", "ball"),
    ("spine", "clavicle", "pelvis", "Root"),
)
_LIMB_LABELS = (  # right and left of each of _LIMBS
    ("face", "face"),
    ("torso_skin", "torso_skin"),
    ("right_arm", "left_arm"),
    ("right_hand", "left_hand"),
    ("right_leg", "left_leg"),
    ("right_shoe", "left_shoe"),
    ("torso_skin", "torso_skin"),
)


class Submesh(NamedTuple):
    """Part of the body: vertex indices into the asset, and triangles into these."""

    vertices: np.ndarray
    triangles: np.ndarray


@cache
def skin_labels() -> np.ndarray:
    """(T,) uint8: parsing label of every triangle of the bare body."""
    body = load_body()
    weight = np.stack([body.weight_of(limb) for limb in _LIMBS], 1)
    weight[:, 1] += weight[:, 6] * (body.vertices[:, 1] > 5.55)  # the collar belongs to the neck
    limb = np.argmax(weight, 1)
    votes = np.stack([(limb[body.triangles] == k).sum(1) for k in range(len(_LIMBS))], 1)
    limb = np.argmax(votes, 1)
    centre = body.vertices[body.triangles].mean(1)
    below_jaw = (centre[:, 1] < _CHIN_HEIGHT - 0.25 * (centre[:, 2] - 0.9)) & (centre[:, 2] < 1.3)
    limb[(limb == 0) & below_jaw & (centre[:, 1] < 6.75)] = 1
    table = np.array([[LABEL[name] for name in pair] for pair in _LIMB_LABELS], np.uint8)
    return table[limb, (centre[:, 0] > 0).astype(int)]


@cache
def eyes() -> Submesh:
    """Both eyeballs."""
    triangles, vertices = compact(split_quads(load_body().quads["eyes"]))
    return Submesh(vertices, triangles)


@cache
def feet() -> Submesh:
    """Both feet below the ankle: the last that shoes are built on."""
    body = load_body()
    foot = body.weight_of(("foot", "ball"))
    triangles = body.triangles
    low = (body.vertices[triangles][:, :, 1] < -7.25).all(1)
    faces, vertices = compact(triangles[(foot[triangles] > 0.45).all(1) & low])
    return Submesh(vertices, faces)


class SkinMesh(NamedTuple):
    """The body's skin as it is drawn: without the front of the feet, which is always in shoes.

    Attributes:
        vertices: (n,) indices into the asset.
        triangles: (T, 3) int32 into these.
        labels: (T,) uint8 parsing labels.
        corner_uv: (T, 3, 2) float32 texture coordinates.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    labels: np.ndarray
    corner_uv: np.ndarray


@cache
def bare_skin(detail: float) -> SkinMesh:
    """The skin without edges of head and hands shorter than `detail` dm (others may be longer); 0 keeps all."""
    body = load_body()
    _, y, z = np.moveaxis(body.vertices[body.triangles], 2, 0)
    bare = np.flatnonzero(~((y < -7) & (z > _INSTEP)).all(1))
    triangles, labels, uv = body.triangles[bare], skin_labels()[bare], body.body_corner_uv[bare]
    if detail > 0:
        length = np.full(len(body.vertices), _SMOOTH * detail)
        length[triangles[np.isin(labels, [LABEL[name] for name in _INTRICATE])]] = detail
        seams = np.zeros(len(body.vertices), bool)
        seams[triangles[(np.abs(uv - body.vertex_uv[triangles]) > 1e-6).any(2)]] = True
        triangles, source = simplify(body.vertices, triangles, labels, length, seams)
        labels, uv = labels[source], _corner_uv(triangles, source, seams, (body.triangles[bare], uv))
    triangles, vertices = compact(triangles)
    return SkinMesh(vertices, triangles, labels, uv)


@cache
def coverable(detail: float) -> np.ndarray:
    """Indices of the vertices of `bare_skin` that clothes may cover."""
    return np.intersect1d(load_body().collision_vertices, bare_skin(detail).vertices)


def _corner_uv(
    triangles: np.ndarray, source: np.ndarray, seams: np.ndarray, before: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """(T, 3, 2) texture coordinates of simplified triangles; on seams those on the triangle's side."""
    old, old_uv = before
    uv = load_body().vertex_uv[triangles]
    for t, k in np.argwhere(seams[triangles]):
        choices = old_uv[old == triangles[t, k]]
        uv[t, k] = choices[np.argmin(((choices - old_uv[source[t]].mean(0)) ** 2).sum(1))]
    return uv


@cache
def ear_tips() -> tuple[int, int]:
    """The outermost vertices at ear height, left and right."""
    body = load_body()
    index = body.body_vertices
    height = body.vertices[index, 1]
    index = index[(height > 6.9) & (height < 7.4)]
    x = body.vertices[index, 0]
    return int(index[np.argmax(x)]), int(index[np.argmin(x)])


@cache
def ear_mask() -> np.ndarray:
    """(V,) bool: vertices of the ears, where no hair grows."""
    body = load_body()
    mask = body.masks["ears"]
    height, width = mask.shape
    row = np.clip(((1 - body.vertex_uv[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip((body.vertex_uv[:, 0] * width).astype(int), 0, width - 1)
    painted = mask[row, column] / 255.0 > 0.5
    painted &= np.isin(np.arange(len(body.vertices)), body.body_vertices)
    x, y, z = np.abs(body.vertices[:, 0]), body.vertices[:, 1], body.vertices[:, 2]
    return painted | ((x > 0.745) & (y > 6.7) & (y < 7.4) & (z > -0.3) & (z < 0.7))


@cache
def _chest() -> tuple[np.ndarray, sparse.csr_matrix]:
    """Vertices of the chest and the mean of their neighbours."""
    body = load_body()
    x, y, z = body.vertices.T
    index = body.body_vertices
    inside = (y > 1) & (y < 4.6) & (np.abs(x) < 1.7) & (z > 0.2)
    index = index[inside[index]]
    mean = neighbour_mean(body.triangles, len(body.vertices))
    return index, mean[index].astype(np.float32)


def smooth_chest(posed: np.ndarray) -> np.ndarray:
    """(V, 3): the body with the details of the chest averaged away, as cloth should see it."""
    index, mean = _chest()
    smooth = posed.copy()
    for _ in range(30):
        smooth[index] = 0.5 * smooth[index] + 0.5 * (mean @ smooth)
    return smooth


def body_joints(posed: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(18, 3) float, dm: the joints of a posed body in OpenPose-18 order."""
    body = load_body()
    eye = eyes().vertices
    left = body.vertices[eye, 0] > 0
    left_ear, right_ear = ear_tips()

    def limb(side: str, bones: tuple[str, str, str]) -> list[np.ndarray]:
        return [skeleton.joints[body.bone[f"{bone}_{side}"]] for bone in bones]

    arm, leg = ("upperarm", "lowerarm", "hand"), ("thigh", "calf", "foot")
    right_arm, left_arm = limb("r", arm), limb("l", arm)
    joints = [posed[_NOSE_TIP], (right_arm[0] + left_arm[0]) / 2, *right_arm, *left_arm]
    joints += limb("r", leg) + limb("l", leg)
    joints += [posed[eye[~left]].mean(0), posed[eye[left]].mean(0)]
    joints += [posed[right_ear], posed[left_ear]]
    return np.array(joints, float)
