"""Scores of predicted curves against recorded ones: pure functions on arrays, each with its formula and source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, cast

import numpy as np

from dataset.blendshapes import BROW, EYE, FACE, GROUPS, JAW, MOUTH, indices

STILL = 1e-5  # a target that spans no more than this over a clip is csv rounding, not motion
MAX_LAG_S = 0.5
HIGH_HZ = 6.0  # syllables come at 2 to 8 a second, and a mouth's motion above this is mostly noise
RESAMPLES = 1000
LONG_FRAMES = 50_000  # above, channels are measured some at a time, which takes less memory
CHANNELS_AT_ONCE = 8
MOST_EXACT_CELLS = 1 << 32  # 36 minutes at 30 frames a second
CONFIDENCE = 0.95
SCORED_GROUPS = ("jaw", "mouth", "brow", "cheek_nose", "eye", "face")


class PartScores(TypedDict):
    """The scores of some channels together, or of one; what each means is said at summarise."""

    mae: float
    rmse: float
    correlation: float | None
    std: float
    target_std: float
    jerk: float | None
    target_jerk: float | None
    high_frequency: float | None
    target_high_frequency: float | None
    amplitude_ratio: float | None
    jerk_ratio: float | None
    high_frequency_ratio: float | None
    moving: float


class DtwScores(TypedDict):
    """What dtw_scores gives."""

    contest: float
    contest_per_step: float
    exact_dtw: float | None
    exact_dtw_per_step: float | None


class CurveScores(DtwScores):
    """The scores of a clip's curves against its target, or several clips' mean; None where one has no meaning."""

    frames: float
    target_frames: float
    jaw_open_lag_ms: float | None
    mouth_error: float | None
    upper_face_deviation: float | None
    groups: dict[str, PartScores]  # of SCORED_GROUPS
    channels: dict[str, PartScores]


Intervals = dict[str, list[float] | None]
"""The intervals of means, [low, high], by path: "contest", "groups.face.mae"; None where fewer than 2 clips count."""

Scores: TypeAlias = Mapping[str, Any]
"""Scores by name, whichever: a number, None where a score has no meaning, or a mapping of the same."""

AnyScores = TypeVar("AnyScores", bound=Scores)


def is_still(curves: np.ndarray) -> np.ndarray:
    """curves: (frames, channels) → (channels,) bool: the channel does not move."""
    return np.ptp(curves, axis=0) <= STILL


def correlation(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pearson's r over time, both (frames, channels) → (channels,).

    NaN where the target is still, for there is nothing to follow; 0 where only the prediction is, for it follows
    nothing (so that predicting a constant for a hard channel does not raise the mean).
    """
    p, t = prediction - prediction.mean(axis=0), target - target.mean(axis=0)
    scale = np.sqrt((p**2).sum(axis=0) * (t**2).sum(axis=0))
    follows = ~is_still(prediction) & ~is_still(target)
    r = np.divide((p * t).sum(axis=0), scale, out=np.zeros(scale.shape), where=follows)
    return np.where(is_still(target), np.nan, r)


def jerk(curves: np.ndarray, fps: float) -> np.ndarray:
    """Mean |third difference| · fps³, (frames, channels) → (channels,), per s³: how jittery the motion is.

    The third derivative of position is the usual measure of smoothness (Flash & Hogan 1985). NaN below 4 frames.
    """
    if len(curves) < 4:
        return np.full(curves.shape[1], np.nan)
    return np.abs(np.diff(curves, 3, axis=0)).mean(axis=0) * fps**3


def high_frequency(curves: np.ndarray, fps: float) -> np.ndarray:
    """The variance above HIGH_HZ, (frames, channels) → (channels,): the sum of the periodogram (Schuster 1898) there.

    Each channel less its mean, under a Hann window, so that a clip's ends do not leak into high frequencies; a sine of
    amplitude A above HIGH_HZ gives A² / 2. 0 where fps is too low to hold such motion, NaN below 4 frames.
    """
    from scipy.signal import periodogram

    if len(curves) < 4:
        return np.full(curves.shape[1], np.nan)
    frequency, power = periodogram(curves, fps, window="hann", axis=0)
    return power[frequency > HIGH_HZ].sum(axis=0) * fps / len(curves)


def mouth_error(prediction: np.ndarray, target: np.ndarray, names: tuple[str, ...]) -> float | None:
    """The largest |prediction − target| among jaw and mouth channels in a frame, mean over frames.

    Both (frames, len(names)). The lip vertex error (Richard et al. 2021, MeshTalk: the largest error of a lip vertex in
    a frame, mean over frames) with coefficients in place of vertices. Channels go by name: published masks of lip and
    face indices disagree with the orders that they are used with.
    """
    members = [index for index, name in enumerate(names) if name in JAW + MOUTH]
    return float(np.abs(prediction[:, members] - target[:, members]).max(axis=1).mean()) if members else None


def upper_face_deviation(prediction: np.ndarray, target: np.ndarray, names: tuple[str, ...]) -> float | None:
    """std of the target less that of the prediction, mean over brow and eye channels; 0 for as lively an upper face.

    Both (frames, len(names)). The upper-face dynamics deviation (FDD of Xing et al. 2023, CodeTalker) with coefficients
    in place of vertices; positive where the prediction is too still.
    """
    members = [index for index, name in enumerate(names) if name in BROW + EYE]
    return float((target.std(axis=0) - prediction.std(axis=0))[members].mean()) if members else None


def diversity(repeats: Sequence[np.ndarray]) -> float | None:
    """Root mean square difference between repeats (other seeds) of one clip, each (frames, channels); mean over pairs.

    0 for a model that always says the same. The multimodality of Guo et al. 2020 (Action2Motion), on coefficients
    over the frames that a pair has in common. None below two repeats.
    """
    cuts = [(a[: len(b)], b[: len(a)]) for a, b in combinations(repeats, 2)]
    return float(np.mean([np.sqrt(((a - b) ** 2).mean()) for a, b in cuts])) if cuts else None


def lag_ms(prediction: np.ndarray, target: np.ndarray, fps: float) -> float | None:
    """By how much one channel's prediction, (frames,), is late against its target, (frames,); negative: early.

    The shift within ± 500 ms (at most half the clip) at which Pearson's r of the overlapping parts peaks, refined
    below a frame by the parabola through the peak and its neighbours. None where either is still.
    """
    reach = min(round(MAX_LAG_S * fps), len(target) // 2)
    if is_still(prediction[:, None])[0] or is_still(target[:, None])[0]:
        return None
    similarity = [_shifted_correlation(prediction, target, shift) for shift in range(-reach, reach + 1)]
    peak = int(np.argmax(similarity))
    offset = 0.0
    if 0 < peak < 2 * reach:
        before, at, after = similarity[peak - 1 : peak + 2]
        if curvature := before - 2 * at + after:
            offset = (before - after) / (2 * curvature)
    return (peak - reach + offset) * 1000 / fps


def _shifted_correlation(prediction: np.ndarray, target: np.ndarray, shift: int) -> float:
    """r of prediction[i + shift] and target[i] where both exist."""
    frames = len(target) - abs(shift)
    late, early = max(shift, 0), max(-shift, 0)
    p, t = prediction[late : late + frames, None], target[early : early + frames, None]
    return float(np.nan_to_num(correlation(p, t)[0]))


def dtw_scores(prediction: np.ndarray, target: np.ndarray, piece_frames: int | None = None) -> DtwScores:
    """The contest score and its relatives, for (frames, 37) and (frames, 37) of possibly other length.

    contest: FastDTW (Salvador & Chan 2007) of radius 1, cost the mean squared error over channels, summed along the
    warping path. exact_dtw: the same sum along the best path of all, None where it would look at more than
    MOST_EXACT_CELLS pairs of frames, a byte each. …_per_step: divided by the path's length, so that clips of different
    lengths compare. With piece_frames the clip is cut into pieces of that length, what remains is
    left out, and the scores are the pieces' means; a clip shorter than a piece is one.
    """
    from dataset.dtw import exact_dtw, fastdtw

    pieces = _pieces(prediction, target, piece_frames)
    contest, contest_per_step = _path_sums(fastdtw, pieces)
    small = all(len(p) * len(t) <= MOST_EXACT_CELLS for p, t in pieces)
    exact, exact_per_step = _path_sums(exact_dtw, pieces) if small else (None, None)
    return {
        "contest": contest,
        "contest_per_step": contest_per_step,
        "exact_dtw": exact,
        "exact_dtw_per_step": exact_per_step,
    }


def _path_sums(dtw: Callable[..., tuple[float, Any]], pieces: Sequence[tuple[np.ndarray, ...]]) -> tuple[float, float]:
    """The sum along a piece's path, and for each of its steps."""
    found = [dtw(np.ascontiguousarray(p), np.ascontiguousarray(t)) for p, t in pieces]
    total = sum(distance for distance, _ in found)
    return float(total / len(pieces)), float(total / sum(len(path) for _, path in found))


def _pieces(prediction: np.ndarray, target: np.ndarray, frames: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
    count = min(len(prediction), len(target)) // frames if frames else 0
    if not frames or not count:
        return [(prediction, target)]
    cuts = [slice(i * frames, (i + 1) * frames) for i in range(count)]
    return [(prediction[cut], target[cut]) for cut in cuts]


def clip_scores(
    prediction: np.ndarray, target: np.ndarray, names: tuple[str, ...], fps: float, piece_frames: int | None = None
) -> CurveScores:
    """Every score of one clip against its target, for (frames, len(names)) and likewise of possibly other length.

    names must hold JawOpen; of the face's 37 channels those that are there count. DTW sees both whole; the other scores
    compare frame by frame over the length that both have. "groups" and "channels" hold the scores that summarise gives.
    """
    face = indices(names, tuple(name for name in FACE if name in names))
    jaw_open = names.index("JawOpen")
    frames = min(len(prediction), len(target))
    dtw = dtw_scores(np.take(prediction, face, axis=1), np.take(target, face, axis=1), piece_frames)
    p, t = np.ascontiguousarray(prediction[:frames]), np.ascontiguousarray(target[:frames])  # sums by one order
    step = len(names) if frames <= LONG_FRAMES else CHANNELS_AT_ONCE
    parts = [_measures(p[:, at : at + step], t[:, at : at + step], fps) for at in range(0, len(names), step)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    groups = {group: tuple(name for name in GROUPS[group] if name in names) for group in SCORED_GROUPS}
    return {
        "frames": len(prediction),
        "target_frames": len(target),
        **dtw,
        "jaw_open_lag_ms": lag_ms(p[:, jaw_open], t[:, jaw_open], fps),
        "mouth_error": mouth_error(p, t, names),
        "upper_face_deviation": upper_face_deviation(p, t, names),
        "groups": {group: summarise(columns, indices(names, members)) for group, members in groups.items() if members},
        "channels": {name: summarise(columns, [index]) for index, name in enumerate(names)},
    }


def part_scores(p: np.ndarray, t: np.ndarray, names: Sequence[str], fps: float) -> dict[str, PartScores]:
    """Name → the scores that summarise gives, column by column of a prediction and its target, (frames, len(names))."""
    columns = _measures(p, t, fps)
    return {name: summarise(columns, [index]) for index, name in enumerate(names)}


def _measures(p: np.ndarray, t: np.ndarray, fps: float) -> dict[str, np.ndarray]:
    """What summarise takes of a prediction and its target, (frames, channels) each → (channels,) each."""
    return {
        "mae": np.abs(p - t).mean(axis=0),
        "mse": ((p - t) ** 2).mean(axis=0),
        "correlation": correlation(p, t),
        "std": p.std(axis=0),
        "target_std": t.std(axis=0),
        "jerk": jerk(p, fps),
        "target_jerk": jerk(t, fps),
        "high_frequency": high_frequency(p, fps),
        "target_high_frequency": high_frequency(t, fps),
        "moving": ~is_still(t),
    }


def summarise(columns: Mapping[str, np.ndarray], members: list[int]) -> PartScores:
    """The scores of some channels together, from each measure's (channels,).

    mae: the channels' mean. rmse: root of their mean squared error. correlation: mean over the channels whose target
    moves. std, jerk, high_frequency: means. amplitude_ratio, jerk_ratio and high_frequency_ratio: the prediction's mean
    over the target's, 1 for motion as large, as jittery as the target's; None where nothing moves. moving: how many
    targets move.
    """
    part = {name: column[members] for name, column in columns.items()}
    moving = part["moving"]
    return {
        "mae": float(part["mae"].mean()),
        "rmse": float(np.sqrt(part["mse"].mean())),
        "correlation": float(part["correlation"][moving].mean()) if moving.any() else None,
        "std": float(part["std"].mean()),
        "target_std": float(part["target_std"].mean()),
        "jerk": _number(part["jerk"].mean()),
        "target_jerk": _number(part["target_jerk"].mean()),
        "high_frequency": _number(part["high_frequency"].mean()),
        "target_high_frequency": _number(part["target_high_frequency"].mean()),
        "amplitude_ratio": _ratio(part["std"], part["target_std"]) if moving.any() else None,
        "jerk_ratio": _ratio(part["jerk"], part["target_jerk"]) if moving.any() else None,
        "high_frequency_ratio": (
            _ratio(part["high_frequency"], part["target_high_frequency"]) if moving.any() else None
        ),
        "moving": int(moving.sum()),
    }


def _ratio(prediction: np.ndarray, target: np.ndarray) -> float | None:
    return _number(prediction.mean() / target.mean()) if target.mean() else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def mean_scores(clips: Sequence[AnyScores]) -> AnyScores:
    """The mean over clips of every score, clips for which it is None or absent left out."""
    means: dict[str, float | None] = {}
    for path, values in _by_path(clips).items():
        known = [value for value in values if value is not None]
        means[path] = sum(known) / len(known) if known else None
    return cast(AnyScores, nested(means))


def intervals(clips: Sequence[Scores], resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """The bootstrap interval of every mean that mean_scores gives.

    Clips are drawn with replacement, as many as there are, `resamples` times; the interval holds the middle CONFIDENCE
    of the means (percentile bootstrap, Efron 1979). The same seed gives the same interval. With few clips it is
    too narrow rather than too wide.
    """
    drawn = np.random.default_rng(seed).integers(len(clips), size=(resamples, len(clips)))
    times = np.stack([(drawn == index).sum(axis=1) for index in range(len(clips))], axis=1)
    return {path: _interval(values, times) for path, values in _by_path(clips).items()}


@dataclass(frozen=True)
class OverClips(Generic[AnyScores]):
    """The scores of clips, and of what stands beside them."""

    clips: dict[str, AnyScores]
    floors: dict[str, dict[str, AnyScores]]  # name → the scores of each clip that has such curves

    @cached_property
    def mean(self) -> AnyScores:
        """Over the clips."""
        return mean_scores(list(self.clips.values()))

    @cached_property
    def ends(self) -> Intervals:
        """The intervals of the means."""
        return intervals(list(self.clips.values()))

    @cached_property
    def floor_means(self) -> dict[str, AnyScores]:
        """Name of a floor → its mean over the clips that have one."""
        return {name: mean_scores(list(scores.values())) for name, scores in self.floors.items()}


def nested(by_path: Mapping[str, Any]) -> dict[str, Any]:
    """What is known by path ("groups.face.mae") in dicts, as scores are."""
    tree: dict[str, Any] = {}
    for path, value in by_path.items():
        *parents, name = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = value
    return tree


def _by_path(clips: Sequence[Scores]) -> dict[str, list[float | None]]:
    """Path of a score → each clip's, None where it has none."""
    found = [dict(_leaves(clip)) for clip in clips]
    paths = dict.fromkeys(path for scores in found for path in scores)
    return {path: [scores.get(path) for scores in found] for path in paths}


def _leaves(scores: Scores, within: str = "") -> Iterator[tuple[str, float | None]]:
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{within}{name}.")
        else:
            yield within + name, value


def _interval(values: Sequence[float | None], times: np.ndarray) -> list[float] | None:
    """times: (resamples, clips), how often each clip was drawn."""
    known = [index for index, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    counts = times[:, known]
    drawn = counts.sum(axis=1)
    sums = counts @ np.array([values[index] for index in known], np.float64)
    tail = 50 * (1 - CONFIDENCE)
    return np.percentile(sums[drawn > 0] / drawn[drawn > 0], [tail, 100 - tail]).tolist()
