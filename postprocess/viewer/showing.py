"""What the viewer shows: takes of one performance on one frame rate, their sound, and its words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.errors import UserError
from config.units import SAMPLE_RATE
from dataset.audio import read_unresampled
from dataset.blendshapes import ARKIT, FACE
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import Word, check_within, read_tsv
from postprocess.face.turning import turns_deg
from postprocess.score.curve_plot import length_note, liveliest
from postprocess.steps import resolve_channels

TARGET, PREDICTION = "target", "prediction"


@dataclass(frozen=True)
class Take:
    """A file's curves, at the rate of all takes."""

    file: Path
    label: str
    recording: Recording  # as read, with a rate
    channels: tuple[str, ...]  # those that the file has, in ARKIT's order
    values: np.ndarray  # (frames, len(channels)) float32, 0 neutral to 1
    turns: np.ndarray  # (frames, 3) float32, radians: yaw, pitch and roll of postprocess.face.turning


@dataclass(frozen=True)
class Showing:
    """Takes to compare; sound and words are of all of them."""

    title: str
    fps: float
    takes: tuple[Take, ...]
    target: int | None  # the take that the others are compared with
    sound_file: Path | None
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

    def chosen(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """The channels to draw at first: of these groups and names, else the liveliest of the face; in ARKIT's order.

        Raises UserError when no take has any of those that were asked for.
        """
        if not wanted:
            return self._liveliest(FACE) or self._liveliest(ARKIT)
        present = {name for take in self.takes for name in take.channels}
        names = tuple(name for name in resolve_channels(wanted) if name in present)
        if not names:
            raise UserError(f"--channels {' '.join(wanted)}: no csv has any of them")
        return names

    def _liveliest(self, among: tuple[str, ...]) -> tuple[str, ...]:
        """Those that move the most in the first take."""
        first = self.takes[0]
        names = liveliest(first.values, first.channels, among)
        return tuple(name for name in ARKIT if name in names)

    def notes(self) -> list[str]:
        """What a person may not have meant, a line each."""
        if self.sound_file is None:
            return []
        found = [length_note(take.file, take.recording, self.sound_file, self.sound_s) for take in self.takes]
        return [note for note in found if note]


def read_showing(
    files: Sequence[Path],
    labels: Sequence[str] | None = None,
    sound_file: Path | None = None,
    transcript: Path | None = None,
    fps: float = USUAL_FPS,
) -> Showing:
    """Read curves of any layout, their sound and words.

    labels: one a file, or as labels_of gives them. fps: of curves that tell no rate. Raises UserError for what cannot
    be read, and for words past the end.
    """
    names = labels_of(files, labels)
    takes, rate = read_takes(files, names, fps)
    audio, rate_hz = read_unresampled(sound_file) if sound_file else (np.zeros(0, np.float32), SAMPLE_RATE)
    words = read_tsv(transcript) if transcript else []
    showing = Showing(files[-1].stem, rate, takes, target_of(names), sound_file, audio, rate_hz, tuple(words))
    if transcript:
        check_within(transcript, words, showing.frames / rate)
    return showing


def read_takes(files: Sequence[Path], labels: Sequence[str], fps: float) -> tuple[tuple[Take, ...], float]:
    """The files' curves on the highest of their rates, and that rate; fps: of those that don't tell theirs.

    Raises UserError as read_recording does.
    """
    recordings = [read_recording(file).with_rate(fps) for file in files]
    highest = max(recording.fps or fps for recording in recordings)
    takes = []
    for file, label, recording in zip(files, labels, recordings, strict=True):
        channels = tuple(name for name in ARKIT if name in recording.names)
        even = recording.at_rate(recording.fps or fps).at_rate(highest)
        order = [even.names.index(name) for name in channels]
        turns = np.radians(turns_deg(even)).astype(np.float32)
        takes.append(Take(file, label, recording, channels, even.values[:, order].astype(np.float32), turns))
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
    others = [file.with_suffix("").as_posix() for file in files[1:]]
    return (TARGET, *(stems[1:] if len({*stems[1:], TARGET}) == len(stems) else others))


def target_of(labels: Sequence[str]) -> int | None:
    """Which of several takes is labelled as the target; None: there is nothing to compare with."""
    lower = [label.lower() for label in labels]
    return lower.index(TARGET) if len(labels) > 1 and TARGET in lower else None
