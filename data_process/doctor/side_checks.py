"""Whether left and right were swapped: by the eyes' angles, by how the mouth's channels hang together, by other clips.

curves is (frames, 52) in ARKIT's order throughout.
"""

from collections.abc import Mapping

import numpy as np

from dataset.blendshapes import ARKIT, indices

LEFT = tuple(name for name in ARKIT if name.endswith("Left"))
RIGHT = tuple(f"{name.removesuffix('Left')}Right" for name in LEFT)

FAINT = 0.02  # added to a channel's mean, so that channels that hardly move have no asymmetry
LEAST_ASYMMETRY = 0.01  # of a pair, as a root mean square over clips, to tell anything
LEAST_PAIRS = 3
LEAST_CLIPS = 4
SMALLEST_SWAY = 0.01  # standard deviation of MouthLeft − MouthRight; less tells nothing


def asymmetry(curves: np.ndarray) -> np.ndarray:
    """(pairs,) in LEFT's order: (left − right) / (left + right) of the means; swapped sides turn its sign."""
    left, right = (curves[:, indices(ARKIT, names)].mean(axis=0) for names in (LEFT, RIGHT))
    return (left - right) / (left + right + FAINT)


def is_mirrored(curves: np.ndarray) -> bool:
    """Whether both sides of (frames, 52) move alike in every pair, so that a swap would change nothing."""
    return bool((np.abs(asymmetry(curves)) < LEAST_ASYMMETRY).all())


def sides_likeness(asymmetries: np.ndarray) -> np.ndarray | None:
    """(clips, pairs) of one face → (clips,) cosine of each with the asymmetry that the face has in most clips.

    The face's asymmetry is the first principal direction of the clips', which stays the same whichever of them are
    swapped: those point the other way. Each pair counts by its root mean square. None where the clips are fewer than
    LEAST_CLIPS, or the face too symmetric to tell.
    """
    size = np.sqrt((asymmetries**2).mean(axis=0))
    telling = size > LEAST_ASYMMETRY
    if len(asymmetries) < LEAST_CLIPS or telling.sum() < LEAST_PAIRS:
        return None
    scaled = asymmetries[:, telling] / (size[telling] + FAINT)
    direction = np.linalg.svd(scaled, full_matrices=False)[2][0]
    cosine = scaled @ direction / np.maximum(np.linalg.norm(scaled, axis=1), 1e-9)
    return cosine * (np.sign(np.median(cosine)) or 1.0)


def sway_agreement(curves: np.ndarray) -> float | None:
    """r of MouthLeft − MouthRight with what the mouth's corners say of it; below 0 where one was swapped alone.

    curves: (frames, 52).
    ARKit's tracker answers a mouth that goes left with more MouthFrownLeft than -Right, and less MouthStretchLeft and
    MouthDimpleLeft: r is 0.58 to 0.99 in twelve pieces of 20 s of two captures of one face. None where the mouth
    hardly sways.
    """
    sway, frown, stretch, dimple = (
        _difference(curves, f"Mouth{shape}") for shape in ("", "Frown", "Stretch", "Dimple")
    )
    corners = frown - stretch - dimple
    if sway.std() < SMALLEST_SWAY or corners.std() < SMALLEST_SWAY:
        return None
    return float(np.corrcoef(sway, corners)[0, 1])


def gaze_agreement(curves: np.ndarray, angles: Mapping[str, np.ndarray]) -> float | None:
    """r of the left eye's yaw with EyeLookInLeft − EyeLookOutLeft, 1 in ARKit's captures and −1 after a swap.

    angles: (frames,) by name, as Live Link Face records them; None where LeftEyeYaw is not among them, or still.
    """
    yaw = angles.get("LeftEyeYaw")
    look_in, look_out = curves[:, indices(ARKIT, ("EyeLookInLeft", "EyeLookOutLeft"))].T
    if yaw is None or yaw.std() < SMALLEST_SWAY or (look_in - look_out).std() < SMALLEST_SWAY:
        return None
    return float(np.corrcoef(yaw, look_in - look_out)[0, 1])


def _difference(curves: np.ndarray, shape: str) -> np.ndarray:
    left, right = curves[:, indices(ARKIT, (f"{shape}Left", f"{shape}Right"))].T
    return left - right
