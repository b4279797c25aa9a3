"""The DTW loss as one would first write it, which the benchmark compares ours with."""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

WarpingPath = list[tuple[int, int]]
"""Pairs of frame numbers, from (0, 0) to the last."""


def per_cell_fastdtw(x: list[Tensor], y: list[Tensor], radius: int = 1) -> tuple[Tensor, WarpingPath]:
    """FastDTW (Salvador & Chan 2007) written plainly, one torch operation after another in each cell.

    x, y: frames (channels,) → the cost of the path, which autograd can follow, and the path.
    """
    if min(len(x), len(y)) < radius + 2:
        return _cheapest_path(x, y, [(i, j) for i in range(len(x)) for j in range(len(y))])
    _, coarse = per_cell_fastdtw(_halve(x), _halve(y), radius)
    near = range(-radius, radius + 1)
    wide = {(i + a, j + b) for i, j in coarse for a in near for b in near}
    window = {(2 * i + a, 2 * j + b) for i, j in wide for a in (0, 1) for b in (0, 1)}
    return _cheapest_path(x, y, sorted((i, j) for i, j in window if 0 <= i < len(x) and 0 <= j < len(y)))


def per_cell_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """(B, T, channels), (B, T2, channels) → the mean over the batch of the cost of FastDTW's path."""
    pairs = zip(prediction, target, strict=True)
    return torch.stack([per_cell_fastdtw(list(p), list(t))[0] for p, t in pairs]).mean()


def _halve(frames: list[Tensor]) -> list[Tensor]:
    return [(a + b) / 2 for a, b in zip(frames[::2], frames[1::2], strict=False)]


def _cheapest_path(x: list[Tensor], y: list[Tensor], window: WarpingPath) -> tuple[Tensor, WarpingPath]:
    total: dict[tuple[int, int], Tensor] = {}
    source: dict[tuple[int, int], tuple[int, int]] = {}
    for i, j in window:
        cost = mse_loss(x[i], y[j])
        before = [cell for cell in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if cell in total]
        if before:
            source[i, j] = min(before, key=lambda cell: total[cell])
            cost = total[source[i, j]] + cost
        total[i, j] = cost
    path = [(len(x) - 1, len(y) - 1)]
    while path[-1] in source:
        path.append(source[path[-1]])
    return total[path[0]], path[::-1]
