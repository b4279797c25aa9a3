"""Log-mel features, and beside them which phones are heard: the speech encoder of an optional package of 5 MB."""

import torch
from torch import Tensor

from config.schema import LogMel
from dataset.phone_recogniser import RATE_HZ, log_probabilities, recogniser_name, symbols
from model.logmel import LogMelEncoder
from model.speech_encoder import SpeechEncoder, to_motion_rate

REACH_S = 1.0  # of sound on either side that the recogniser hears a phone by, or nearly so
FLOOR = -10.0  # a natural logarithm: below that, no phone is less likely than another


class PhoneEncoder(SpeechEncoder):
    """Log-mel features, then the logarithm of each phone's probability, interpolated from 50 Hz to motion frames."""

    def __init__(self, fps: float, settings: LogMel) -> None:
        """fps: motion frames a second. Raises UserError where the package is missing, and as LogMelEncoder does."""
        super().__init__()
        recogniser = recogniser_name()
        self.logmel = LogMelEncoder(fps, settings)
        self.rate_hz = self.logmel.rate_hz
        self.size = self.logmel.size + len(symbols())
        self.margin_s = max(self.logmel.margin_s, REACH_S)
        self.identity = f"phones 1: {recogniser}, floor {FLOOR!r}; {self.logmel.identity}"

    def forward(self, audio: Tensor) -> Tensor:
        """audio: (B, samples), 16 kHz, float32 → (B, frame_count(samples, fps), size)."""
        bands = self.logmel(audio)
        heard = torch.stack([torch.from_numpy(log_probabilities(sound)) for sound in audio.cpu().numpy()])
        heard = to_motion_rate(heard.clamp(min=FLOOR), RATE_HZ, bands.shape[1], self.rate_hz)
        return torch.cat([bands, heard.to(bands)], dim=-1)
