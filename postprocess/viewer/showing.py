"""What the viewer shows: takes of one clip on one frame rate, its sound, and its words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.errors import UserError
from dataset.blendshapes import ARKIT
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import Word
from postprocess.score.curve_plot import liveliest

TARGET, PREDICTION = "target", "prediction"


@dataclass(frozen=True)
class Take:
    """A file's curves at the clip's rate."""

    label: str
    channels: tuple[str, ...]  # those that the file has, in ARKIT's order
    values: np.ndarray  # (frames, len(channels)) float32, 0 neutral to 1


@dataclass(frozen=True)
class Clip:
    """Takes to compare; sound and words are of all of them."""

    title: str
    fps: float
    takes: tuple[Take, ...]
    target: int | None  # the take that the others are compared with
    audio: np.ndarray  # (samples,) float32, mono; none: silence
    rate_hz: int
    words: tuple[Word, ...] = ()

    @property
    def motion_s(self) -> float:
        return max(len(take.values) for take in self.takes) / self.fps

    @property
    def sound_s(self) -> float:
        return len(self.audio) / self.rate_hz

    @property
    def frames(self) -> int:
        """The last frame of motion and of sound are both there."""
        return max(1, math.ceil(round(max(self.motion_s, self.sound_s) * self.fps, 6)))

    def liveliest(self, among: tuple[str, ...], count: int) -> tuple[str, ...]:
        """The channels that move the most in the first take, of those that it has; in ARKIT's order."""
        first = self.takes[0]
        chosen = liveliest(first.values, first.channels, among, count)
        return tuple(name for name in ARKIT if name in chosen)


def read_takes(files: Sequence[Path], labels: Sequence[str], fps: float | None) -> tuple[tuple[Take, ...], float]:
    """The files' curves on the highest of their rates, and that rate; fps: of those that don't tell theirs.

    Raises UserError as read_recording does.
    """
    recordings = [read_recording(file) for file in files]
    rates = [recording.fps or fps or USUAL_FPS for recording in recordings]
    highest = max(rates)
    takes = []
    for label, recording, rate in zip(labels, recordings, rates, strict=True):
        channels = tuple(name for name in ARKIT if name in recording.names)
        even = recording.at_rate(rate).at_rate(highest)
        order = [even.names.index(name) for name in channels]
        takes.append(Take(label, channels, even.values[:, order].astype(np.float32)))
    return tuple(takes), highest


def labels_of(files: Sequence[Path], given: Sequence[str] | None) -> tuple[str, ...]:
    """A label a file: as given; of two, target and prediction; of more, target and what tells the others apart.

    Raises UserError when another number of labels is given than of files, or two are the same.
    """
    if given:
        if len(given) != len(files):
            raise UserError(f"--label: {len(given)} for {len(files)} csvs; give one each")
        if len(set(given)) < len(given):
            raise UserError(f"--label {' '.join(given)}: two are the same")
        return tuple(given)
    stems = [file.stem for file in files]
    if len(files) == 1:
        return (stems[0],)
    if len(files) == 2:
        return (TARGET, PREDICTION)
    names = stems[1:] if len({*stems[1:], TARGET}) == len(stems) else [str(file.with_suffix("")) for file in files[1:]]
    return (TARGET, *names)


def target_of(labels: Sequence[str]) -> int | None:
    """Which of several takes is labelled as the target; None: there is nothing to compare with."""
    lower = [label.lower() for label in labels]
    return lower.index(TARGET) if len(labels) > 1 and TARGET in lower else None
