"""Dynamic time warping between two clips' curves: the distances that they are scored with.

The cost of a pair of frames is the mean over channels of their squared difference; a warping path's cost is the sum
over its pairs of frames, not divided by its length. Importing this loads numba.
"""

import numpy as np

from dataset import dtw_kernels


def fastdtw(x: np.ndarray, y: np.ndarray, radius: int = 1) -> tuple[float, np.ndarray]:
    """FastDTW (Salvador & Chan 2007): a path near the cheapest one, in time and memory that grow with the length only.

    x: (N, channels), y: (M, channels), computed in float64 → cost, path (steps, 2) of frame indices. Equal to the
    fastdtw package with np.mean((a − b)**2) as distance, ties included. Radius 1 gives the contest's score.
    Raises ValueError for shapes that do not match, no frames, values that are not finite, or a radius below 1.
    """
    check_radius(radius)
    return dtw_kernels.fastdtw(*_pair(x, y), radius)


def exact_dtw(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The cheapest warping path of all: time grows with N · M, memory with a byte for each of the N · M cells.

    x: (N, channels), y: (M, channels), computed in float64 → cost, path (steps, 2) of frame indices.
    Raises ValueError for shapes that do not match, no frames, or values that are not finite.
    """
    first, second = _pair(x, y)
    return dtw_kernels.windowed(first, second, *dtw_kernels.full_window(len(first), len(second)))


def check_radius(radius: int) -> None:
    """Raises ValueError for a radius of FastDTW below 1 frame."""
    if radius < 1:
        raise ValueError(f"radius is {radius}; it must be at least 1")


def _pair(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as contiguous float64, checked."""
    x, y = (np.ascontiguousarray(array, np.float64) for array in (x, y))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x {x.shape}, y {y.shape}: both must be (frames, channels), with the same channels")
    if 0 in x.shape or 0 in y.shape:
        raise ValueError(f"x {x.shape}, y {y.shape}: there must be at least one frame and channel")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite")
    return x, y
