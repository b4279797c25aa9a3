"""Score what mouths do at their phones, clip by clip, beside the recorded ones and those that know no phones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from config.files import by_stem, find
from dataset.blendshapes import ARKIT
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.timing import USUAL_FPS
from dataset.stats import Stats, load_stats
from dataset.textgrid import read_phones
from dataset.transcript import Word
from postprocess.clocks import at_rate_of
from postprocess.score.floors import MEAN_FACE, TARGET, VISEME_FACE, mean_face, viseme_face
from postprocess.score.metrics import Intervals, OverClips, intervals, nested
from postprocess.score.phone_metrics import PhoneScores, phone_scores

PHONE_SUFFIXES = (".tsv", ".textgrid")


@dataclass(frozen=True)
class PhoneScoring:
    """What to score."""

    predictions: Path  # a file of curves, or a folder
    phones: Path  # tsv files or TextGrids with a tier of phones, matched by file name
    targets: Path | None = None  # recorded curves, likewise
    ids: Sequence[str] | None = None  # these clips only
    fps: float = USUAL_FPS  # of files that tell none
    stats: Path | None = None  # whose mean face is a floor
    unseen: bool = False  # only clips that the stats were not computed from


@dataclass(frozen=True)
class PhoneScored(OverClips[PhoneScores]):
    """What was found; the target is one of the floors."""

    frames: int
    remarks: Sequence[str]

    @cached_property
    def floor_ends(self) -> dict[str, Intervals]:
        """Name of a floor → the intervals of its means."""
        return {name: intervals(list(scores.values())) for name, scores in self.floors.items()}

    def to_json(self) -> dict[str, Any]:
        """Every score."""
        floors = {
            name: {"mean": self.floor_means[name], "interval": nested(self.floor_ends[name]), "clips": scores}
            for name, scores in self.floors.items()
        }
        return {"mean": self.mean, "interval": nested(self.ends), "clips": self.clips, "floors": floors}


@dataclass(frozen=True)
class Curves:
    """A clip's, on its own clock."""

    values: np.ndarray  # (frames, len(names))
    names: tuple[str, ...]
    fps: float


def evaluate_phones(scoring: PhoneScoring) -> PhoneScored:
    """Score every clip that has both a prediction and phones. Raises UserError for files that don't fit, or none."""
    from tqdm import tqdm

    stats = load_stats(scoring.stats) if scoring.stats else None
    files, phones, remarks = _matched(scoring, stats)
    targets = by_stem(find_recordings(scoring.targets)) if scoring.targets else {}
    if len(files) == 1 and scoring.targets and scoring.targets.is_file():
        targets = dict.fromkeys(files, scoring.targets)
    clips: dict[str, PhoneScores] = {}
    floors: dict[str, dict[str, PhoneScores]] = {}
    frames, before = 0, _read(files[list(files)[-1]], scoring.fps)  # the clip before, as another clip's curves
    for clip in tqdm(files, desc="phones", unit="clip", disable=None, leave=False):
        curves = _read(files[clip], scoring.fps)
        spoken = read_phones(phones[clip])
        clips[clip] = _score(curves, spoken)
        frames += len(curves.values)
        if clip in targets:
            floors.setdefault(TARGET, {})[clip] = _score(_read(targets[clip], scoring.fps), spoken)
        others = before if len(files) > 1 else None
        for name, floor in phone_floors(curves, others, spoken, stats, scoring.stats):
            floors.setdefault(name, {})[clip] = _score(floor, spoken)
        before = curves
    return PhoneScored(clips, floors, frames, remarks)


def phone_floors(
    curves: Curves, other: Curves | None, phones: Sequence[Word], stats: Stats | None, stats_path: Path | None
) -> Iterator[tuple[str, Curves]]:
    """What stands beside a clip's prediction, name by name: what it would score by chance, and by rule."""
    frames = len(curves.values)
    if stats and stats_path:
        yield MEAN_FACE, Curves(mean_face(stats, curves.names, frames, stats_path), curves.names, curves.fps)
    yield "half a clip late", Curves(np.roll(curves.values, frames // 2, axis=0), curves.names, curves.fps)
    if other:
        repeated = np.resize(other.values, (round(frames / curves.fps * other.fps), len(other.names)))
        yield "another clip", Curves(repeated, other.names, other.fps)
    yield VISEME_FACE, Curves(viseme_face(phones, ARKIT, frames, curves.fps), ARKIT, curves.fps)


def _matched(scoring: PhoneScoring, stats: Stats | None) -> tuple[dict[str, Path], dict[str, Path], list[str]]:
    """Clip → its predictions, and its phones, in one order; and what is left out, a line each."""
    predicted = by_stem(find_recordings(scoring.predictions))
    phones = by_stem(find(scoring.phones, PHONE_SUFFIXES))
    if scoring.predictions.is_file() and scoring.phones.is_file() and scoring.ids is None:
        phones = {scoring.predictions.stem: scoring.phones}
    wanted = sorted(predicted) if scoring.ids is None else [clip for clip in scoring.ids if clip in predicted]
    if stats and scoring.unseen:
        wanted = [clip for clip in wanted if clip not in stats.clips]
    found = {clip: predicted[clip] for clip in wanted if clip in phones}
    if not found:
        raise UserError(f"{scoring.predictions}: no clip has phones in {scoring.phones}; they match by file name")
    lacking = [clip for clip in wanted if clip not in phones]
    return found, phones, [f"no phones for: {', '.join(lacking)}"] if lacking else []


def _read(path: Path, assumed_fps: float) -> Curves:
    """The channels of ARKit that a file has. Raises UserError for one that cannot be read or has no JawOpen."""
    recording = read_recording(path, ("JawOpen",))
    fps = recording.fps or assumed_fps
    names = tuple(name for name in ARKIT if name in recording.names)
    return Curves(at_rate_of(recording, assumed_fps, fps).select(names), names, fps)


def _score(curves: Curves, phones: Sequence[Word]) -> PhoneScores:
    return phone_scores(curves.values, curves.names, phones, curves.fps)
