"""A stream whose jaw is as open as the sound is loud, for tests of what stands around a synthesizer."""

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT

JAW = ARKIT.index("JawOpen")


class LoudJaw:
    """Tells frame n of the loudest sample in its time; 4 · loudness, at most 1."""

    fps, lookahead_ms, moving = 25.0, 40.0, frozenset({"JawOpen"})

    def __init__(self) -> None:
        self._held, self._number = np.zeros(0, np.float32), 0

    def push(self, samples: np.ndarray) -> list[tuple[float, np.ndarray]]:
        self._held = np.concatenate([self._held, samples])
        size = round(SAMPLE_RATE / self.fps)
        whole = len(self._held) // size * size
        loudest = np.abs(self._held[:whole]).reshape(-1, size).max(axis=1) if whole else []
        self._held = self._held[whole:]
        return [self._frame(float(level)) for level in loudest]

    def flush(self) -> list[tuple[float, np.ndarray]]:
        told = [self._frame(float(np.abs(self._held).max()))] if len(self._held) else []
        self.interrupt()
        return told

    def interrupt(self) -> None:
        self._held, self._number = np.zeros(0, np.float32), 0

    def _frame(self, level: float) -> tuple[float, np.ndarray]:
        values = np.zeros(len(ARKIT), np.float32)
        values[JAW] = min(1.0, 4 * level)
        self._number += 1
        return (self._number - 1) / self.fps, values
