"""Dropout's random numbers, 16 bits a value: drawn where they are used, faster than memory is read."""

# numba infers the types.
# mypy: allow-untyped-defs

import numpy as np
from numba import njit, uint64

LEVELS = 1 << 16
VALUES_A_DRAW = 4
NOTHING = np.float32(0)
STEP, FIRST, SECOND = uint64(0x9E3779B97F4A7C15), uint64(0xBF58476D1CE4E5B9), uint64(0x94D049BB133111EB)


@njit(inline="always")
def _random_bits(seed, draw):
    z = seed + uint64(draw) * STEP
    z = (z ^ (z >> uint64(30))) * FIRST
    z = (z ^ (z >> uint64(27))) * SECOND
    return z ^ (z >> uint64(31))


@njit(inline="always")
def _is_kept(bits, place, dropped):
    return (bits >> uint64(16 * place)) & uint64(LEVELS - 1) >= dropped


@njit("void(float32[::1], uint64, uint64, float32)", cache=True, nogil=True)
def fill_mask(mask: np.ndarray, seed: int, dropped: int, kept: float) -> None:
    """Write 0 with probability dropped / LEVELS, else `kept`, into each value of mask (N,): a function of the seed.

    The numbers are SplitMix64's (Steele, Lea & Flood 2014), whose draws stand alone, so that the loop is vectorised.
    """
    for draw in range(len(mask) // VALUES_A_DRAW):
        bits = _random_bits(seed, draw)
        for place in range(VALUES_A_DRAW):
            mask[VALUES_A_DRAW * draw + place] = kept if _is_kept(bits, place, dropped) else NOTHING
    bits = _random_bits(seed, len(mask) // VALUES_A_DRAW)
    for place in range(len(mask) % VALUES_A_DRAW):
        mask[len(mask) - 1 - place] = kept if _is_kept(bits, place, dropped) else NOTHING
