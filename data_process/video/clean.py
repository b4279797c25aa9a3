"""From what the tracker says to what a face does: its neutral pose taken away, lids mended, noise taken out."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import savgol_filter

from dataset.blendshapes import ARKIT, indices

REST_PERCENTILE = 10  # where no rest is heard: a talking face is in its neutral pose, channel by channel, as often
LEAST_REST_S = 1.0  # of silence that shows the neutral pose
HIGHEST_NEUTRAL = 0.8  # a channel that rests higher is not seen at all; what is left of its range would be noise
LEAST_SMOOTHED_FPS = 20.0  # slower footage has speech, and no noise apart from it, between its frames
WINDOW_FRAMES, DEGREE = (
    5,
    2,
)  # of the smooth curve: 170 ms at 30 fps, a parabola, so a closure of 100 ms keeps its depth
LOCAL_FRAMES = 5  # over which what departs from it is weighed against the noise
LID_CLOSED_PERCENTILE = 99.5
LEAST_BLINK = 0.25  # above rest: a person whose lids never go so far was not seen to blink
MOST_LID_GAIN = 2.5
THIRD_DIFFERENCE = np.sqrt(20.0)  # standard deviation of the third difference of white noise of deviation 1
MAD = 1.4826  # a median absolute deviation to a standard one, of a normal distribution


@dataclass(frozen=True)
class Cleaned:
    """Curves and what was done to them."""

    curves: np.ndarray  # (frames, 52) from 0 to 1
    noise: np.ndarray  # (52,) standard deviation of the noise that was found; 0 where it was not looked for


def clean(scores: np.ndarray, neutral: np.ndarray, lids: "Lids", fps: float) -> Cleaned:
    """scores: (frames, 52) of one clip, from the tracker; neutral: (52,); fps: their rate."""
    noise = noise_levels(scores) if fps >= LEAST_SMOOTHED_FPS else np.zeros(scores.shape[1])
    rested = without_neutral(smooth(scores, noise), neutral)
    return Cleaned(lids.mend(rested), noise)


def neutral_pose(scores: np.ndarray, is_rest: np.ndarray, fps: float) -> np.ndarray:
    """(52,) what the tracker says of one person's face at rest.

    scores: (frames, 52). is_rest: (frames,) bool: those in a pause. With LEAST_REST_S of them a channel's neutral is
    their median, where it is not higher than in a quarter of all frames: people smile in pauses too. Else the
    REST_PERCENTILE of all frames.
    """
    if is_rest.sum() < LEAST_REST_S * fps:
        return np.percentile(scores, REST_PERCENTILE, axis=0)
    return np.minimum(np.median(scores[is_rest], axis=0), np.percentile(scores, 25, axis=0))


def without_neutral(scores: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """(frames, 52) → the same from 0 at the neutral pose (52,) to 1; no value below 0."""
    share = (scores - neutral) / (1 - np.minimum(neutral, HIGHEST_NEUTRAL))
    return share.clip(0, 1)


def noise_levels(values: np.ndarray) -> np.ndarray:
    """(frames, channels) → (channels,) standard deviation of the white noise on them.

    From third differences, which leave nothing of a motion that is a parabola for four frames; their median is that of
    the many frames in which a channel does little.
    """
    if len(values) < 4:
        return np.zeros(values.shape[1])
    return MAD * np.median(np.abs(np.diff(values, 3, axis=0)), axis=0) / THIRD_DIFFERENCE


def smooth(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(frames, channels) less noise of so much (channels,), without delay, and with fast motion left as it is.

    A parabola over WINDOW_FRAMES (Savitzky & Golay 1964), to which what departs from it is given back in the share by
    which its local power exceeds the noise's (Lee 1980): all of it in a quick closure, little at rest.
    """
    if len(values) < WINDOW_FRAMES:
        return values
    even = savgol_filter(values, WINDOW_FRAMES, DEGREE, axis=0)
    rest = values - even
    power = uniform_filter1d(rest**2, LOCAL_FRAMES, axis=0, mode="nearest")
    # Of white noise the parabola takes 17/35 with it (its middle weight), so this much is left in the rest.
    expected = noise**2 * (1 - 17 / 35)
    share = 1 - np.minimum(1, 2 * expected / np.maximum(power, 1e-12))  # twice: a mean of five strays as far
    return even + share * rest


_BLINK = indices(ARKIT, ("EyeBlinkLeft", "EyeBlinkRight"))
_DOWN = indices(ARKIT, ("EyeLookDownLeft", "EyeLookDownRight"))


@dataclass(frozen=True)
class Lids:
    """How a person's blink channels read: what a gaze downwards adds to them, and how far a closed eye goes."""

    by_gaze: tuple[float, float]  # left, right: blink for each unit of EyeLookDown
    gain: tuple[float, float]

    def mend(self, curves: np.ndarray) -> np.ndarray:
        """(frames, 52) above neutral → the same, in which lids close in blinks alone, and then wholly."""
        mended = curves.copy()
        for blink, down, slope, gain in zip(_BLINK, _DOWN, self.by_gaze, self.gain, strict=True):
            mended[:, blink] = (gain * _less_gaze(curves[:, blink], curves[:, down], slope)).clip(0, 1)
        return mended


def _less_gaze(blink: np.ndarray, down: np.ndarray, slope: float) -> np.ndarray:
    """A lid follows the gaze down, and less of its way is left for a blink."""
    follows = np.minimum(slope * down, 0.9)
    return ((blink - follows) / (1 - follows)).clip(0)


def measure_lids(curves: np.ndarray) -> Lids:
    """How the lids of one person read, from (frames, 52) above neutral."""
    slopes, gains = [], []
    for blink, down in zip(_BLINK, _DOWN, strict=True):
        slope = gaze_slope(curves[:, blink], curves[:, down])
        closed = float(np.percentile(_less_gaze(curves[:, blink], curves[:, down], slope), LID_CLOSED_PERCENTILE))
        slopes.append(slope)
        gains.append(min(1 / closed, MOST_LID_GAIN) if closed >= LEAST_BLINK else 1.0)
    return Lids((slopes[0], slopes[1]), (gains[0], gains[1]))


def gaze_slope(blink: np.ndarray, down: np.ndarray) -> float:
    """How much a gaze downwards adds to a blink channel, from (frames,) of both, blinks left out.

    The median of blink over down where the gaze is down: blinks are short, so they do not move it; 0 where the gaze
    hardly ever is.
    """
    is_down = down > 0.15
    if is_down.mean() < 0.02 or is_down.sum() < 10:
        return 0.0
    return float(np.median(blink[is_down] / down[is_down]).clip(0, 1))
