"""Score predicted curves against recorded ones, clip by clip, and beside them the curves that a model must beat."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from config.files import by_stem, find
from dataset.audio import SOUND_SUFFIXES, read_audio
from dataset.blendshapes import FACE, indices
from dataset.phones import phones
from dataset.recordings.layouts import find_recordings
from dataset.recordings.timing import USUAL_FPS
from dataset.stats import Stats, load_stats
from dataset.textgrid import read_grid
from dataset.transcript import read_tsv
from postprocess.score.floors import LATE_FRAMES, MEAN_FACE, TARGET, VISEME_FACE, late, mean_face, viseme_face
from postprocess.score.lips import lip_scores
from postprocess.score.matching import ClipRates, CurvePair, Matched, Missing, match, read_pair, read_repeats
from postprocess.score.metrics import (
    CurveScores,
    OverClips,
    PartScores,
    clip_scores,
    diversity,
    nested,
)
from postprocess.score.speech_metrics import Speech, SpeechScores, silent_frames, speech_scores
from postprocess.score.upper_face import UpperFaceScores, upper_face_scores

TRANSCRIPT_SUFFIXES = (".tsv", ".textgrid")
LIVELIEST = 8
TOLERATED_FRAMES = 2  # windows and rounding make lengths differ by so much without a fault


@dataclass(frozen=True)
class Scoring:
    """What to score, and against what."""

    predictions: Path  # a file of curves, or a folder
    targets: Path  # likewise, matched by file name
    ids: Sequence[str] | None = None  # these clips only
    fps: float = USUAL_FPS  # of files that tell none
    pieces_s: float | None = None  # DTW over pieces of this length
    stats: Path | None = None  # whose mean face is a floor
    unseen: bool = False  # only clips that the stats were not computed from
    transcripts: Path | None = None  # tsv or TextGrid files
    wavs: Path | None = None
    repeats: Sequence[Path] = ()  # the same clips as other seeds predict them


class ClipScores(CurveScores, SpeechScores, UpperFaceScores, total=False):
    """Every score of a clip: against its target, against its sound and words, and how lively its upper face is."""

    lips: dict[str, PartScores]  # of lips.SCORED: mm; rounding in standard deviations
    diversity: float | None  # where there are other seeds' predictions


@dataclass(frozen=True)
class Scored(OverClips[ClipScores]):
    """What an evaluation found."""

    fps: dict[str, float]  # each clip's
    missing: Missing
    remarks: Sequence[str]  # what a reader of the scores should know
    curves: Mapping[str, Callable[[], CurvePair]]  # what reads those of a clip

    @property
    def frames(self) -> int:
        """Of all predictions together."""
        return int(sum(scores["frames"] for scores in self.clips.values()))

    @property
    def liveliest(self) -> list[str]:
        """The channels whose targets move most, the first most of all."""
        channels = self.mean["channels"]
        return sorted(channels, key=lambda name: -channels[name]["target_std"])[:LIVELIEST]

    @property
    def worst_first(self) -> list[str]:
        """The clips by their contest score a step, the highest first."""
        return sorted(self.clips, key=lambda clip: -self.clips[clip]["contest_per_step"])

    def to_json(self, scoring: Scoring) -> dict[str, Any]:
        """Every score, and what they were measured with."""
        floors = {name: {"mean": self.floor_means[name], "clips": scores} for name, scores in self.floors.items()}
        return {
            "fps": scoring.fps,
            "pieces_s": scoring.pieces_s,
            "clip_fps": self.fps,
            "missing": self.missing._asdict(),
            "mean": self.mean,
            "interval": nested(self.ends),
            "clips": self.clips,
            "floors": floors,
        }


def evaluate(scoring: Scoring) -> Scored:
    """Score every clip that has both a prediction and a target. Raises UserError for files that don't fit, or none."""
    from tqdm import tqdm

    stats = load_stats(scoring.stats) if scoring.stats else None
    pairs, missing = match(scoring.predictions, scoring.targets, scoring.ids)
    if stats and scoring.unseen:
        pairs = [pair for pair in pairs if pair.clip not in stats.clips]
        if not pairs:
            raise UserError(f"{scoring.stats}: trained on every clip that there is a prediction for; none is unseen")
    transcripts, sounds = _files(scoring.transcripts, TRANSCRIPT_SUFFIXES), _files(scoring.wavs, SOUND_SUFFIXES)
    repeats = [by_stem(find_recordings(path)) for path in scoring.repeats]
    clips: dict[str, ClipScores] = {}
    floors: dict[str, dict[str, ClipScores]] = {}
    rates: dict[str, ClipRates] = {}
    for pair in tqdm(pairs, desc="scored", unit="clip", disable=None, leave=False):
        curves = read_pair(pair, scoring.fps)
        speech = read_speech(transcripts.get(pair.clip), sounds.get(pair.clip))
        rates[pair.clip] = curves.rates
        clips[pair.clip] = score(curves, speech, scoring.pieces_s)
        if repeats:
            others = read_repeats(pair.clip, repeats, scoring.fps, curves.rates.target)
            clips[pair.clip]["diversity"] = diversity([curves.prediction[:, indices(curves.names, FACE)], *others])
        for name, floor, angles in floor_curves(curves, speech, stats, scoring.stats):
            of_clip = score(curves._replace(prediction=floor, prediction_angles=angles), speech, scoring.pieces_s)
            floors.setdefault(name, {})[pair.clip] = of_clip
    remarks = [
        *resampled_remarks(rates),
        *length_remarks(clips),
        *_named(
            "too long for exact DTW (--pieces scores it)", [c for c, of in clips.items() if of["exact_dtw"] is None]
        ),
        *_named("no prediction for", missing.predictions),
        *_named("no target for", missing.targets),
        *_named("no transcript for", [pair.clip for pair in pairs if transcripts and pair.clip not in transcripts]),
        *uncaptured_remarks(pairs),
        *_named("no sound for", [pair.clip for pair in pairs if sounds and pair.clip not in sounds]),
    ]
    readers = {pair.clip: partial(read_pair, pair, scoring.fps) for pair in pairs}
    return Scored(clips, floors, {clip: of.target for clip, of in rates.items()}, missing, remarks, readers)


def score(curves: CurvePair, speech: Speech, pieces_s: float | None = None) -> ClipScores:
    """Every score of one prediction against what its target captures, and against what it goes with."""
    fps = curves.rates.target
    piece_frames = max(1, round(pieces_s * fps)) if pieces_s else None
    quiet = silent_frames(speech, len(curves.prediction), fps)
    columns = {**dict(zip(curves.names, curves.prediction.T, strict=True)), **curves.prediction_angles}
    of_both = curves.captured()
    return {
        **clip_scores(of_both.prediction, of_both.target, of_both.names, fps, piece_frames),
        "lips": lip_scores(of_both.prediction, of_both.target, of_both.names, fps),
        **speech_scores(curves.prediction, curves.names, speech, fps),
        **upper_face_scores(columns, fps, None if quiet is None else ~quiet),
    }


def floor_curves(
    curves: CurvePair, speech: Speech, stats: Stats | None, stats_path: Path | None
) -> Iterator[tuple[str, np.ndarray, Mapping[str, np.ndarray]]]:
    """What stands beside the prediction in the table: its name, (frames, len(names)) as the target is, and the head's
    angles, radians, where it has any."""
    target, frames = curves.target, len(curves.target)
    if stats and stats_path:
        yield MEAN_FACE, mean_face(stats, curves.names, frames, stats_path), {}
    if speech.words is not None:
        yield VISEME_FACE, viseme_face(phones(speech.words), curves.names, frames, curves.rates.target), {}
    yield TARGET, target, curves.target_angles
    for by in LATE_FRAMES:
        angles = {name: late(angle, by) for name, angle in curves.target_angles.items()}
        yield f"target {by} late", late(target, by), angles


def read_speech(transcript: Path | None, sound: Path | None) -> Speech:
    """What is known of a clip's sound and words; a TextGrid's phones as they are, a tsv's by rule."""
    audio = read_audio(sound) if sound else None
    if transcript is None:
        return Speech(audio)
    if transcript.suffix.lower() == ".tsv":
        tokens = read_tsv(transcript)
        return Speech(audio, tokens, phones(tokens))
    grid = read_grid(transcript)
    return Speech(audio, grid.words, grid.phones or phones(grid.words))


def resampled_remarks(rates: Mapping[str, ClipRates]) -> list[str]:
    """A line for each rate from which predictions came to their targets'."""
    clips: dict[ClipRates, list[str]] = {}
    for clip, of in rates.items():
        if of.differ:
            clips.setdefault(of, []).append(clip)
    said = "predictions of {:g} frames a second, resampled by time to their targets' {:g}: {}"
    return [said.format(*of, ", ".join(names)) for of, names in clips.items()]


def uncaptured_remarks(pairs: Sequence[Matched]) -> list[str]:
    """A line for each set of channels that targets do not capture."""
    clips: dict[tuple[str, ...], list[str]] = {}
    for pair in pairs:
        if pair.uncaptured:
            clips.setdefault(pair.uncaptured, []).append(pair.clip)
    said = "not scored, as manifest.csv says that the target does not capture it: {}: {}"
    return [said.format(", ".join(channels), ", ".join(names)) for channels, names in clips.items()]


def length_remarks(clips: Mapping[str, ClipScores]) -> list[str]:
    """A line for each clip whose prediction and target differ in length by more than rounding."""
    lengths = {clip: (int(scores["frames"]), int(scores["target_frames"])) for clip, scores in clips.items()}
    return [
        f"{clip}: {frames} frames, target {recorded}; MAE to lag are over the {min(frames, recorded)} that both have"
        for clip, (frames, recorded) in lengths.items()
        if abs(frames - recorded) > TOLERATED_FRAMES
    ]


def _named(what: str, clips: Sequence[str]) -> list[str]:
    return [f"{what}: {', '.join(clips)}"] if clips else []


def _files(path: Path | None, suffixes: tuple[str, ...]) -> dict[str, Path]:
    return by_stem(find(path, suffixes)) if path else {}
