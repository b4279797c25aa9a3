"""Predictions and targets: which files belong together, and their curves on one clock."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from config.errors import UserError
from config.files import by_stem
from dataset.blendshapes import ARKIT, FACE, indices
from dataset.corpus import corpus_of
from dataset.recordings.layouts import find_recordings, read_recording
from postprocess.clocks import at_rate_of, same_rate


class Matched(NamedTuple):
    """A clip that has both a prediction and a target."""

    clip: str
    prediction: Path
    target: Path
    uncaptured: tuple[str, ...] = ()  # channels that the target's corpus says its capture does not read


class Missing(NamedTuple):
    """The clips that lack one."""

    predictions: list[str]
    targets: list[str]


class ClipRates(NamedTuple):
    """The frames a second of a clip's files, as they tell them; the prediction is resampled to the target's."""

    prediction: float
    target: float

    @property
    def differ(self) -> bool:
        return not same_rate(self.prediction, self.target)


class CurvePair(NamedTuple):
    """A clip's prediction and target, of possibly other length, both at the target's rate."""

    prediction: np.ndarray  # (frames, len(names)) float64
    target: np.ndarray  # (frames, len(names)) float64
    names: tuple[str, ...]
    rates: ClipRates
    prediction_angles: Mapping[str, np.ndarray] = MappingProxyType({})  # head and eye angles, (frames,) each, radians
    target_angles: Mapping[str, np.ndarray] = MappingProxyType({})
    uncaptured: tuple[str, ...] = ()  # of names, those in which the target says nothing

    def captured(self) -> "CurvePair":
        """The same without the channels in which the target says nothing."""
        if not self.uncaptured:
            return self
        names = tuple(name for name in self.names if name not in self.uncaptured)
        places = indices(self.names, names)
        return self._replace(
            prediction=self.prediction[:, places], target=self.target[:, places], names=names, uncaptured=()
        )


def match(predictions: Path, targets: Path, ids: Sequence[str] | None) -> tuple[list[Matched], Missing]:
    """Files matched by stem, those in ids only when given; two single files match whatever they are called.

    Raises UserError when no clip has both.
    """
    if predictions.is_file() and targets.is_file() and ids is None:
        return _marked([Matched(predictions.stem, predictions, targets)]), Missing([], [])
    predicted, recorded = by_stem(find_recordings(predictions)), by_stem(find_recordings(targets))
    wanted = sorted(predicted.keys() | recorded.keys()) if ids is None else list(dict.fromkeys(ids))
    missing = Missing([clip for clip in wanted if clip not in predicted], [c for c in wanted if c not in recorded])
    pairs = [Matched(c, predicted[c], recorded[c]) for c in wanted if c in predicted and c in recorded]
    if not pairs:
        among = " among --ids" if ids is not None else ""
        raise UserError(f"{predictions}: no clip{among} has curves both here and in {targets}; they match by file name")
    return _marked(pairs), missing


def _marked(pairs: Sequence[Matched]) -> list[Matched]:
    """The pairs with what their targets' corpora say; a manifest is read once."""
    corpora = {pair.target.parent: corpus_of(pair.target) for pair in pairs}
    marks = {folder: corpus.uncaptured() for folder, corpus in corpora.items() if corpus}
    return [pair._replace(uncaptured=marks.get(pair.target.parent, {}).get(pair.target.stem, ())) for pair in pairs]


def read_ids(words: Sequence[str] | None) -> list[str] | None:
    """Clip ids from words that are ids, or files with an id a line."""
    if words is None:
        return None
    try:
        texts = [Path(word).read_text(encoding="utf-8").split() if Path(word).is_file() else [word] for word in words]
    except UnicodeDecodeError:
        raise UserError(f"--ids {' '.join(words)}: not a text file with a clip id a line") from None
    return [clip for text in texts for clip in text]


def read_pair(pair: Matched, assumed_fps: float) -> CurvePair:
    """The channels that both have, at the target's rate; assumed_fps: of a file that tells none.

    Raises UserError for a file that cannot be read or lacks a channel of the face.
    """
    prediction, target = (replace(read_recording(path, FACE), csv=None) for path in (pair.prediction, pair.target))
    rates = ClipRates(prediction.fps or assumed_fps, target.fps or assumed_fps)
    names = tuple(name for name in ARKIT if name in prediction.names and name in target.names)
    target = at_rate_of(target, assumed_fps, rates.target)
    of_target, target_angles = np.ascontiguousarray(target.select(names)), target.angles_rad()
    del target  # a recording of millions of frames is not held beside what is taken of it
    prediction = at_rate_of(prediction, assumed_fps, rates.target)
    of_prediction = np.ascontiguousarray(prediction.select(names))
    uncaptured = tuple(name for name in names if name in pair.uncaptured)
    return CurvePair(of_prediction, of_target, names, rates, prediction.angles_rad(), target_angles, uncaptured)


def read_repeats(clip: str, repeats: Sequence[Mapping[str, Path]], assumed_fps: float, fps: float) -> list[np.ndarray]:
    """The face's curves of a clip as other seeds predict it, (frames, 37) each, of those that have it, at fps."""
    files = [by_clip[clip] for by_clip in repeats if clip in by_clip]
    return [at_rate_of(read_recording(file, FACE), assumed_fps, fps).select(FACE) for file in files]
