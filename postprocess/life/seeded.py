"""A small generator of random numbers that every language writes alike: equal seeds, equal faces, in a page too."""

import math

_MASK = 0xFFFFFFFF
FNV_BASIS, FNV_PRIME = 0x811C9DC5, 0x01000193
STEP = 0x6D2B79F5  # of mulberry32's state
STRATA = 16


def fnv1a(text: str) -> int:
    """A text's 32-bit hash: FNV-1a (Fowler, Noll, Vo) of its UTF-8 bytes."""
    value = FNV_BASIS
    for byte in text.encode():
        value = (value ^ byte) * FNV_PRIME & _MASK
    return value


class Draws:
    """Laws made of numbers that are even in [0, 1)."""

    def uniform(self) -> float:
        raise NotImplementedError

    def between(self, low: float, high: float) -> float:
        """Evenly in [low, high)."""
        return low + (high - low) * self.uniform()

    def exponential(self) -> float:
        """Of mean 1."""
        return -math.log(1 - self.uniform())


class Seeded(Draws):
    """mulberry32 (T. Ettinger, public domain): one 32-bit word of state, every 32-bit output; with Math.imul the same
    numbers in JavaScript.

    The state begins with the hash of `seed/clip/stream`, so each stream of a face's clip goes its own way.
    """

    def __init__(self, seed: int, clip: str, stream: str) -> None:
        self._state = fnv1a(f"{seed}/{clip}/{stream}")

    def uniform(self) -> float:
        """In [0, 1), in steps of 2⁻³²."""
        self._state = (self._state + STEP) & _MASK
        word = self._state
        word = (word ^ word >> 15) * (word | 1) & _MASK
        word ^= (word + ((word ^ word >> 7) * (word | 61) & _MASK)) & _MASK
        return ((word ^ word >> 14) & _MASK) / 2**32

    def normal(self) -> float:
        """Of mean 0 and deviation 1: Box and Muller's first, from two draws."""
        radius = math.sqrt(2 * self.exponential())
        return radius * math.cos(2 * math.pi * self.uniform())

    def log_normal(self, median: float, sigma: float) -> float:
        """sigma: the deviation of its logarithm."""
        return median * math.exp(sigma * self.normal())

    def spread(self) -> list[float]:
        """STRATA numbers in (0, 1), one in each of as many equal parts, in random order (stratified sampling)."""
        numbers = [(place + self.uniform() + 2**-33) / STRATA for place in range(STRATA)]
        for place in range(STRATA - 1, 0, -1):
            other = int((place + 1) * self.uniform())
            numbers[place], numbers[other] = numbers[other], numbers[place]
        return numbers


class Deck(Draws):
    """Draws from one spread after another: few of them lie closer to their law than many independent ones."""

    def __init__(self, random: Seeded) -> None:
        self._random = random
        self._cards: list[float] = []

    def uniform(self) -> float:
        if not self._cards:
            self._cards = self._random.spread()
        return self._cards.pop()
