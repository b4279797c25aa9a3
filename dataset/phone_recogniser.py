"""Which phones are heard, every 20 ms, by the recogniser of the package hama: no transcript, no torch.

hama (Apache-2.0) holds a CTC model of 4.7 MB, in IPA: good in English, rough in Mandarin. It hears in both directions
of time, and in a minute at once it misses half the phones that it hears in ten seconds, so long sounds are heard in
pieces. An extra: requirements-phones.txt.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from config.errors import UserError
from config.units import SAMPLE_RATE

if TYPE_CHECKING:
    from hama import ASRModel

RATE_HZ = 50  # frames a second: frame i is centred on sample 320 · i of 16 kHz
FRAME_SAMPLES = SAMPLE_RATE // RATE_HZ
PIECE_FRAMES, MARGIN_FRAMES = 10 * RATE_HZ, RATE_HZ  # a piece, and what is heard before and after it
BLANK, WORD_BOUNDARY = "<blank>", "<wb>"  # symbols that are no phone: nothing new, and the end of a word
_INSTALL = "hearing phones needs the package hama: pip install -r requirements-phones.txt"


def recogniser_name() -> str:
    """The package and its version, which a value depends on: "hama 1.7.0". Raises UserError where it is missing."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"hama {version('hama')}"
    except PackageNotFoundError:
        raise UserError(_INSTALL) from None


def symbols() -> tuple[str, ...]:
    """What the columns of log_probabilities stand for, 191 of them: IPA, often with two letters, BLANK and
    WORD_BOUNDARY among them. Raises UserError where the package is missing."""
    return tuple(_model().decoder_tokens)


def log_probabilities(audio: np.ndarray) -> np.ndarray:
    """audio: (samples,) 16 kHz float32, -1 to 1 → (samples // 320 + 1, len(symbols())) float32, natural logarithms.

    exp of a row sums to 1. It takes about a tenth of the sound's time on one core. The same sound gives the same
    values. Raises UserError where the package is missing.
    """
    frames = len(audio) // FRAME_SAMPLES + 1
    return np.concatenate([_piece(audio, first, frames) for first in range(0, frames, PIECE_FRAMES)])


def _piece(audio: np.ndarray, first: int, frames: int) -> np.ndarray:
    """Up to PIECE_FRAMES of the sound's frames, from the first on, heard with what is around them."""
    before, last = min(first, MARGIN_FRAMES), min(first + PIECE_FRAMES, frames)
    around = audio[(first - before) * FRAME_SAMPLES : (last + MARGIN_FRAMES) * FRAME_SAMPLES]
    heard = np.ascontiguousarray(around, np.float32)[None]
    lengths = np.array([heard.shape[1]], np.int64)
    found, _ = _model().session.run(["log_probs", "out_lengths"], {"waveform": heard, "waveform_lengths": lengths})
    return np.asarray(found[0, before : before + last - first])


@cache
def _model() -> "ASRModel":
    """Loaded once a process, in 50 ms. Raises UserError where the package, or its build for this system, is missing."""
    try:
        from hama import ASRModel
    except ImportError:
        raise UserError(_INSTALL) from None
    try:
        return ASRModel()
    except RuntimeError:  # the wheel has libraries for Linux and macOS, and none for Windows
        raise UserError("the package hama has no build for this system; hear phones on Linux or macOS") from None
