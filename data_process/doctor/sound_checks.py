"""What may be wrong with a recording's sound, as numbers: clipping, offset, silence, and hum of the mains."""

import numpy as np
import soxr
from scipy.signal import spectrogram

from config.units import SAMPLE_RATE

CLIP_RUN = 3  # samples in a row at the rail; a wave that is whole touches its peak with one or two
CLIP_TOLERANCE = 2.0**-14  # of full scale: two steps of 16 bits
CLIP_FLOOR = 0.01  # sound that never gets past this is too coarse to tell a flat top from a round one
FRAME_S = 0.02
SILENCE_DB = -60.0  # of full scale
PAUSE_DB = 40.0  # below the clip's loud frames
LOUD_PERCENTILE = 95
MAINS_HZ = (50, 60)
HARMONICS = 4  # rectified hum is strongest in the second, a magnetic field's in the third
LINE_HZ = 1.0  # a line may lie this far from where it belongs
LOW_RATE = 1000  # Hz; holds all of the lines
QUIETER_PERCENTILE = 25
NEAR_HZ, FAR_HZ = 4.0, 12.0  # the neighbours that a line is compared with, on either side
FAINTEST_DENSITY = 1e-14  # full scale² a Hz, a hundredth of what rounding to 16 bits leaves: keeps digital silence at 0


def sound_report(audio: np.ndarray, rate: int = SAMPLE_RATE) -> dict[str, float]:
    """All of the checks below on (samples,) at a rate in Hz, and the peak, rounded for a file: names → numbers."""
    return {
        "peak": round(float(np.abs(audio).max(initial=0)), 4),
        "clipped_share": round(clipped_share(audio), 6),
        "dc_offset": round(dc_offset(audio), 5),
        "silent_share": round(silent_share(audio, rate), 4),
        "hum_db": round(hum_db(audio, rate), 1),
    }


def clipped_share(audio: np.ndarray) -> float:
    """Share of samples in flat tops: CLIP_RUN or more in a row at the sound's own highest or lowest value.

    audio: (samples,) in [-1, 1], any rate; best before resampling, which bends flat tops. Sound that was clipped and
    made quieter afterwards is found too.
    """
    clipped = 0
    for wave in (audio, -audio):
        rail = wave.max(initial=0)
        if rail > CLIP_FLOOR:
            edges = np.flatnonzero(np.diff(wave > rail - CLIP_TOLERANCE, prepend=False, append=False))
            lengths = np.diff(edges)[::2]
            clipped += int(lengths[lengths >= CLIP_RUN].sum())
    return clipped / max(len(audio), 1)


def dc_offset(audio: np.ndarray) -> float:
    """The mean of (samples,), in full scales: 0 for sound as it should be."""
    return float(audio.mean(dtype=np.float64)) if len(audio) else 0.0


def silent_share(audio: np.ndarray, rate: int = SAMPLE_RATE) -> float:
    """Share of FRAME_S frames without sound: below SILENCE_DB, or PAUSE_DB below the clip's loud frames.

    audio: (samples,) in [-1, 1]. The offset is no sound. A noisy room has no such frames: see how it compares.
    """
    size = max(1, round(FRAME_S * rate))
    if not len(audio):
        return 1.0
    wave = np.pad(audio - dc_offset(audio), (0, -len(audio) % size)).reshape(-1, size)
    level_db = 10 * np.log10(np.square(wave, dtype=np.float64).mean(axis=1).clip(1e-12))
    threshold_db = max(SILENCE_DB, float(np.percentile(level_db, LOUD_PERCENTILE)) - PAUSE_DB)
    return float((level_db < threshold_db).mean())


def hum_db(audio: np.ndarray, rate: int = SAMPLE_RATE) -> float:
    """How far the strongest line of the mains stands above the spectrum around it, in dB; 0 when none does.

    audio: (samples,). The lines are 50 and 60 Hz and their first HARMONICS multiples, in the spectrum of the quieter
    one-second pieces: a hum is there all the time, a voice comes and goes. Below about 12 dB is chance, or a voice of
    even pitch. Sound shorter than two seconds tells nothing: 0.
    """
    if len(audio) < 2 * rate:
        return 0.0
    low = soxr.resample((audio - dc_offset(audio)).astype(np.float32), rate, LOW_RATE)
    hz, _, density = spectrogram(low, LOW_RATE, "hann", nperseg=LOW_RATE, noverlap=LOW_RATE * 3 // 4)
    usual = np.percentile(density, QUIETER_PERCENTILE, axis=1) + FAINTEST_DENSITY
    lines = {base * multiple for base in MAINS_HZ for multiple in range(1, HARMONICS + 1)}
    return max(0.0, *(_prominence_db(hz, usual, line) for line in lines))


def _prominence_db(hz: np.ndarray, density: np.ndarray, line_hz: float) -> float:
    away = np.abs(hz - line_hz)
    line = density[away <= LINE_HZ].max()
    return float(10 * np.log10(line / np.median(density[(away >= NEAR_HZ) & (away <= FAR_HZ)])))
