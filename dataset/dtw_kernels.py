"""The compiled half of model/dtw.py. Importing it loads numba, so dtw.py does that on first use.

A window gives, for each row i of the cost matrix, the first and the last column that a warping path may visit; both
never decrease. A path is (steps, 2) int64, from (0, 0) to the last cell. At equal costs a path comes from above first,
then from the left, then from the diagonal: the rule of the fastdtw package.
"""

# numba infers the types; the docstrings give the shapes.
# mypy: allow-untyped-defs

import numpy as np
from numba import njit

from dataset.lanes import choose, last_lane, less, load, multiply_add, shift_in, splat, store

LANES = 16  # rows of the cost matrix that the exact kernel handles at once
EIGHT = 8  # columns whose costs the windowed kernel sums at once
TILE = 4  # anti-diagonals whose costs are summed together, so that one load of the prediction serves four
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


# ---- exact DTW of a short pair, on lanes: LANES rows at a time, swept by anti-diagonals ----


@njit(cache=True)
def _strips(x, lanes):
    """x (rows, channels) → flat (strips, channels, lanes): each strip's rows side by side, zeros after the last."""
    rows, channels = x.shape
    strips = np.zeros(((rows + lanes - 1) // lanes, channels, lanes), x.dtype)
    for i in range(rows):
        for c in range(channels):
            strips[i // lanes, c, i % lanes] = x[i, c]
    return strips.reshape(strips.size)


@njit(cache=True)
def _reversed_channels(y, before, pitch):
    """y (columns, channels) → flat (channels, pitch): y backwards in time after `before` zeros, zeros behind it."""
    columns, channels = y.shape
    backwards = np.zeros((channels, pitch), y.dtype)
    for j in range(columns):
        for c in range(channels):
            backwards[c, before + columns - 1 - j] = y[j, c]
    return backwards.reshape(backwards.size)


@njit(cache=True)
def _lane_choices(x, y, first, last):
    """Where the best path to each cell comes from: (strips, steps, 2) uint16, see _choices_to_path.

    Lane k of a strip holds row i = strip · LANES + k; at step s it stands at column j = s − k. So its left neighbour is
    its own last value, the one above is lane k − 1's last value, and the diagonal is what was above a step before.
    Lanes outside the matrix on the left hold infinity; those outside on the right are never looked at again.
    """
    rows, channels = x.shape
    columns = len(y)
    margin = LANES + TILE
    pitch = columns + margin + LANES
    strips, backwards = _strips(x, LANES), _reversed_channels(y, margin, pitch)
    choices = np.empty((len(strips) // (channels * LANES), columns + margin, 2), np.uint16)
    nothing, infinity = splat(x.dtype.type(0), LANES), splat(x.dtype.type(np.inf), LANES)
    above = np.full(columns + LANES + margin, np.inf, x.dtype)  # the row above the strip; column j is at LANES + j
    above[LANES - 1] = 0
    enter, leave = np.zeros(len(choices) * LANES, x.dtype), np.zeros(len(choices) * LANES, x.dtype)
    for i in range(rows):
        enter[i], leave[i] = first[i] + i % LANES, last[i] + i % LANES

    for strip in range(len(choices)):
        top = strip * LANES
        bottom = min(top + LANES, rows) - 1
        opens, closes = load(enter, top, LANES), load(leave, top, LANES)
        left, diagonal = infinity, shift_in(above[LANES + first[top] - 1], infinity)
        for start in range(first[top], last[bottom] + bottom - top + 1, TILE):
            cost0 = cost1 = cost2 = cost3 = nothing
            for c in range(channels):
                row = load(strips, (strip * channels + c) * LANES, LANES)
                column = c * pitch + margin + columns - 1 - start
                difference0 = row - load(backwards, column, LANES)
                difference1 = row - load(backwards, column - 1, LANES)
                difference2 = row - load(backwards, column - 2, LANES)
                difference3 = row - load(backwards, column - 3, LANES)
                cost0 = multiply_add(difference0, difference0, cost0)
                cost1 = multiply_add(difference1, difference1, cost1)
                cost2 = multiply_add(difference2, difference2, cost2)
                cost3 = multiply_add(difference3, difference3, cost3)
            for step in range(start, start + TILE):
                now = splat(x.dtype.type(step), LANES)
                cost = choose(less(now, opens) | less(closes, now), infinity, cost0)
                cost0, cost1, cost2 = cost1, cost2, cost3
                up = shift_in(above[LANES + step], left)
                from_left = less(left, up)
                best = choose(from_left, left, up)
                from_diagonal = less(diagonal, best)
                choices[strip, step, 0], choices[strip, step, 1] = from_left, from_diagonal
                left, diagonal = choose(from_diagonal, diagonal, best) + cost, up
                above[step + 1] = last_lane(left)
    return choices


@njit(cache=True)
def _choices_to_path(choices, rows, columns):
    """Back from the last cell: bit k of choices[strip, step] says that lane k comes from the left, or the diagonal."""
    backwards = np.empty((rows + columns - 1, 2), np.int64)
    i, j, steps = rows - 1, columns - 1, 0
    while True:
        backwards[steps] = i, j
        steps += 1
        if i == 0 and j == 0:
            return backwards[:steps][::-1]
        lane = i % LANES
        from_left, from_diagonal = choices[i // LANES, j + lane]
        # The edges are checked first because not-a-number compares as nothing.
        if i == 0:
            j -= 1
        elif j == 0:
            i -= 1
        elif from_diagonal >> lane & 1:
            i, j = i - 1, j - 1
        elif from_left >> lane & 1:
            j -= 1
        else:
            i -= 1


# ---- DTW of a long pair in a window, in the arithmetic and order of the fastdtw package and numpy's mean ----


@njit(cache=True)
def _squares(value, strips, start):
    difference = splat(value, EIGHT) - load(strips, start, EIGHT)
    return difference * difference


@njit(cache=True)
def _write_costs(x, i, strips, first, last, costs):
    """np.mean((x[i] − y[j])²) into costs[j], for the strips of y in which columns first … last lie.

    To the last bit what numpy gives up to 128 channels, so that ties are ties here too: it sums every eighth channel,
    then those eight sums pairwise, then adds the channels that are left.
    """
    channels = x.shape[1]
    whole = channels // 8 * 8
    count = splat(float(channels), EIGHT)
    for strip in range(first // EIGHT, last // EIGHT + 1):
        start = strip * channels * EIGHT
        sum0 = sum1 = sum2 = sum3 = sum4 = sum5 = sum6 = sum7 = splat(0.0, EIGHT)
        for c in range(0, whole, 8):
            here = start + c * EIGHT
            sum0 = sum0 + _squares(x[i, c], strips, here)
            sum1 = sum1 + _squares(x[i, c + 1], strips, here + EIGHT)
            sum2 = sum2 + _squares(x[i, c + 2], strips, here + 2 * EIGHT)
            sum3 = sum3 + _squares(x[i, c + 3], strips, here + 3 * EIGHT)
            sum4 = sum4 + _squares(x[i, c + 4], strips, here + 4 * EIGHT)
            sum5 = sum5 + _squares(x[i, c + 5], strips, here + 5 * EIGHT)
            sum6 = sum6 + _squares(x[i, c + 6], strips, here + 6 * EIGHT)
            sum7 = sum7 + _squares(x[i, c + 7], strips, here + 7 * EIGHT)
        total = ((sum0 + sum1) + (sum2 + sum3)) + ((sum4 + sum5) + (sum6 + sum7))
        for c in range(whole, channels):
            total = total + _squares(x[i, c], strips, start + c * EIGHT)
        store(costs, strip * EIGHT, total / count)


@njit(cache=True)
def windowed(x, y, first, last):
    """The cheapest path's cost and the path, within a window; memory grows with the window's cells, a byte each."""
    rows, columns = len(x), len(y)
    strips = _strips(y, EIGHT)
    costs = np.empty(columns + EIGHT)
    offset = np.zeros(rows + 1, np.int64)
    offset[1:] = np.cumsum(last - first + 1)
    moves = np.empty(offset[rows], np.uint8)
    above, row = np.full(columns + 1, np.inf), np.full(columns + 1, np.inf)  # column j is at j + 1
    above[0] = 0.0
    for i in range(rows):
        _write_costs(x, i, strips, first[i], last[i], costs)
        left = row[first[i]] = np.inf
        for j in range(first[i], last[i] + 1):
            from_above, from_left, from_diagonal = above[j + 1] + costs[j], left + costs[j], above[j] + costs[j]
            either = min(from_above, from_left)
            left = row[j + 1] = min(either, from_diagonal)
            move = LEFT if from_left < from_above else UP
            moves[offset[i] + j - first[i]] = DIAGONAL if from_diagonal < either else move
        above, row = row, above
    return above[columns], _moves_to_path(moves, offset, first, columns)


@njit(cache=True)
def _moves_to_path(moves, offset, first, columns):
    rows = len(first)
    backwards = np.empty((rows + columns - 1, 2), np.int64)
    i, j, steps = rows - 1, columns - 1, 0
    while i >= 0 and j >= 0:
        backwards[steps] = i, j
        steps += 1
        move = moves[offset[i] + j - first[i]]
        i, j = i - (move != LEFT), j - (move != UP)
    return backwards[:steps][::-1].copy()


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
        path = _choices_to_path(_lane_choices(x[b], y[b], first, last), x.shape[1], y.shape[1])
        totals[b] = _follow(path, x[b], y[b], scale, x_gradient[b], y_gradient[b])


@njit(cache=True, nogil=True)
def fastdtw_items(radius, x, y, scale, totals, x_gradient, y_gradient, start, stop):
    """By FastDTW, its path found in float64."""
    for b in range(start, stop):
        path = fastdtw(x[b].astype(np.float64), y[b].astype(np.float64), radius)[1]
        totals[b] = _follow(path, x[b], y[b], scale, x_gradient[b], y_gradient[b])
