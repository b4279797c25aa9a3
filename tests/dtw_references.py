"""What tests hold dynamic time warping to: written plainly, cell by cell."""

import numpy as np

CHANNELS = 37
LENGTHS = [(1, 1), (1, 6), (6, 1), (2, 3), (16, 16), (17, 15), (40, 55), (55, 40), (33, 90)]


def mean_squared_error(a: np.ndarray, b: np.ndarray) -> float:
    return np.mean((a - b) ** 2)


def allowed_everywhere(n: int, m: int) -> np.ndarray:
    return np.ones((n, m), bool)


def allowed_in_band(n: int, m: int, band: int) -> np.ndarray:
    """Every frame of the longer sequence has a rounded place on the shorter one, and `band` frames around it."""
    if n < m:
        return allowed_in_band(m, n, band).T
    centre = np.floor(np.arange(n) * (m - 1) / max(n - 1, 1) + 0.5)
    return np.abs(np.arange(m)[None, :] - centre[:, None]) <= band


def naive_dtw(x: np.ndarray, y: np.ndarray, allowed: np.ndarray | None = None) -> float:
    n, m = len(x), len(y)
    allowed = allowed_everywhere(n, m) if allowed is None else allowed
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0
    for i in range(n):
        for j in range(m):
            if allowed[i, j]:
                before = min(total[i, j], total[i, j + 1], total[i + 1, j])
                total[i + 1, j + 1] = before + mean_squared_error(x[i].astype(float), y[j].astype(float))
    return total[n, m]


def random_walk(generator: np.random.Generator, frames: int, channels: int = CHANNELS) -> np.ndarray:
    return np.cumsum(generator.normal(size=(frames, channels)), axis=0)
