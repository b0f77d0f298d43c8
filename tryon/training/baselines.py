"""What a try-on must beat: simple ways to fill the hidden region from the garment picture."""

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator


def mean_colour(agnostic: np.ndarray, hidden: np.ndarray, garment: np.ndarray) -> np.ndarray:
    """The hidden region filled with the mean colour of the garment.

    Args:
        agnostic: (S, S, 3) uint8 RGB.
        hidden: (S, S) bool.
        garment: (S, S, 3) uint8 RGB on white.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    cloth = garment[(garment < 250).any(-1)]
    out = agnostic.copy()
    out[hidden] = cloth.mean(0).round().astype(np.uint8) if len(cloth) else 255
    return out


def pasted_by_torso(
    agnostic: np.ndarray,
    hidden: np.ndarray,
    garment: np.ndarray,
    person_pose: np.ndarray,
    garment_pose: np.ndarray,
) -> np.ndarray:
    """The garment laid over the hidden region by the affine map of the torso's corners (or legs, for bottoms).

    Where no cloth lands the hidden region gets the garment's mean colour.

    Args:
        agnostic: (S, S, 3) uint8 RGB.
        hidden: (S, S) bool.
        garment: (S, S, 3) uint8 RGB on white.
        person_pose: (18, 3): x, y in units of the frame, confidence.
        garment_pose: (18, 3), likewise.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    out = mean_colour(agnostic, hidden, garment)
    size = agnostic.shape[0]
    joints = [i for i in (2, 5, 8, 11) if person_pose[i, 2] > 0 and garment_pose[i, 2] > 0]
    if len(joints) < 3:  # bottoms: hips and knees
        joints = [i for i in (8, 11, 9, 12) if person_pose[i, 2] > 0 and garment_pose[i, 2] > 0]
    if len(joints) < 3:
        return out
    source = (garment_pose[joints, :2] * size).astype(np.float32)
    target = (person_pose[joints, :2] * size).astype(np.float32)
    design = np.concatenate([source, np.ones((len(joints), 1), np.float32)], axis=1)
    matrix = np.linalg.lstsq(design, target, rcond=None)[0].T.astype(np.float32)
    warped = cv2.warpAffine(garment, matrix, (size, size), borderValue=(255, 255, 255))
    cloth = hidden & (warped < 250).any(-1)
    out[cloth] = warped[cloth]
    return out


def warped_by_spline(
    agnostic: np.ndarray,
    hidden: np.ndarray,
    garment: np.ndarray,
    person_pose: np.ndarray,
    garment_pose: np.ndarray,
) -> np.ndarray:
    """The garment laid over the hidden region by the thin-plate spline through all joints that both pictures know.

    Where no cloth lands the hidden region gets the garment's mean colour. With fewer than four joints the map is that
    of `pasted_by_torso`.

    Args and result are those of `pasted_by_torso`.
    """
    joints = [i for i in range(1, 14) if person_pose[i, 2] > 0 and garment_pose[i, 2] > 0]
    if len(joints) < 4:
        return pasted_by_torso(agnostic, hidden, garment, person_pose, garment_pose)
    out = mean_colour(agnostic, hidden, garment)
    size = agnostic.shape[0]
    spline = RBFInterpolator(
        person_pose[joints, :2], garment_pose[joints, :2], kernel="thin_plate_spline", smoothing=1e-4
    )
    rows, columns = np.nonzero(hidden)
    place = np.full((size, size, 2), -1e3, np.float32)
    place[rows, columns] = spline((np.stack([columns, rows], 1) + 0.5) / size) * size - 0.5
    white = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (255, 255, 255)}
    warped = cv2.remap(garment, place[..., 0], place[..., 1], cv2.INTER_LINEAR, **white)
    cloth = hidden & (warped < 250).any(-1)
    out[cloth] = warped[cloth]
    return out
