"""How a model hears a sound: window after window of features, in memory that does not grow with the sound."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from config.units import SAMPLE_RATE
from model.features import window_samples
from model.speech_encoder import SpeechEncoder, encode_stream, encode_windows

WINDOWS_A_BATCH = 64


class ForwardReader:
    """Pieces of an array, one after the other along axis 0, read as if they were one; what was passed is forgotten.

    Neither end of a read may go back. Past the end of the pieces there are zeros.
    """

    def __init__(self, pieces: Iterator[np.ndarray]) -> None:
        self.pieces = pieces
        self.first = 0  # the row that held begins with
        self.held = next(pieces)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows from start to stop: (stop - start, ...)."""
        parts = [self.held[start - self.first :]]
        end = self.first + len(self.held)
        while end < stop:
            piece = next(self.pieces, None)
            if piece is None:
                piece = np.zeros((stop - end, *self.held.shape[1:]), self.held.dtype)
            parts.append(piece[max(0, start - end) :])
            end += len(piece)
        self.first, self.held = start, np.concatenate(parts) if len(parts) > 1 else parts[0]
        return self.held[: stop - start]


@dataclass(frozen=True)
class Hearing:
    """What a sound's features depend on: models whose hearings are equal share them."""

    encoder: SpeechEncoder
    fps: float
    window: int  # motion frames
    context: Literal["clip", "window"]  # whether the encoder hears the sound as a whole or each window on its own
    chunk_s: float  # of a sound that is heard as a whole, at a time

    def features(self, blocks: Iterator[np.ndarray], starts: np.ndarray) -> Iterator[tuple[np.ndarray, Tensor]]:
        """A batch of windows at a time: their first frames (B,) of `starts`, and their features (B, window, size).

        blocks: (samples,) float32 each, the sound at 16 kHz; after it there is silence.
        """
        reader = ForwardReader(blocks)
        encode = self._encode_windows if self.context == "window" else self._encode_whole
        batches = [starts[first : first + WINDOWS_A_BATCH] for first in range(0, len(starts), WINDOWS_A_BATCH)]
        return zip(batches, encode(reader, batches), strict=True)

    def _encode_windows(self, audio: ForwardReader, batches: list[np.ndarray]) -> Iterator[Tensor]:
        """Each window heard on its own."""
        for batch in batches:
            first, length = window_samples(batch, self.window, self.fps)
            sound = audio.read(first[0], first[-1] + length)
            windows = torch.from_numpy(np.stack([sound[start : start + length] for start in first - first[0]]))
            yield encode_windows(self.encoder, windows, self.window, self.fps)

    def _encode_whole(self, audio: ForwardReader, batches: list[np.ndarray]) -> Iterator[Tensor]:
        """The sound heard as a whole, then cut into windows."""
        samples = round((batches[-1][-1] + self.window) * SAMPLE_RATE / self.fps)
        pieces = encode_stream(self.encoder, audio.read, samples, self.fps, self.chunk_s)
        rows = ForwardReader(piece.cpu().numpy() for piece in pieces)
        for batch in batches:
            frames = rows.read(batch[0], batch[-1] + self.window)
            stacked = np.stack([frames[start : start + self.window] for start in batch - batch[0]])
            yield torch.from_numpy(stacked).to(self.encoder.device)
