"""The compiled half of dataset/dtw.py and model/dtw_loss.py: warping paths, and the loss along them. It loads numba.

A window gives, for each row i of the cost matrix, the first and the last column that a warping path may visit; both
never decrease. A path is (steps, 2) int64, from (0, 0) to the last cell. At equal costs a path comes from above first,
then from the left, then from the diagonal: the rule of the fastdtw package.
"""

# numba infers the types; the docstrings give the shapes.
# mypy: allow-untyped-defs

import numpy as np
from numba import njit

GROUP = 16  # columns whose costs the exact kernel sums at once: the float32 of the widest vectors, AVX-512's
UP, LEFT, DIAGONAL = np.uint8(0), np.uint8(1), np.uint8(2)


@njit(cache=True)
def full_window(rows, columns):
    """Every cell."""
    return np.zeros(rows, np.int64), np.full(rows, columns - 1)


@njit(cache=True)
def band_window(rows, columns, band):
    """Sakoe & Chiba (1978): cells at most `band` frames of the shorter sequence from the corner-to-corner diagonal.

    The diagonal has one cell for each frame of the longer sequence, rounded, so there is always a path.
    """
    first, last = np.full(rows, columns), np.full(rows, -1)
    longer, shorter = max(rows, columns), min(rows, columns)
    for long in range(longer):
        centre = (2 * long * (shorter - 1) + longer - 1) // max(2 * (longer - 1), 1)
        low, high = max(centre - band, 0), min(centre + band, shorter - 1)
        if rows >= columns:
            first[long], last[long] = low, high
        else:
            for row in range(low, high + 1):
                first[row] = min(first[row], long)
                last[row] = max(last[row], long)
    return first, last


# ---- the exact path of a short pair, for the loss: a row of the cost matrix at a time ----


@njit(cache=True)
def _by_channel(y):
    """y (columns, channels) → (channels, columns), zeros behind it up to whole groups."""
    columns, channels = y.shape
    turned = np.zeros((channels, (columns + GROUP - 1) // GROUP * GROUP), y.dtype)
    for j in range(columns):
        for c in range(channels):
            turned[c, j] = y[j, c]
    return turned


@njit(cache=True, fastmath={"contract"})
def _write_costs(frame, by_channel, start, stop, costs):
    """The sum over channels of (frame[c] − by_channel[c, j])² into costs[j], for columns start … stop − 1.

    LLVM makes vectors of the inner loops. Four channels in one, so that a cost is loaded and stored a fourth as often;
    with eight, LLVM would find too many arrays to tell apart.
    """
    channels, costs = len(frame), costs[start:stop]
    fours = channels // 4 * 4
    costs[:] = 0
    for c in range(0, fours, 4):
        x0, x1, x2, x3 = frame[c], frame[c + 1], frame[c + 2], frame[c + 3]
        y0, y1 = by_channel[c][start:stop], by_channel[c + 1][start:stop]
        y2, y3 = by_channel[c + 2][start:stop], by_channel[c + 3][start:stop]
        for j in range(len(costs)):
            d0, d1, d2, d3 = x0 - y0[j], x1 - y1[j], x2 - y2[j], x3 - y3[j]
            costs[j] = costs[j] + d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    for c in range(fours, channels):
        x0, y0 = frame[c], by_channel[c][start:stop]
        for j in range(len(costs)):
            d0 = x0 - y0[j]
            costs[j] += d0 * d0


@njit(cache=True)
def _warp_row(above, row, costs, moves):
    """One row's totals and moves; above and row begin a column before costs and moves."""
    left = row[0]
    for j in range(len(costs)):
        left = min(left, min(above[j], above[j + 1])) + costs[j]
        row[j + 1] = left
    # A loop of its own, which unlike the first waits for nothing and becomes vectors.
    for j in range(len(costs)):
        up, left, diagonal = above[j + 1], row[j], above[j]
        move = LEFT if left < up else UP
        moves[j] = DIAGONAL if diagonal < min(left, up) else move


@njit(cache=True)
def _exact_path(x, y, first, last):
    """The cheapest path in a window, of x (rows, channels) and y (columns, channels)."""
    rows, columns = len(x), len(y)
    by_channel = _by_channel(y)
    costs = np.empty(by_channel.shape[1], x.dtype)
    moves, offset = _room_for_moves(first, last)
    above, row = _infinite_rows(columns, x.dtype.type(np.inf))
    for i in range(rows):
        low, high = first[i], last[i] + 1
        _write_costs(x[i], by_channel, low // GROUP * GROUP, (high + GROUP - 1) // GROUP * GROUP, costs)
        row[low] = np.inf
        here = moves[offset[i] : offset[i + 1]]
        _warp_row(above[low : high + 1], row[low : high + 1], costs[low:high], here)
        above, row = row, above
    return _path(moves, offset, first, columns)


# ---- the cheapest path and its cost, in the arithmetic and order of the fastdtw package and numpy's mean ----


@njit(cache=True)
def _write_squares(frame, frames, squares):
    """frame (channels,), frames (n, channels) → (frame − frames)², into the first n of squares."""
    for n in range(len(frames)):
        other, square = frames[n], squares[n]
        for c in range(len(frame)):
            square[c] = (frame[c] - other[c]) * (frame[c] - other[c])


@njit(cache=True, error_model="numpy")
def _mean(values):
    """np.mean of (channels,): to the last bit what numpy gives up to 128 of them, so that ties are ties here too.

    numpy sums every eighth value, then those eight sums pairwise, then adds the values that are left.
    """
    channels = len(values)
    whole = channels // 8 * 8
    sum0 = sum1 = sum2 = sum3 = sum4 = sum5 = sum6 = sum7 = 0.0
    for c in range(0, whole, 8):
        eight = values[c:]
        sum0, sum1, sum2, sum3 = sum0 + eight[0], sum1 + eight[1], sum2 + eight[2], sum3 + eight[3]
        sum4, sum5, sum6, sum7 = sum4 + eight[4], sum5 + eight[5], sum6 + eight[6], sum7 + eight[7]
    total = ((sum0 + sum1) + (sum2 + sum3)) + ((sum4 + sum5) + (sum6 + sum7))
    for c in range(whole, channels):
        total += values[c]
    return total / channels


@njit(cache=True)
def windowed(x, y, first, last):
    """x (rows, channels), y (columns, channels), float64, and a window → the cheapest path's cost, and the path.

    Memory grows with the window's cells, a byte each.
    """
    rows, columns = len(x), len(y)
    moves, offset = _room_for_moves(first, last)
    above, row = _infinite_rows(columns, np.inf)
    squares = np.empty(((last - first).max() + 1, x.shape[1]))
    for i in range(rows):
        low, here = first[i], moves[offset[i] : offset[i + 1]]
        _write_squares(x[i], y[low : last[i] + 1], squares)
        left = row[low] = np.inf
        for step in range(len(here)):
            j, cost = low + step, _mean(squares[step])
            from_above, from_left, from_diagonal = above[j + 1] + cost, left + cost, above[j] + cost
            either = min(from_above, from_left)
            left = row[j + 1] = min(either, from_diagonal)
            move = LEFT if from_left < from_above else UP
            here[step] = DIAGONAL if from_diagonal < either else move
        above, row = row, above
    return above[columns], _path(moves, offset, first, columns)


# ---- what both have in common ----


@njit(cache=True)
def _room_for_moves(first, last):
    """(moves, offset): a byte for each cell of a window, row i's from offset[i] to offset[i + 1]."""
    offset = np.zeros(len(first) + 1, np.int64)
    offset[1:] = np.cumsum(last - first + 1)
    return np.empty(offset[-1], np.uint8), offset


@njit(cache=True)
def _infinite_rows(columns, infinity):
    """(above, row): totals of the row before the first, and of any other, column j at j + 1; a path starts at 0."""
    above = np.full(columns + 1, infinity)
    row = above.copy()
    above[0] = 0
    return above, row


@njit(cache=True)
def _path(moves, offset, first, columns):
    """Back from the last cell by the moves."""
    rows = len(first)
    backwards = np.empty((rows + columns - 1, 2), np.int64)
    i, j, steps = rows - 1, columns - 1, 0
    while True:
        backwards[steps] = i, j
        steps += 1
        if i == 0 and j == 0:
            return backwards[:steps][::-1].copy()
        move = moves[offset[i] + j - first[i]]
        # The edges are checked because not-a-number compares as nothing.
        if i == 0:
            move = LEFT
        elif j == 0:
            move = UP
        i, j = i - (move != LEFT), j - (move != UP)


# ---- FastDTW ----


@njit(cache=True)
def _halved(x):
    halved = np.empty((len(x) // 2, x.shape[1]))
    for i in range(len(halved)):
        for c in range(x.shape[1]):
            halved[i, c] = (x[2 * i, c] + x[2 * i + 1, c]) / 2
    return halved


@njit(cache=True)
def _projected_window(path, rows, columns, radius):
    """The window around a path found at half the resolution, `radius` coarse cells wider on every side."""
    first, last = np.full(rows, columns), np.full(rows, -1)
    for step in range(len(path)):
        i, j = path[step]
        low, high = max(2 * (j - radius), 0), min(2 * (j + radius) + 1, columns - 1)
        for row in range(max(2 * (i - radius), 0), min(2 * (i + radius) + 2, rows)):
            first[row] = min(first[row], low)
            last[row] = max(last[row], high)
    return first, last


@njit(cache=True)
def fastdtw(x, y, radius):
    """Salvador & Chan (2007). x: (rows, channels), y: (columns, channels), float64 → cost, path."""
    rows, columns = len(x), len(y)
    if min(rows, columns) < radius + 2:
        first, last = full_window(rows, columns)
    else:
        path = fastdtw(_halved(x), _halved(y), radius)[1]
        first, last = _projected_window(path, rows, columns, radius)
    return windowed(x, y, first, last)


# ---- the loss and its gradient, for items start … stop of a batch ----


@njit(cache=True, fastmath={"reassoc", "contract"})
def _follow(path, x, y, scale, x_gradient, y_gradient):
    """The sum of squared differences along a path; gradients with rows become sums of scale · difference."""
    x_gradient[:] = 0
    y_gradient[:] = 0
    total = 0.0
    for step in range(len(path)):
        i, j = path[step]
        squares = x.dtype.type(0)
        for c in range(x.shape[1]):
            squares += (x[i, c] - y[j, c]) ** 2
        total += squares
        if len(x_gradient):
            for c in range(x.shape[1]):
                x_gradient[i, c] += scale * (x[i, c] - y[j, c])
        if len(y_gradient):
            for c in range(x.shape[1]):
                y_gradient[j, c] -= scale * (x[i, c] - y[j, c])
    return total


@njit(cache=True, nogil=True)
def exact_items(first, last, x, y, scale, totals, x_gradient, y_gradient, start, stop):
    """By exact DTW in a window."""
    for b in range(start, stop):
        path = _exact_path(x[b], y[b], first, last)
        totals[b] = _follow(path, x[b], y[b], scale, x_gradient[b], y_gradient[b])


@njit(cache=True, nogil=True)
def fastdtw_items(radius, x, y, scale, totals, x_gradient, y_gradient, start, stop):
    """By FastDTW, its path found in float64."""
    for b in range(start, stop):
        path = fastdtw(x[b].astype(np.float64), y[b].astype(np.float64), radius)[1]
        totals[b] = _follow(path, x[b], y[b], scale, x_gradient[b], y_gradient[b])
