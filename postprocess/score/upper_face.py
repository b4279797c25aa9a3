"""How lively an upper face is: blinks, gaze and head, of one take by itself; pure functions with formula and source."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from postprocess.flow import SEEN
from postprocess.life.enlivener import HEAD, LOOK_DEG

LEAST_BLINK = 0.3  # of EyeBlink, by which a blink stands out of what is around it
FULL_BLINK = 0.87  # of EyeBlink: the eye is closed
LONGEST_BLINK_S = 0.6  # a longer one is an eye that is kept shut
AT_DEG = 6.0  # of the usual direction: the gaze is at the one who is spoken to
SIDES = ("Left", "Right")


class UpperFaceScores(TypedDict):
    """What upper_face_scores gives; None where the columns do not move or are not there."""

    blinks_a_minute: float | None
    blink_speed_ratio: float | None
    partial_blinks: float | None
    gaze_at: float | None
    head_range_deg: float | None
    head_jerk: float | None


def upper_face_scores(
    columns: Mapping[str, np.ndarray], fps: float, spoken: np.ndarray | None = None
) -> UpperFaceScores:
    """Of a take's columns by name, (frames,) each: EyeBlink…, EyeLook…, and the head's angles in radians.

    blinks_a_minute, blink_speed_ratio (fastest closing over fastest opening, median over blinks; 1.40 to 1.47 in Sforza
    et al. 2008), partial_blinks (share that does not reach FULL_BLINK): see blinks. gaze_at: share of frames in which
    the gaze in space is within AT_DEG of its median, those that are spoken, (frames,) bool, where that is known.
    head_range_deg: from the 2nd to the 98th percentile, root sum square of the three angles. head_jerk: their root mean
    square third difference, degrees / s³.
    """
    lids = _both(columns, "EyeBlink")
    found = blinks(lids, fps) if lids is not None and np.ptp(lids) > SEEN else None
    count = 0 if found is None else len(found)
    head = _head_deg(columns)
    return {
        "blinks_a_minute": None if found is None or lids is None else count / (len(lids) / fps / 60),
        "blink_speed_ratio": float(np.median(found[:, 1])) if found is not None and count else None,
        "partial_blinks": float((found[:, 2] < FULL_BLINK).mean()) if found is not None and count else None,
        "gaze_at": _gaze_at(columns, head, spoken),
        "head_range_deg": None
        if head is None
        else float(np.linalg.norm(np.diff(np.percentile(head, (2, 98), 0), axis=0))),
        "head_jerk": None if head is None or len(head) < 4 else _rms(np.diff(head, 3, axis=0)) * fps**3,
    }


def blinks(lids: np.ndarray, fps: float) -> np.ndarray:
    """lids: (frames,) EyeBlink, both eyes' mean → (blinks, 3): the frame of each peak, the fastest closing over the
    fastest opening, and how far the eye closes.

    Peaks that stand out by LEAST_BLINK (their prominence) and are no wider than LONGEST_BLINK_S at half of it.
    """
    from scipy.signal import find_peaks

    padded = np.pad(lids, 1)
    peaks, _ = find_peaks(
        padded, prominence=LEAST_BLINK, width=(0, LONGEST_BLINK_S * fps), rel_height=0.5, plateau_size=(None, None)
    )
    change, reach = np.diff(padded), round(LONGEST_BLINK_S * fps / 2)
    rows = []
    for peak in peaks:
        closing = change[max(0, peak - reach) : peak].max(initial=0)
        opening = -change[peak : peak + reach].min(initial=0)
        rows.append((peak - 1, closing / opening if opening > 0 else np.nan, padded[peak]))
    return np.array(rows).reshape(-1, 3)


def gaze_deg(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """(frames, 2): the eyes' mean yaw to the own left and pitch upwards in the head; None where an EyeLook… lacks."""
    if not all(f"EyeLook{way}{side}" in columns for way in LOOK_DEG for side in SIDES):
        return None
    left, right = ({way: LOOK_DEG[way] * columns[f"EyeLook{way}{side}"] for way in LOOK_DEG} for side in SIDES)
    yaw = (left["Out"] - left["In"] + right["In"] - right["Out"]) / 2
    return np.column_stack([yaw, (left["Up"] - left["Down"] + right["Up"] - right["Down"]) / 2])


def _gaze_at(columns: Mapping[str, np.ndarray], head: np.ndarray | None, spoken: np.ndarray | None) -> float | None:
    gaze = gaze_deg(columns)
    if gaze is None or np.ptp(gaze, axis=0).max() < 1:
        return None
    gaze = gaze if head is None else gaze + head[:, :2]
    near = np.linalg.norm(gaze - np.median(gaze, axis=0), axis=1) < AT_DEG
    if spoken is not None and spoken.any():
        near = near[spoken]
    return float(near.mean())


def _head_deg(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """(frames, 3); None where no angle is there or the head never turns."""
    if not all(name in columns for name in HEAD):
        return None
    head = np.degrees(np.column_stack([columns[name] for name in HEAD]))
    return head if np.ptp(head, axis=0).max() > 0.1 else None


def _both(columns: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    sides = [columns[f"{name}{side}"] for side in SIDES if f"{name}{side}" in columns]
    return np.mean(sides, axis=0) if sides else None


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))
