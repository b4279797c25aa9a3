"""Everything that a film draws and plays, read before anything is written."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.errors import UserError
from dataset.audio import audio_blocks
from dataset.blendshapes import ARKIT
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.transcript import Word, check_within, read_tsv
from postprocess.face.heads import read_head
from postprocess.face.mesh import Head
from postprocess.film.film import Film
from postprocess.film.performance import perform
from postprocess.film.scene import Scene
from postprocess.film.text import can_write
from postprocess.film.video import SOUND_RATE
from postprocess.score.curve_plot import length_note

MOVES = 0.1  # a coefficient that is seen
NAMED = 4  # of the blendshapes that a head lacks


@dataclass(frozen=True)
class Footage:
    """Recordings of one length or nearly, to be seen side by side; sound and words are of all of them."""

    files: tuple[Path, ...]
    labels: tuple[str, ...]  # a word for each file, or none
    recordings: tuple[Recording, ...]  # each with a rate
    fps: float  # of the movie
    head: Head
    head_file: Path
    sound_file: Path | None
    sound_s: float  # its length, 0 without one
    words: tuple[Word, ...]

    def sound(self) -> Iterator[np.ndarray] | None:
        """The sound, read anew, (samples,) float32 at SOUND_RATE a block: hours of it need little memory."""
        return None if self.sound_file is None else audio_blocks(self.sound_file, rate=SOUND_RATE)

    @property
    def seconds(self) -> float:
        """The length of the longest recording, or of the sound."""
        return max(self.sound_s, *(recording.duration_s or 0 for recording in self.recordings))

    def film(self, size: int, fps: float, share: float = 1.0) -> Film:
        """The recordings side by side at a constant rate, size pixels high; share: as in Film."""
        scene, frames = Scene(self.head, size), max(1, math.floor(self.seconds * fps + 0.5))
        performances = [perform(recording, scene.mesh.channels, fps, frames) for recording in self.recordings]
        return Film(scene, performances, self.labels, share)

    def check_moments(self, times_s: Sequence[float]) -> None:
        """Raises UserError for a moment that the footage does not have."""
        absent = [time_s for time_s in times_s if not 0 <= time_s <= self.seconds]
        if absent:
            raise UserError(f"--times {absent[0]:g}: must be from 0 to {self.seconds:.2f} s, where the curves end")

    def notes(self) -> list[str]:
        """What a person may not have meant, a line each."""
        found = []
        for file, recording in zip(self.files, self.recordings, strict=True):
            if self.sound_file is not None:
                found.append(length_note(file, recording, self.sound_file, self.sound_s))
        curves = [np.zeros(len(ARKIT)), *(recording.curves() for recording in self.recordings)]
        peaks = np.vstack(curves).max(axis=0)
        still = [name for name in self.head.missing if peaks[ARKIT.index(name)] > MOVES]
        if still:
            more = f" and {len(still) - NAMED} more" if len(still) > NAMED else ""
            lacks = f"has no {', '.join(still[:NAMED])}{more}, so what moves there is not seen"
            found.append(f"{self.head_file}: {lacks}")
        return [note for note in found if note]


def read_footage(
    files: Sequence[Path],
    labels: Sequence[str],
    sound_file: Path | None,
    transcript: Path | None,
    head_file: Path,
    fps: float,
    out_fps: float | None,
) -> Footage:
    """Read curves of any layout, their sound and words, and the head.

    files: may be none, for what needs a head only. labels: one a file, or none. fps: of curves that tell no rate.
    out_fps: the movie's; None: as the first curves.

    Raises UserError for what cannot be read or written, and for words past the end.
    """
    for label in labels:
        if not can_write(label):
            raise UserError(f"--label {label}: no installed font has all its characters")
    recordings = tuple(read_recording(file).with_rate(fps) for file in files)
    samples = sum(map(len, audio_blocks(sound_file, rate=SOUND_RATE))) if sound_file else 0
    words = read_tsv(transcript) if transcript else []
    out_fps = out_fps or (recordings[0].fps if recordings else None) or fps
    footage = Footage(
        tuple(files),
        tuple(labels),
        recordings,
        out_fps,
        read_head(head_file),
        head_file,
        sound_file,
        samples / SOUND_RATE,
        tuple(words),
    )
    if recordings and transcript:
        check_within(transcript, words, footage.seconds)
    return footage
