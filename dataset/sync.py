"""How late a mouth is against the sound of its speech, for a whole clip and along it, without a model."""

from dataclasses import dataclass

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT, indices

STEP_S = 0.01
STEP_SAMPLES = round(STEP_S * SAMPLE_RATE)
ENERGY_WINDOW_S = 0.025
VOICE_HZ = (300.0, 4000.0)  # the formants: an open mouth is heard there; the pitch below goes on through closed lips
DEPTH_DB = 35.0  # below the loud parts, where energy stops counting
SYLLABLE_HZ = (1.0, 8.0)  # slower is the sentence and its pauses, faster is noise
REACH_S = 0.5  # lags that are looked at in a whole clip
SHORTEST_S = 2.0  # a shorter clip tells nothing
RIVAL_S = 0.15  # peaks nearer than this are one peak

# A mouth opens ahead of its vowel's energy and closes behind it, so a synchronous clip does not read 0. Medians: 12 ms
# in 31 pieces of 15 s of real speech (FACEGOOD), with a standard deviation of 8 ms, and 3 ms in the procedural demo.
USUAL_LAG_MS = 10.0

WINDOW_S, HOP_S = 4.0, 1.0  # of the lag along a clip
FEWEST_WINDOWS = 4
FAR_S = 1.2  # lags that are looked at along a clip, where lost frames add up
JUMP_COST = 0.01  # in correlation, for each step that the lag changes from one window to the next
REACH_COST = 0.05  # in correlation, for each second of lag: even rhythm fits a syllable later about as well


@dataclass(frozen=True)
class Lag:
    """How late the curves are against the sound, a usual mouth taken as 0, and how sure that is."""

    ms: float  # negative: early
    correlation: float  # of opening and energy at that lag; clean speech 0.5 to 0.9
    margin: float  # by which it beats every lag further away than RIVAL_S


@dataclass(frozen=True)
class LagTrack:
    """The lag along a clip: correlation of every window at every lag, and the steadiest good path through them."""

    times_s: np.ndarray  # (windows,) the windows' middles
    lags_ms: np.ndarray  # (lags,) those looked at, a usual mouth at 0
    correlation: np.ndarray  # (windows, lags)
    path_ms: np.ndarray  # (windows,)

    @property
    def confidence(self) -> np.ndarray:
        """(windows,) the correlation on the path."""
        return np.take_along_axis(self.correlation, self._path_index[:, None], axis=1)[:, 0]

    @property
    def _path_index(self) -> np.ndarray:
        return np.searchsorted(self.lags_ms, self.path_ms - 0.5)


def mouth_opening(curves: np.ndarray) -> np.ndarray:
    """(frames, 52) → (frames,): JawOpen and the lower lip, which rise and fall with the voice's energy."""
    columns = indices(ARKIT, ("JawOpen", "MouthLowerDownLeft", "MouthLowerDownRight"))
    return curves[:, columns] @ np.array([1.0, 0.5, 0.5])


def voice_energy(audio: np.ndarray) -> np.ndarray:
    """(samples,) 16 kHz → (steps,) dB of the band VOICE_HZ above DEPTH_DB below the loud parts; step i at i·STEP_S."""
    from scipy.signal import butter, fftconvolve, sosfiltfilt

    band = butter(2, VOICE_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    voice = sosfiltfilt(
        band, audio.astype(np.float64), padlen=min(len(audio) - 1, round(ENERGY_WINDOW_S * SAMPLE_RATE))
    )
    window = round(ENERGY_WINDOW_S * SAMPLE_RATE)
    power = fftconvolve(voice**2, np.full(window, 1 / window), "same")[::STEP_SAMPLES]
    level_db = 10 * np.log10(power.clip(1e-10))
    return (level_db - (np.percentile(level_db, 95) - DEPTH_DB)).clip(0)


def lag(curves: np.ndarray, audio: np.ndarray, fps: float) -> Lag | None:
    """The lag of (frames, 52) at fps against (samples,) 16 kHz: where mouth opening and voice energy correlate best.

    Frame i stands at i / fps. None where a clip is shorter than SHORTEST_S or either is still.
    """
    opening, energy = _syllables(curves, audio, fps)
    reach = round(REACH_S / STEP_S)
    if len(energy) * STEP_S < SHORTEST_S or not opening.std() > 1e-6 or not energy.std() > 1e-6:
        return None
    similarity = np.array([_correlation(opening, energy, shift) for shift in range(-reach, reach + 1)])
    peak = int(similarity.argmax())
    rivals = np.abs(np.arange(len(similarity)) - peak) > RIVAL_S / STEP_S
    ms = (peak - reach + _parabola(similarity, peak)) * STEP_S * 1000 - USUAL_LAG_MS
    return Lag(float(ms), float(similarity[peak]), float(similarity[peak] - similarity[rivals].max()))


def lag_track(curves: np.ndarray, audio: np.ndarray, fps: float) -> LagTrack | None:
    """The lag in windows of WINDOW_S along a clip; None where the clip has fewer than FEWEST_WINDOWS.

    curves: (frames, 52) in ARKit's order, at fps frames a second. audio: (samples,) at 16 kHz.
    The path is the one of highest correlation, summed over windows, less JUMP_COST for every step it changes and
    REACH_COST (dynamic programming), so that a window of silence or of a chance likeness does not throw it.
    """
    opening, energy = _syllables(curves, audio, fps)
    window, hop, reach = (round(seconds / STEP_S) for seconds in (WINDOW_S, HOP_S, FAR_S))
    starts = np.arange(0, len(energy) - window + 1, hop)
    if len(starts) < FEWEST_WINDOWS:
        return None
    padded = np.pad(opening, reach)
    correlation = np.array([_window_correlation(padded, energy, start, window, reach) for start in starts.tolist()])
    shifts = np.arange(-reach, reach + 1)
    path = _steady_path(correlation - REACH_COST * np.abs(shifts) * STEP_S)
    lags_ms = shifts * STEP_S * 1000 - USUAL_LAG_MS
    return LagTrack(starts * STEP_S + WINDOW_S / 2, lags_ms, correlation, lags_ms[path])


def _syllables(curves: np.ndarray, audio: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Opening and energy, both (steps,), of the common length and the syllables' band."""
    from scipy.signal import butter, sosfiltfilt

    energy = voice_energy(audio)
    steps = min(len(energy), int(len(curves) / fps / STEP_S))
    if steps * STEP_S < SHORTEST_S:
        return np.zeros(steps), np.zeros(steps)
    opening = np.interp(np.arange(steps) * STEP_S, np.arange(len(curves)) / fps, mouth_opening(curves))
    band = butter(2, SYLLABLE_HZ, "bandpass", fs=1 / STEP_S, output="sos")
    return sosfiltfilt(band, opening), sosfiltfilt(band, energy[:steps])


def _correlation(late: np.ndarray, early: np.ndarray, shift: int) -> float:
    """Pearson's r of late[i + shift] and early[i], where both exist."""
    steps = len(early) - abs(shift)
    a, b = late[max(shift, 0) :][:steps], early[max(-shift, 0) :][:steps]
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std() + 1e-12))


def _window_correlation(padded: np.ndarray, energy: np.ndarray, start: int, window: int, reach: int) -> np.ndarray:
    """r of a window of the energy with the openings around it, (2·reach + 1,): the lags from early to late.

    Windows in which either hardly moves, against the whole clip, are held near 0.
    """
    quiet_opening, quiet_energy = 0.2 * padded.std(), 0.2 * energy.std()
    heard = energy[start : start + window]
    seen = np.lib.stride_tricks.sliding_window_view(padded[start : start + window + 2 * reach], window)
    heard, seen = heard - heard.mean(), seen - seen.mean(axis=1, keepdims=True)
    return (seen @ heard / window) / ((seen.std(axis=1) + quiet_opening) * (heard.std() + quiet_energy) + 1e-12)


def _steady_path(score: np.ndarray) -> np.ndarray:
    """(windows, lags) → (windows,) index of the lag in each window."""
    lags = np.arange(score.shape[1])
    cost = JUMP_COST * np.abs(lags[:, None] - lags)
    best, came_from = score[0], []
    for row in score[1:]:
        reached = best[:, None] - cost  # (from, to)
        came_from.append(reached.argmax(axis=0))
        best = row + reached.max(axis=0)
    path = [int(best.argmax())]
    for sources in reversed(came_from):
        path.append(int(sources[path[-1]]))
    return np.array(path[::-1])


def _parabola(values: np.ndarray, peak: int) -> float:
    """Where, in steps from the peak, the parabola through it and its neighbours is highest."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, at, after = values[peak - 1 : peak + 2]
    curvature = before - 2 * at + after
    return float((before - after) / (2 * curvature)) if curvature else 0.0
