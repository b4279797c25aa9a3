"""Log-mel features: the speech encoder that needs no download."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from config.schema import LogMel
from config.units import SAMPLE_RATE, frame_count
from model.mel import FLOOR, StepGrid
from model.speech_encoder import SpeechEncoder


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
        grid = StepGrid(float(fps), settings)
        bands, fmin_hz, fmax_hz = settings.bands, settings.fmin_hz, settings.fmax_hz
        steps_per_frame, context_steps = settings.steps_per_frame, settings.context_steps
        window, filters = grid.window_size, torch.from_numpy(grid.filters)
        self.fps, self.steps_per_frame, self.context_steps = float(fps), steps_per_frame, context_steps
        self.fft_size, self.spacing = grid.fft_size, grid.spacing
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
