"""Log-mel features: the speech encoder that needs no download."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from config.errors import UserError
from config.schema import LogMel
from config.units import SAMPLE_RATE, frame_count
from model.speech_encoder import SpeechEncoder, samples_per

FLOOR = 1e-6  # added before the logarithm: about the band energy of white noise at -67 dB full scale

# Slaney's mel scale: linear up to 1 kHz (15 mel), then 27 mel for every factor of 6.4.
HZ_PER_MEL = 200 / 3
LINEAR_MELS = 15.0
LOG_STEP = math.log(6.4) / 27


class LogMelEncoder(SpeechEncoder):
    """Log-mel bands on a grid of steps_per_frame steps a motion frame, those around each frame stacked.

    Step n is a Hann window centred on sample round(n · 16000 / (fps · steps_per_frame)); samples outside the audio are
    zero. A frame's features are log(mel + FLOOR) of the steps from -context_steps to context_steps around it, earliest
    first, bands from low to high within each: size = bands · (2 · context_steps + 1). Nothing is normalised per clip,
    so that a stream gives the values of the whole.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, fps: float, settings: LogMel) -> None:
        """fps: motion frames a second. Raises UserError when the window is too short for so many bands."""
        super().__init__()
        bands, fmin_hz, fmax_hz = settings.bands, settings.fmin_hz, settings.fmax_hz
        steps_per_frame, context_steps = settings.steps_per_frame, settings.context_steps
        window = max(2, round(settings.window_ms * SAMPLE_RATE / 1000))
        self.fft_size = 2 ** math.ceil(math.log2(window))
        filters = mel_filters(bands, self.fft_size, fmin_hz, fmax_hz)
        if not (filters.amax(dim=0) > 0).all():
            raise UserError(
                f"features.logmel: a {settings.window_ms:g} ms window cannot tell {bands} bands from {fmin_hz:g} to"
                f" {fmax_hz:g} Hz apart; take fewer bands or a longer window"
            )
        self.fps, self.steps_per_frame, self.context_steps = float(fps), steps_per_frame, context_steps
        self.spacing = samples_per(fps) / steps_per_frame
        self.rate_hz = self.fps
        self.steps_stacked = 2 * context_steps + 1
        self.size = bands * self.steps_stacked
        # One sample more on account of the rounding of a step's centre.
        self.margin_s = float(context_steps * self.spacing + window / 2 + 1) / SAMPLE_RATE
        self.identity = (
            f"logmel 1: fps {self.fps!r}, bands {bands}, window {window} samples, steps {steps_per_frame}, context"
            f" {context_steps}, {float(fmin_hz)!r} to {float(fmax_hz)!r} Hz, floor {FLOOR!r}"
        )
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """audio: (B, samples), 16 kHz, float32 → (B, frame_count(samples, fps), size)."""
        frames = frame_count(audio.shape[1], self.fps)
        if not frames:
            return audio.new_zeros(len(audio), 0, self.size)
        first, last = -self.context_steps, (frames - 1) * self.steps_per_frame + self.context_steps
        bands = self._log_mel(audio, torch.arange(first, last + 1, device=audio.device))
        stacked = bands.unfold(1, self.steps_stacked, self.steps_per_frame)  # (B, frames, bands, steps)
        return stacked.transpose(2, 3).reshape(len(audio), frames, self.size)

    def _log_mel(self, audio: Tensor, steps: Tensor) -> Tensor:
        """(B, samples) at consecutive steps of the grid (N,) → (B, N, bands)."""
        length = len(self.window)
        up, down = self.spacing.numerator, self.spacing.denominator
        starts = torch.div(2 * steps * up + down, 2 * down, rounding_mode="floor") - length // 2  # round half up
        before, after = -int(starts[0]), int(starts[-1]) + length - audio.shape[1]
        windows = pad(audio, (before, after)).unfold(1, length, 1)[:, starts + before]
        spectrum = torch.fft.rfft(windows * self.window, n=self.fft_size)
        power = spectrum.real.square() + spectrum.imag.square()
        return (power @ self.filters + FLOOR).log()


def mel_filters(bands: int, fft_size: int, fmin_hz: float, fmax_hz: float) -> Tensor:
    """Triangular mel filters (fft_size // 2 + 1, bands) float32, of unit area over Hz.

    Malcolm Slaney, Auditory Toolbox (Interval Research, Technical Report 1998-010): band b rises from edge b to edge
    b + 1 and falls to edge b + 2, the bands + 2 edges being spaced evenly in mel from fmin_hz to fmax_hz; its height is
    2 / (edge b + 2 - edge b).
    """
    mels = torch.linspace(_mel(fmin_hz), _mel(fmax_hz), bands + 2, dtype=torch.float64)
    edges = torch.where(mels < LINEAR_MELS, mels * HZ_PER_MEL, 1000 * torch.exp((mels - LINEAR_MELS) * LOG_STEP))
    bins = torch.arange(fft_size // 2 + 1, dtype=torch.float64)[:, None] * (SAMPLE_RATE / fft_size)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    return (triangles * 2 / (high - low)).float()


def _mel(hz: float) -> float:
    return hz / HZ_PER_MEL if hz < 1000 else LINEAR_MELS + math.log(hz / 1000) / LOG_STEP
