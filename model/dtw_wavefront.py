"""The exact DTW loss in plain torch operations, for tensors that live on a GPU.

The cells of an anti-diagonal do not depend on each other, so one operation handles a diagonal of the whole batch. The
host only queues work: no value is read back, no tensor leaves the device.

The tables go by anti-diagonals: cell (i, j) of the cost matrix is at [i + j, item, i]. With T frames on both sides and
float32, a batch of B takes 22 · B · T² bytes at its peak, 2.8 GB for 128 windows of 1,000 frames, keeps none of them
for the backward pass, and queues about 11 · T operations.

Not a Triton kernel, which would save most of the launches: it needs a compiler at run time and a GPU to be tested on.
These operations run on any device, so the tests hold them to the CPU's kernel.
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

CHUNK = 2**24  # differences (frames × channels) held at once while costs are summed: 64 MB of float32


def wavefront_loss(prediction: Tensor, target: Tensor, band: int | None = None) -> Tensor:
    """As model.dtw_loss.dtw_loss in mode "exact", on any device: the same path, also at ties, and so the same gradient.

    prediction: (B, T, channels), target: (B, T2, channels), of one device and float type, checked → a scalar of it.
    The backward pass adds in any order on CUDA (scatter_add), unless torch.use_deterministic_algorithms is on.
    """
    batch, _, channels = prediction.shape
    rows, columns, live = _path(prediction.detach(), target.detach(), band)
    differences = _frames(prediction, rows) - _frames(target, columns)
    return torch.where(live[:, :, None], differences, 0).square().sum() / (channels * batch)


def _frames(sequence: Tensor, indices: Tensor) -> Tensor:
    """(B, T, channels), (B, steps) → (B, steps, channels)."""
    return sequence.gather(1, indices[:, :, None].expand(-1, -1, sequence.shape[2]))


def _path(x: Tensor, y: Tensor, band: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """The cheapest paths from their ends: rows, columns and whether the step is one, each (B, rows + columns − 1).

    A shorter path stays in the first cell for the steps that are none.
    """
    batch, rows, _ = x.shape
    positions = _walk(_strides(_totals(x, y, band)))
    diagonals, row = positions // (batch * rows), positions % rows
    live = pad(positions[1:] != positions[:-1], (0, 0, 1, 0), value=True)
    return row.T, (diagonals - row).T, live.T


def _totals(x: Tensor, y: Tensor, band: int | None) -> Tensor:
    """The cost of the cheapest path to each cell: (2 + diagonals, B, 1 + rows).

    Two diagonals and a row of infinity come first, and a 0 that makes the first cell's diagonal neighbour free.
    """
    batch, rows, _ = x.shape
    diagonals = rows + y.shape[1] - 1
    totals = x.new_full((2 + diagonals, batch, 1 + rows), torch.inf)
    totals[0, :, 0].fill_(0)
    _write_costs(totals[2:, :, 1:], x, y)
    totals[2:, :, 1:].masked_fill_(_outside(rows, y.shape[1], band, x.device)[:, None], torch.inf)
    best = x.new_empty(batch, rows)
    above, same = totals[:, :, :-1].unbind(), totals[:, :, 1:].unbind()
    for d in range(2, len(totals)):
        torch.minimum(above[d - 1], same[d - 1], out=best)
        torch.minimum(above[d - 2], best, out=best)
        same[d].add_(best)
    return totals


def _write_costs(costs: Tensor, x: Tensor, y: Tensor) -> None:
    """The sum over channels of the squared differences of each cell, into (diagonals, B, rows).

    Backwards in time and padded, y's window of `rows` frames that meets x's frames on a diagonal is a slice of y.
    No matrix product: |x|² + |y|² − 2xy would lose the digits of small differences between large values.
    """
    batch, rows, channels = x.shape
    backwards = pad(y.flip(1).transpose(0, 1), (0, 0, 0, 0, rows - 1, rows - 1))
    windows, frames = backwards.unfold(0, rows, 1), x.transpose(1, 2)  # (diagonals, B, channels, rows)
    step = max(CHUNK // (batch * channels * rows), 1)
    for start in range(0, len(windows), step):
        chunk = windows[start : start + step]
        stop = len(costs) - start
        costs[stop - len(chunk) : stop] = (frames - chunk).square_().sum(2).flip(0)


def _outside(rows: int, columns: int, band: int | None, device: torch.device) -> Tensor:
    """Which cells no path may visit, (diagonals, rows): those outside the matrix, or the band."""
    row = torch.arange(rows, device=device)
    column = torch.arange(rows + columns - 1, device=device)[:, None] - row
    outside = (column < 0) | (column >= columns)
    if band is None:
        return outside
    longer, shorter = max(rows, columns), min(rows, columns)
    long, short = (row, column) if rows >= columns else (column, row)
    centre = (2 * long * (shorter - 1) + longer - 1) // max(2 * (longer - 1), 1)
    return outside | ((short - centre).abs() > band)


def _strides(totals: Tensor) -> Tensor:
    """How far before each cell its predecessor lies in the flat table: (diagonals, B, rows) int32, 0 in the first cell.

    At equal costs a path comes from above first, then from the left, then from the diagonal, as in dataset.dtw_kernels.
    """
    up, left, diagonal = totals[1:-1, :, :-1], totals[1:-1, :, 1:], totals[:-2, :, :-1]
    size = up[0].numel()
    strides = torch.full(up.shape, size + 1, dtype=torch.int32, device=totals.device)
    strides.masked_fill_(left < up, size)
    strides.masked_fill_((diagonal < up) & (diagonal < left), 2 * size + 1)
    # The edges are set because not-a-number compares as nothing.
    strides.diagonal(0, 0, 2).fill_(size + 1)  # the first column: from above
    strides[:, :, 0].fill_(size)  # the first row: from the left
    strides[0].fill_(0)
    return strides


def _walk(strides: Tensor) -> Tensor:
    """From each item's last cell to its first → (diagonals, B), places in the flat table."""
    diagonals, batch, rows = strides.shape
    flat = strides.flatten()
    positions = torch.empty(diagonals, batch, dtype=torch.int64, device=strides.device)
    positions[0] = torch.arange(flat.numel() - batch * rows, flat.numel(), rows, device=strides.device) + rows - 1
    for here, before in pairwise(positions.unbind()):
        torch.sub(here, flat.index_select(0, here), out=before)
    return positions
