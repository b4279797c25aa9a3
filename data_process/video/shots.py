"""Where a video is cut, and which stretches of a shot have a face all along: the clips that it gives."""

import numpy as np

CUT_LEAST = 0.06  # mean change of the grey values, of 1; a face that moves changes less
CUT_TIMES = 6.0  # and as many times the usual change around it
AROUND = 12  # frames on either side that say what is usual
JUMP_PER_FRAME, JUMP_PER_S = 0.2, 6.0  # of a face's height: heads go slower; a jump cut on one background does not
BRIDGED_S = 0.2  # a face that is lost for less is bridged by straight lines; a longer loss splits the clip
LEAST_CLIP_S = 1.0


def find_cuts(changes: np.ndarray) -> np.ndarray:
    """changes: (frames,) mean difference of each frame to the one before, the first 0 → (cuts,) first frames of shots.

    A cut is a change that stands out of those around it, so that a shaken camera or a flickering lamp is none.
    """
    padded = np.pad(changes.astype(np.float64), AROUND, mode="reflect" if len(changes) > AROUND else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    usual = np.median(around, axis=1)
    is_cut = (changes >= CUT_LEAST) & (changes >= CUT_TIMES * usual)
    is_cut[:1] = False
    return np.flatnonzero(is_cut)


def find_jumps(times_s: np.ndarray, centres: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Where a face is suddenly elsewhere: (jumps,) indices of the first frame after each.

    times_s: (frames,); centres: (frames, 2) and heights: (frames,) of its box, in pixels.
    """
    step_s = np.diff(times_s)
    away = np.hypot(*np.diff(centres, axis=0).T) / heights[1:]
    return np.flatnonzero(away > np.maximum(JUMP_PER_FRAME, JUMP_PER_S * step_s)) + 1


def split(times_s: np.ndarray, step_s: float, breaks: np.ndarray) -> list[tuple[int, int]]:
    """The stretches (first, end) of the frames that have a face which are clips, LEAST_CLIP_S long or longer.

    times_s: (found,) of those frames alone; step_s: the usual one between two. breaks: (n,) indices where a new shot
    begins whatever the times are.
    """
    lost = np.flatnonzero(np.diff(times_s) - step_s >= BRIDGED_S - 1e-6) + 1
    edges = np.unique([0, *lost.tolist(), *breaks.tolist(), len(times_s)])
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [(first, end) for first, end in pairs if times_s[end - 1] - times_s[first] + step_s >= LEAST_CLIP_S]
