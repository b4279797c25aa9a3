"""Sound of any rate to another as it comes, four milliseconds late at most: files by the same filter, so equal."""

import math
from functools import cache

import numpy as np

from config.units import SAMPLE_RATE

REACH_MS = 4.0  # of sound before and after a moment that its sample is told from,
REACH_SAMPLES = 32  # … and so many of the sound's own at least: as much at 8 kHz, more below that
CUTOFF = 0.93  # of the lower rate's half, where half the amplitude is gone
KAISER_BETA = 8.0  # -86 dB at 8 kHz for sound of a higher rate; within 0.01 dB up to 6.8 kHz
MOST_PHASES = 4096  # places between two samples that have taps of their own; all there are at rates in use
PIECE = 1024  # samples that are told at a time


class StreamResampler:
    """Sound of one rate to another, in pieces of any length: the same samples however it is cut."""

    def __init__(self, rate: int, out_rate: int = SAMPLE_RATE) -> None:
        """Rates in Hz."""
        self.rate, self.out_rate, self._read, self._written = rate, out_rate, 0, 0
        common = math.gcd(rate, out_rate)
        self._up, self._down = out_rate // common, rate // common  # a grid on which both rates' samples lie
        self._reach = 0 if rate == out_rate else reach(rate)
        self._sound, self._first = np.zeros(self._reach, np.float32), -self._reach  # silence before the first sample

    @property
    def delay_ms(self) -> float:
        """How much sound after a moment is heard before its sample is told."""
        return 1000 * self._reach / self.rate

    def push(self, block: np.ndarray) -> np.ndarray:
        """(samples,) float32 → those samples at out_rate that are certain."""
        self._read += len(block)
        if not self._reach:
            self._written += len(block)
            return block
        self._sound = np.concatenate([self._sound, block])
        return self._told(-(-max(0, self._read - self._reach) * self._up // self._down))

    def flush(self) -> np.ndarray:
        """The rest: in all the nearest whole number to the same duration."""
        self._sound = np.pad(self._sound, (0, self._reach + 1))
        return self._told(round(self._read * self.out_rate / self.rate))

    def _told(self, until: int) -> np.ndarray:
        """The samples up to this number."""
        pieces = [np.zeros(0, np.float32)]
        while self._written < until:
            end = min(until, self._written + PIECE)
            pieces.append(self._at(np.arange(self._written, end) * self._down))
            self._written = end
        passed = self._written * self._down // self._up - self._reach - self._first
        self._sound, self._first = self._sound[passed:], self._first + passed
        return np.concatenate(pieces)

    def _at(self, places: np.ndarray) -> np.ndarray:
        """places: (samples,) on the grid → their samples."""
        taps = phases(self.rate, self.out_rate)
        windows = np.lib.stride_tricks.sliding_window_view(self._sound, 2 * self._reach)
        heard = windows[places // self._up - self._reach + 1 - self._first]
        return np.einsum("nt,nt->n", heard, taps[places % self._up * len(taps) // self._up])


def reach(rate: int) -> int:
    """In samples of that rate."""
    return max(REACH_SAMPLES, math.floor(rate * REACH_MS / 1000))


@cache
def phases(rate: int, out_rate: int) -> np.ndarray:
    """(phases, 2 · reach) float32: the weights of the samples around a moment, by how far it is past one of them.

    A sinc in a Kaiser window (Kaiser, 1974), each phase's sum brought to 1, so that a steady level stays.
    """
    samples = reach(rate)
    count = min(MOST_PHASES, out_rate // math.gcd(rate, out_rate))
    away = np.arange(count)[:, None] / count + np.arange(samples - 1, -samples - 1, -1)
    inside = np.sqrt((1 - np.square(away / samples)).clip(0))
    weights = np.sinc(CUTOFF * min(1.0, out_rate / rate) * away) * np.i0(KAISER_BETA * inside)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
