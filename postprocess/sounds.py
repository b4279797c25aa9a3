"""The sounds that go with files of curves, for the steps that listen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.errors import UserError
from config.files import by_stem, find
from dataset.audio import SOUND_SUFFIXES, TRACK_SUFFIXES
from postprocess.steps import InputPath, of_clip

WavPath = Annotated[
    InputPath | None, Field(description="the sound, or a folder of them, matched by name; a live face has its own")
]
"""The setting of a step that listens."""


def sounds_at(wav_path: Path | None) -> dict[str, Path]:
    """The sounds there, by stem. Raises UserError where there is none."""
    return by_stem(find(wav_path, (*SOUND_SUFFIXES, *TRACK_SUFFIXES))) if wav_path else {}


def sound_of_clip(file: Path, given: Path | None, found: Mapping[str, Path]) -> Path:
    """The sound of a file of curves, as of_clip finds it. Raises UserError as that does, and where none is given."""
    if given is None:
        raise UserError(f"{file}: needs its sound; give --wav_path")
    return of_clip(file, given, found, "sound")
