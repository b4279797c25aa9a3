"""Arrays in pieces, read as one."""

import numpy as np

from model.hearing import ForwardReader


def test_forward_reader() -> None:
    random, rows = np.random.default_rng(0), np.arange(60).reshape(30, 2)
    pieces = iter([rows[:7], rows[7:8], rows[8:8], rows[8:25], rows[25:]])
    reader, padded = ForwardReader(pieces), np.concatenate([rows, np.zeros((50, 2), rows.dtype)])
    start = stop = 0
    while stop < 75:
        start = int(random.integers(start, stop + 1))
        stop += int(random.integers(0, 6))
        np.testing.assert_array_equal(reader.read(start, stop), padded[start:stop])
