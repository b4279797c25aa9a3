"""Clips cut into training examples: a window of features, the window of curves beside it, and the clip's domain."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from config.errors import UserError
from config.schema import Windows
from dataset.blendshapes import ARKIT, indices
from dataset.feature_store import FeatureStore
from dataset.phone_classes import phone_classes
from dataset.stats import Stats
from dataset.store import ClipInfo, ClipStore
from dataset.text_stream import text_stream
from dataset.transcript import Word

AnyArray = TypeVar("AnyArray")
OtherArray = TypeVar("OtherArray")


@dataclass(frozen=True)
class Batch(Generic[AnyArray]):
    """B examples of T motion frames: numpy arrays here, tensors in training."""

    features: AnyArray  # (B, T, feature size) float16, as cached; T and a margin where the decoder hears ahead
    target: AnyArray  # (B, T, channels) float32, normalised by the training stats
    domain: AnyArray  # (B,) int64
    unit: AnyArray | None = None  # (B, T) uint8, what is said (dataset/text_stream.py); None without a text stream
    position: AnyArray | None = None  # (B, T) float32 within the unit
    phones: AnyArray | None = None  # (B, T) int8, what is heard (dataset/phone_classes.py); None where nobody learns it
    captured: AnyArray | None = None  # (B, channels) bool, where the target counts; None: everywhere

    def map(self, function: Callable[[AnyArray], OtherArray]) -> "Batch[OtherArray]":
        """The batch with the function's result in the place of each array that there is."""
        others = self.unit, self.position, self.phones, self.captured
        more = (None if array is None else function(array) for array in others)
        return Batch(function(self.features), function(self.target), function(self.domain), *more)

    def with_features(self, features: AnyArray) -> "Batch[AnyArray]":
        """The batch with other features, (B, T, feature size)."""
        return replace(self, features=features)


def window_starts(frames: int, window: int, stride: int) -> np.ndarray:
    """(windows,) first frames of a clip's windows, `stride` apart.

    One more ends at the clip's end where the last falls short. A clip shorter than a window has one, at 0.
    """
    starts = np.arange(0, max(frames - window, 0) + 1, stride)
    last = max(frames - window, 0)
    return starts if starts[-1] == last else np.append(starts, last)


def cut(frames: np.ndarray, start: int, window: int) -> np.ndarray:
    """frames (N, ...) → (window, ...) from `start` on, the clip's first and last frames held where it has none."""
    piece = frames[max(0, start) : start + window]
    before, after = max(0, -start), max(0, start + window - len(frames))
    if before or after:
        piece = np.pad(piece, ((before, after), *((0, 0) for _ in frames.shape[1:])), mode="edge")
    return piece


def fade_weights(window: int, overlap: int) -> np.ndarray:
    """(window,) weights that rise over the first and fall over the last `overlap` frames, so that neighbours blend."""
    rise = np.arange(1, window + 1) / (overlap + 1)
    return np.minimum(1, np.minimum(rise, rise[::-1]))


def tokens_in(words: Sequence[Word], start_s: float, end_s: float) -> int:
    """How many words sound, in part at least, between the two times."""
    return sum(word.start_s < end_s and word.end_s > start_s for word in words)


class WindowDataset:
    """The windows of some clips, as a torch dataset whose items are fetched a batch at a time.

    per_window: the cached features are (windows, T, size), an entry a window (features.context: window), instead of
    (frames, size). margin: frames before and after its window that an example has the features of besides.
    Raises UserError when no window is left.
    """

    def __init__(
        self,
        store: ClipStore,
        features: FeatureStore,
        keys: dict[str, str],  # clip id → feature key
        clips: Sequence[ClipInfo],
        domains: Sequence[str],  # their names, in the order of the one-hot
        windows: Windows,
        stats: Stats,  # of the channels to train
        curve_scale: str,  # as Stats.scale takes it
        per_window: bool = False,
        with_text: bool = False,
        with_phones: bool = False,
        margin: tuple[int, int] = (0, 0),
    ) -> None:
        self.store, self.features, self.keys = store, features, keys
        self.clips, self.per_window, self.window = tuple(clips), per_window, windows.window_frames
        self.with_text, self.with_phones, self.margin = with_text, with_phones, margin
        self.channels = indices(ARKIT, stats.channels)
        self.mean, scale = stats.mean.astype(np.float32), stats.scale(curve_scale)
        self.scale = np.where(scale > 0, scale, 1)  # what never moves is 0 when normalised
        self.domain = np.array([domains.index(clip.domain) for clip in clips], np.int64)
        self.examples = np.array(list(self._examples(windows)), np.int64).reshape(-1, 3)  # clip, number, first frame
        if not len(self.examples):
            raise UserError(f"{store.path}: no window has {windows.min_tokens} tokens; see windows.min_tokens")
        self._open_clips: dict[int, tuple[dict[str, np.ndarray], np.ndarray]] = {}

    def _examples(self, windows: Windows) -> Iterator[tuple[int, int, int]]:
        for index, clip in enumerate(self.clips):
            words = self.store[clip.id].words if windows.min_tokens else ()
            for number, start in enumerate(window_starts(clip.frames, self.window, windows.stride_frames)):
                start_s, end_s = start / self.store.fps, (start + self.window) / self.store.fps
                if not windows.min_tokens or tokens_in(words, start_s, end_s) >= windows.min_tokens:
                    yield index, number, int(start)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitems__(self, items: Sequence[int]) -> Batch[np.ndarray]:
        """The batch of these examples; torch's loader calls this once a batch."""
        rows = self.examples[np.asarray(items)]
        features = np.stack([self._features(*row) for row in rows])
        frames = {
            name: np.stack([cut(self._clip(clip)[0][name], start, self.window) for clip, _, start in rows])
            for name in self._clip(rows[0, 0])[0]
        }
        target = (frames.pop("curves")[:, :, self.channels] - self.mean) / self.scale
        captured = np.stack([self._clip(clip)[1] for clip in rows[:, 0]])
        masked = {} if captured.all() else {"captured": captured}
        return Batch(features, target, self.domain[rows[:, 0]], **frames, **masked)

    def _features(self, clip: int, number: int, start: int) -> np.ndarray:
        features = self.features[self.keys[self.clips[clip].id]]
        before, after = self.margin
        return features[number] if self.per_window else cut(features, start - before, before + self.window + after)

    def _clip(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """What a batch holds of a clip beside features: (frames, ...) by name, the curves those of the database;
        and (channels,) bool, which of them are."""
        if index not in self._open_clips:
            clip = self.store[self.clips[index].id]
            frames, fps = len(clip.curves), self.store.fps
            text = text_stream(clip.words, frames, fps)._asdict() if self.with_text else {}
            phones = {"phones": phone_classes(clip.phones, frames, fps)} if self.with_phones else {}
            self._open_clips[index] = {"curves": clip.curves, **text, **phones}, clip.captured[self.channels]
        return self._open_clips[index]

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open_clips": {}}


def versions(examples: np.ndarray, clips: int, copies: int) -> np.ndarray:
    """Which examples stand for the same window: (examples of the first `clips` clips, 1 + copies), from (n, 3) rows.

    After the clips come their first copies, in the same order, then the second. A copy at another pace has its windows
    elsewhere, and more or fewer of them: the one as far through the clip counts. One without any: the clip's own.
    """
    ends = np.searchsorted(examples[:, 0], np.arange(clips * (1 + copies) + 1))
    of_clip = [np.arange(start, end) for start, end in pairwise(ends.tolist())]
    rows = []
    for clip, own in enumerate(of_clip[:clips]):
        others = [other if len(other) else own for other in of_clip[clip + clips :: clips]]
        rows.append([own, *(other[np.linspace(0, len(other) - 1, len(own)).round().astype(int)] for other in others)])
    return np.concatenate([np.stack(row, axis=1) for row in rows])


def epoch_batches(
    weights: np.ndarray,
    batch_size: int,
    seed: int,
    epoch: int,
    process: int = 0,
    processes: int = 1,
    alike: np.ndarray | None = None,
) -> list[list[int]]:
    """Batches of example numbers for one process of an epoch, shuffled; a pure function of seed and epoch.

    weights: (examples,), how many times each is seen: its whole part always, one more with the odds of the rest, so
    that a domain weighs more without a record being stored twice. Every process gets as many batches of as many
    examples; the last batch is a short one.
    alike: what `versions` gives. One of them is seen at a time, so that an epoch has as many steps with copies as
    without, and runs of either kind compare.
    """
    random = np.random.default_rng((seed, epoch))
    times = np.floor(weights).astype(int) + (random.random(len(weights)) < weights % 1)
    order = random.permutation(np.repeat(np.arange(len(weights)), times))
    if alike is not None and alike.shape[1] > 1:
        order = alike[order, random.integers(alike.shape[1], size=len(order))]
    order = np.resize(order, -(-len(order) // processes) * processes)[process::processes]
    return [order[first : first + batch_size].tolist() for first in range(0, len(order), batch_size)]
