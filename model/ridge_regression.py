"""Ridge regression from speech features to curves, frame by frame: the strongest simple thing, which to beat."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from config.schema import Config
from dataset.blendshapes import ARKIT, GROUPS, indices, write_curves
from dataset.feature_store import FeatureStore
from dataset.split import split_clips
from dataset.store import ClipInfo
from dataset.windows import window_starts
from model.encoders import build_encoder
from model.features import extract, feature_keys, open_clips, validation_windows
from model.trials import Scorer, Scores

SHRINKAGE = 0.3  # of a standardised feature's variance; on FACEGOOD's folds 0.1 does as well
MOST_FRAMES = 200_000  # to fit: about two hours, more of which hardly changes a thousand weights a channel


class Example(NamedTuple):
    """A clip to fit to."""

    features: np.ndarray  # (frames, size)
    curves: np.ndarray  # (frames, channels)
    captured: np.ndarray  # (channels,) bool: those whose curves say something


class Ridge(NamedTuple):
    """curves = features @ weights + offset."""

    weights: np.ndarray  # (size, channels)
    offset: np.ndarray  # (channels,)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(frames, size) → (frames, channels), not clamped."""
        return features @ self.weights + self.offset


class _Sums(NamedTuple):
    """Over the frames of clips that capture the same channels."""

    captured: np.ndarray  # (channels,) bool
    frames: int
    x: np.ndarray  # (size,), of features
    y: np.ndarray  # (channels,), of curves
    xx: np.ndarray  # (size, size)
    xy: np.ndarray  # (size, channels)

    def with_more(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.captured,
            self.frames + other.frames,
            self.x + other.x,
            self.y + other.y,
            self.xx + other.xx,
            self.xy + other.xy,
        )


def fit_ridge(clips: Iterable[Example], shrinkage: float = SHRINKAGE) -> Ridge:
    """The least squares fit that is shrunk (Hoerl & Kennard 1970), in closed form, a clip in memory at a time.

    Every feature is divided by its std, so that shrinkage, times the frames, is added to a diagonal of as many frames;
    one that never changes weighs nothing. A channel is fitted to the clips that capture it, and rests at 0 where none
    does.
    """
    sums: dict[bytes, _Sums] = {}  # by what is captured
    for clip in clips:
        x, y = clip.features.astype(np.float64), clip.curves.astype(np.float64)
        own = _Sums(clip.captured, len(x), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y)
        key = clip.captured.tobytes()
        sums[key] = sums[key].with_more(own) if key in sums else own
    of = list(sums.values())
    weights, offset = np.zeros_like(of[0].xy), np.zeros_like(of[0].y)
    captured = np.stack([part.captured for part in of])  # (parts, channels)
    for parts in np.unique(captured, axis=1).T:
        if parts.any():
            places = (captured == parts[:, None]).all(axis=0)
            whole = reduce(_Sums.with_more, (part for part, is_in in zip(of, parts, strict=True) if is_in))
            weights[:, places], offset[places] = _solved(whole, places, shrinkage)
    return Ridge(weights, offset)


def _solved(sums: _Sums, places: np.ndarray, shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights (size, n) and offsets (n,) of the n channels among (channels,) bool."""
    mean, centre = sums.x / sums.frames, sums.y[places] / sums.frames
    covariance = sums.xx / sums.frames - np.outer(mean, mean)
    shared = sums.xy[:, places] / sums.frames - np.outer(mean, centre)
    variance = np.diag(covariance)
    scale = 1 / np.sqrt(np.where(variance > 1e-9 * mean**2 + 1e-12, variance, np.inf))
    scaled = covariance * np.outer(scale, scale) + shrinkage * np.eye(len(mean))
    weights = scale[:, None] * np.linalg.solve(scaled, scale[:, None] * shared)
    return weights, centre - mean @ weights


class RidgeMaterial:
    """The cached features and the curves of a config's clips, frame by frame, as a decoder has them."""

    def __init__(self, config: Config) -> None:
        extract(config)
        self.config, self.store = config, open_clips(config)
        self.grid = validation_windows(config.windows)
        encoder = build_encoder(config.features, self.store.fps)
        self.keys = feature_keys(self.store.clips, encoder, config, self.grid)
        self.cache = FeatureStore(config.features.cache)
        self.channels = GROUPS[config.model.channels]

    def features(self, clip: ClipInfo) -> np.ndarray:
        """(frames, size): those of the encoder, and the domain's one-hot where the decoder has it."""
        rows = self.cache[self.keys[clip.id]].astype(np.float32)
        if self.config.features.context == "window":
            window, windows = self.grid.window_frames, rows
            rows = np.empty((clip.frames, rows.shape[-1]), np.float32)
            for start, heard in zip(window_starts(clip.frames, window, window), windows, strict=True):
                rows[start : start + window] = heard[: clip.frames - start]
        if not self.config.domain_size:
            return rows
        one_hot = np.array([domain.name == clip.domain for domain in self.config.data.domains], np.float32)
        return np.hstack([rows, np.tile(one_hot, (len(rows), 1))])

    def examples(self, clips: Sequence[ClipInfo]) -> Iterator[Example]:
        """What each clip gives to fit to; of every so many clips only, where all are more than MOST_FRAMES."""
        places = indices(ARKIT, self.channels)
        step = -(-sum(clip.frames for clip in clips) // MOST_FRAMES)
        for clip in clips[::step]:
            features, recorded = self.features(clip), self.store[clip.id]
            frames = min(len(features), len(recorded.curves))
            yield Example(features[:frames], recorded.curves[:frames, places], recorded.captured[places])


def run_ridge(configs: Sequence[Config], csvs: Path, scorer: Scorer) -> Scores:
    """Scores of the clips that the configs hold out, each predicted by a fit on its config's training clips.

    The configs differ in their split only. csvs: the folder for the curves, clamped. The scores: "mean", "clips", each
    as the scorer gives them, and "train_s", the seconds of a fit.
    """
    material = RidgeMaterial(configs[0])
    clips: dict[str, Scores] = {}
    train_s = 0.0
    for config in configs:
        train, held_out = split_clips(material.store.clips, config.data)
        began = time.perf_counter()
        ridge = fit_ridge(material.examples(train))
        train_s += (time.perf_counter() - began) / len(configs)
        for clip in held_out:
            curves = ridge.predict(material.features(clip)).clip(0, 1)
            write_curves(csvs / f"{clip.id}.csv", curves, material.channels)
            clips[clip.id] = scorer.clip(material.store[clip.id], curves, material.channels)
    return {"mean": scorer.mean(list(clips.values())), "train_s": train_s, "clips": dict(sorted(clips.items()))}
