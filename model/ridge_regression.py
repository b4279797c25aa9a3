"""Ridge regression from speech features to curves, frame by frame: the strongest simple thing, which to beat."""

import time
from collections.abc import Iterable, Iterator, Sequence
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


class Ridge(NamedTuple):
    """curves = (features - mean) @ weights + offset."""

    mean: np.ndarray  # (size,)
    weights: np.ndarray  # (size, channels)
    offset: np.ndarray  # (channels,)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(frames, size) → (frames, channels), not clamped."""
        return (features - self.mean) @ self.weights + self.offset


def fit_ridge(clips: Iterable[tuple[np.ndarray, np.ndarray]], shrinkage: float = SHRINKAGE) -> Ridge:
    """The least squares fit that is shrunk (Hoerl & Kennard 1970), in closed form, a clip in memory at a time.

    clips: features (frames, size) and curves (frames, channels). Every feature is divided by its std, so that
    shrinkage, times the frames, is added to a diagonal of as many frames; one that never changes weighs nothing.
    """
    frames = 0
    sum_x = sum_y = xx = xy = np.zeros(())
    for features, curves in clips:
        x, y = features.astype(np.float64), curves.astype(np.float64)
        frames, sum_x, sum_y = frames + len(x), sum_x + x.sum(axis=0), sum_y + y.sum(axis=0)
        xx, xy = xx + x.T @ x, xy + x.T @ y
    mean, offset = sum_x / frames, sum_y / frames
    covariance, shared = xx / frames - np.outer(mean, mean), xy / frames - np.outer(mean, offset)
    variance = np.diag(covariance)
    scale = 1 / np.sqrt(np.where(variance > 1e-9 * mean**2 + 1e-12, variance, np.inf))
    scaled = covariance * np.outer(scale, scale) + shrinkage * np.eye(len(mean))
    return Ridge(mean, scale[:, None] * np.linalg.solve(scaled, scale[:, None] * shared), offset)


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

    def pairs(self, clips: Sequence[ClipInfo]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features (frames, size) and curves (frames, channels) of each clip.

        Of every so many clips only, where all are more than MOST_FRAMES.
        """
        step = -(-sum(clip.frames for clip in clips) // MOST_FRAMES)
        for clip in clips[::step]:
            features, curves = self.features(clip), self.store[clip.id].curves[:, indices(ARKIT, self.channels)]
            frames = min(len(features), len(curves))
            yield features[:frames], curves[:frames]


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
        ridge = fit_ridge(material.pairs(train))
        train_s += (time.perf_counter() - began) / len(configs)
        for clip in held_out:
            curves = ridge.predict(material.features(clip)).clip(0, 1)
            write_curves(csvs / f"{clip.id}.csv", curves, material.channels)
            clips[clip.id] = scorer.clip(material.store[clip.id], curves, material.channels)
    return {"mean": scorer.mean(list(clips.values())), "train_s": train_s, "clips": dict(sorted(clips.items()))}
