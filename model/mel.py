"""Log-mel steps as numbers alone: where they stand in the sound, their window and the mel filters."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from config.errors import UserError
from config.schema import LogMel
from config.units import SAMPLE_RATE, samples_per

FLOOR = 1e-6  # added before the logarithm: about the band energy of white noise at -67 dB full scale

# Slaney's mel scale: linear up to 1 kHz (15 mel), then 27 mel for every factor of 6.4.
HZ_PER_MEL = 200 / 3
LINEAR_MELS = 15.0
LOG_STEP = math.log(6.4) / 27


@dataclass(frozen=True)
class StepGrid:
    """Log-mel steps, steps_per_frame of them a motion frame: step n is centred on sample round(n · spacing)."""

    fps: float
    settings: LogMel

    @cached_property
    def spacing(self) -> Fraction:
        """Samples from one step to the next."""
        return samples_per(self.fps) / self.settings.steps_per_frame

    @cached_property
    def window_size(self) -> int:
        """Samples that a step hears."""
        return max(2, round(self.settings.window_ms * SAMPLE_RATE / 1000))

    @cached_property
    def fft_size(self) -> int:
        return 2 ** math.ceil(math.log2(self.window_size))

    @cached_property
    def window(self) -> np.ndarray:
        """(window_size,) float32: Hann, periodic."""
        turns = np.arange(self.window_size) / self.window_size
        return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)

    @cached_property
    def filters(self) -> np.ndarray:
        """(fft_size // 2 + 1, bands) float32. Raises UserError when the window is too short for so many bands."""
        bands, low_hz, high_hz = self.settings.bands, self.settings.fmin_hz, self.settings.fmax_hz
        filters = mel_filters(bands, self.fft_size, low_hz, high_hz)
        if not (filters.max(axis=0) > 0).all():
            raise UserError(
                f"features.logmel: a {self.settings.window_ms:g} ms window cannot tell {bands} bands from {low_hz:g} to"
                f" {high_hz:g} Hz apart; take fewer bands or a longer window"
            )
        return filters

    def start(self, step: int) -> int:
        """The first sample that a step hears; below 0: before the sound."""
        samples, steps = self.spacing.as_integer_ratio()
        return (2 * step * samples + steps) // (2 * steps) - self.window_size // 2

    def log_mel(self, windows: np.ndarray) -> np.ndarray:
        """(steps, window_size) float32 samples → (steps, bands) float32, as model.logmel has them."""
        spectrum = np.fft.rfft(windows * self.window, n=self.fft_size, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        return np.log(power.astype(np.float32) @ self.filters + np.float32(FLOOR))


def mel_filters(bands: int, fft_size: int, fmin_hz: float, fmax_hz: float) -> np.ndarray:
    """Triangular mel filters (fft_size // 2 + 1, bands) float32, of unit area over Hz.

    Malcolm Slaney, Auditory Toolbox (Interval Research, Technical Report 1998-010): band b rises from edge b to edge
    b + 1 and falls to edge b + 2, the bands + 2 edges being spaced evenly in mel from fmin_hz to fmax_hz; its height is
    2 / (edge b + 2 - edge b).
    """
    mels = np.linspace(_mel(fmin_hz), _mel(fmax_hz), bands + 2)
    edges = np.where(mels < LINEAR_MELS, mels * HZ_PER_MEL, 1000 * np.exp((mels - LINEAR_MELS) * LOG_STEP))
    bins = np.arange(fft_size // 2 + 1)[:, None] * (SAMPLE_RATE / fft_size)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clip(min=0)
    return (triangles * 2 / (high - low)).astype(np.float32)


def _mel(hz: float) -> float:
    return hz / HZ_PER_MEL if hz < 1000 else LINEAR_MELS + math.log(hz / 1000) / LOG_STEP
