"""Steps of post-processing: what one is, the settings that it takes, and running them on a file or a folder."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field, ValidationError, validate_call

from config.errors import UserError
from config.files import by_stem, csv_named, keep_apart, output_path
from config.suggest import nearest
from dataset.audio import open_sound
from dataset.blendshapes import ARKIT, GROUPS, canonical
from dataset.recordings.layout_writers import write_like_source
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from dataset.stats import load_stats
from postprocess.flow import Flow, Frames, Live, Opening, joined, moving


@dataclass(frozen=True)
class Selection:
    """What a step is given of a file: those of its channels that are there."""

    file: Path
    recording: Recording  # all of it
    channels: tuple[str, ...]

    @property
    def curves(self) -> np.ndarray:
        """(frames, len(channels))"""
        return self.recording.select(self.channels)

    def opening(self, fps: float) -> Opening:
        """What is known before its first frame. fps: of a file that tells none."""
        told = dict(zip(self.recording.names, self.recording.values.T, strict=True)) | self.recording.angles
        return Opening(self.file.stem, self.channels, self.recording.fps or fps, moving(told), self.file)


class Step(NamedTuple):
    """One change to curves, ready to run. A module of this room makes it by a function `prepare`, whose typed and
    described arguments are the step's settings: as options of its command, and in the YAML of a chain."""

    done: str  # "smoothed", …
    wanted: tuple[str, ...]  # the channels that it changes, where a file has them
    change: Callable[[Selection], np.ndarray]  # → (frames, len(channels) + len(turns)) to stand in their place
    reads: tuple[Path, ...] = ()  # files besides those that it changes
    turns: tuple[str, ...] = ()  # of blendshapes.ANGLES, those that it gives besides: the last columns of its change
    live: Live | str = "it takes the whole clip"  # how it runs on frames as they come, or why it cannot


def flowing(
    done: str,
    wanted: tuple[str, ...],
    live: Live,
    reads: tuple[Path, ...] = (),
    turns: tuple[str, ...] = (),
    fps: float = USUAL_FPS,
    sound_of: Callable[[Path], Path] | None = None,
) -> Step:
    """A step that runs on frames as they come; on a file, all of its frames do.

    fps: of files that tell none. sound_of: a file of curves → the sound that the step listens to.
    """

    def change(part: Selection) -> np.ndarray:
        flow = live.begin(part.opening(fps))
        if sound_of is not None:
            with open_sound(sound_of(part.file)) as sound:
                for block in sound.blocks:
                    flow.hear(block)
        recording, still = part.recording.with_rate(fps), np.zeros(part.recording.frames)
        columns = np.column_stack([part.curves, *(recording.angles.get(name, still) for name in turns)])
        return run_through(flow, Frames(recording.clock_s(), columns)).values

    return Step(done, wanted, change, reads, turns, live)


def run_through(flow: Flow, frames: Frames) -> Frames:
    """All frames of a clip, changed."""
    return joined(flow.push(frames), flow.flush())


InputPath = Annotated[Path, Field(strict=False)]
"""A path that may be told as text: what a YAML has."""

Channels = Annotated[
    list[str] | None,
    Field(
        description=f"groups ({', '.join(GROUPS)}) or blendshapes to change, the others pass untouched (default: face)"
    ),
]
"""The setting of most steps; resolve_channels turns it into names."""

Fps = Annotated[float, Field(description="frames a second of files that tell none")]

RENAMED = {"words": "transcript_path"}
"""What settings were called → what they are called."""


def check_fps(fps: float) -> None:
    """Raises UserError for a rate that is none."""
    if not 0 < fps < float("inf"):
        raise UserError(f"--fps {fps:g}: must be more than 0")


def of_clip(file: Path, given: Path, found: Mapping[str, Path], kind: str) -> Path:
    """The file that goes with curves. given: one for all of them, or where they are, found by stem.

    Raises UserError where there is none, naming both.
    """
    own = given if given.is_file() else found.get(file.stem)
    if own is None:
        raise UserError(f"{given}: no {kind} called {file.stem}, which goes with {file}")
    return own


def resolve_channels(words: Sequence[str] | None, option: str = "--channels") -> tuple[str, ...]:
    """Channel names, in ARKIT order, for group names and blendshape names in any spelling; None means face.

    Raises UserError, beginning with the option, for a word that is neither.
    """
    wanted: set[str] = set()
    for word in words or ["face"]:
        name = canonical(word)
        wanted.update(GROUPS[word] if word in GROUPS else [name or _unknown(word, option)])
    return tuple(name for name in ARKIT if name in wanted)


def _unknown(word: str, option: str) -> str:
    hint = nearest(word, [*GROUPS, *ARKIT]) or f"; groups are {', '.join(GROUPS)}"
    raise UserError(f'{option}: "{word}" is no group and no ARKit blendshape{hint}')


def training_row(path: Path, row: Literal["mean", "min", "max"], wanted: Sequence[str], mend: str) -> dict[str, float]:
    """Channel → its mean, minimum or maximum over the training clips, from a stats.json or a checkpoint.

    Raises UserError, with the mend, when the stats lack a wanted channel.
    """
    stats = load_stats(path)
    for name in wanted:
        if name not in stats.channels:
            raise UserError(f"{path}: no training {row}{'imum' * (row != 'mean')} for {name}; {mend}")
    return dict(zip(stats.channels, getattr(stats, row).tolist(), strict=True))


def validated(place: str, prepare: Callable[..., Step], settings: dict[str, Any]) -> Step:
    """prepare(**settings), its signature being the schema: no unknown key, none missing, every type as it says.

    Raises UserError, beginning with `place` and the key, for settings that do not fit.
    """
    known = inspect.signature(prepare).parameters
    for old in settings:
        if RENAMED.get(old) in known:
            raise UserError(f"{place}: {old}: is now {RENAMED[old]}")
    try:
        return validate_call(config=ConfigDict(strict=True, allow_inf_nan=False))(prepare)(**settings)
    except ValidationError as error:
        found = error.errors()[0]
        *parents, key = found["loc"]
        where = f"{place}: {'.'.join(map(str, found['loc']))}"
        if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise UserError(f"{where}: unknown key{'' if parents else nearest(str(key), list(known))}") from None
        if found["type"].startswith("missing"):
            raise UserError(f"{where}: missing") from None
        message = found["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}: {message[0].lower()}{message[1:]}, not {found['input']!r}") from None


def run_steps(steps: Sequence[Step], source: Path, output: Path, settings: Sequence[Path] = ()) -> None:
    """Run the steps one after the other on a file of curves, or on every one in a folder; each is written once.

    Length, header, column order and every other column of a csv stay as they are; what came in another layout is
    written as a csv of the 52 channels. A file that has only some of a step's channels has those changed; one that has
    none is refused. Says what was done. settings: files that the steps were read from.

    Raises UserError, before anything is written, when a csv would be written over what is read.
    """
    from tqdm import tqdm

    files = list(by_stem(find_recordings(source)).values())
    if not source.is_dir() and not output.is_dir():
        csv_named(output)
    named = (file if file.suffix.lower() == ".csv" else file.with_suffix(".csv") for file in files)
    targets = [output_path(file, source, output) for file in named]
    reads = (*files, *settings, *(file for step in steps for file in step.reads))
    keep_apart(reads, [("--output", target) for target in targets])
    done, frames = ", ".join(step.done for step in steps), 0
    pairs = list(zip(files, targets, strict=True))
    for file, target in tqdm(pairs, desc=done, unit="file", disable=None, leave=False):
        recording = read_recording(file, required=())
        for step in steps:
            recording = _changed(file, recording, step)
        write_like_source(target, recording)
        frames += recording.frames
    print(f"{done} {len(files)} file{'s' * (len(files) > 1)}, {frames:,} frames: {output}")


def _changed(file: Path, recording: Recording, step: Step) -> Recording:
    channels = tuple(name for name in step.wanted if name in recording.names)
    if not channels:
        raise UserError(f"{file}, line 1: none of the channels to change is here ({_shortened(step.wanted)})")
    changed = step.change(Selection(file, recording, channels))
    curves, turns = changed[:, : len(channels)], changed[:, len(channels) :]
    return recording.with_channels(channels, curves).with_angles(dict(zip(step.turns, turns.T, strict=True)))


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
