"""Make a speaking face's upper half live: blinks, gaze, brows and head by rule and by the sound, moods where asked for.

What moves already is left alone. Equal seeds give equal faces, and each clip its own.
"""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from config.files import by_stem, find
from dataset.audio import SOUND_SUFFIXES, TRACK_SUFFIXES
from dataset.blendshapes import ARKIT
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import read_tsv
from postprocess.clocks import frame_numbers
from postprocess.life.enlivener import HEAD, Enlivener, Manner, enliven, living_face
from postprocess.life.mood import read_moods
from postprocess.step_command import step_command
from postprocess.steps import Fps, InputPath, Selection, Step, check_fps

EXAMPLES = """
python postprocess/enliven.py --input csvs/ --output alive/ --wav_path wavs/
python postprocess/enliven.py --input a.csv --output b.csv --wav_path a.wav --seed 7 --blinks 0.8 --mood joy:0.6
python postprocess/enliven.py --input a.csv --output b.csv --wav_path a.wav --head 0 --mood moods.tsv
"""
MOST = 4.0  # times the usual


def prepare(
    wav_path: Annotated[InputPath, Field(description="the sound, or a folder of them, matched by name")],
    transcript_path: Annotated[
        InputPath | None, Field(description="a tsv or a folder of them: who speaks when, where the sound is not clean")
    ] = None,
    seed: Annotated[int, Field(description="another one gives another face")] = 0,
    blinks: Annotated[float, Field(description="blinks, times the usual number; 0: none")] = 1.0,
    gaze: Annotated[float, Field(description="how far the eyes go, times the usual; 0: nowhere")] = 1.0,
    brows: Annotated[float, Field(description="how far the brows go, likewise")] = 1.0,
    head: Annotated[float, Field(description="how far the head turns, likewise")] = 1.0,
    mood: Annotated[
        str,
        Field(
            description="such as joy or joy:0.6, or a tsv of start, end and such a mood; see postprocess/life/mood.py"
        ),
    ] = "neutral",
    fps: Fps = USUAL_FPS,
) -> Step:
    """The step of post-processing that gives curves an upper face by the sounds at wav_path, and the head's angles.

    Raises UserError for an impossible setting, and when curves come without their sound or transcript, naming both.
    """
    check_fps(fps)
    manner = Manner(blinks, gaze, brows, head)
    for name, amount in manner._asdict().items():
        if not 0 <= amount <= MOST:
            raise UserError(f"--{name} {amount:g}: must be from 0 to {MOST:g}")
    moods = read_moods(mood)
    sounds = by_stem(find(wav_path, (*SOUND_SUFFIXES, *TRACK_SUFFIXES)))
    transcripts = by_stem(find(transcript_path, (".tsv",))) if transcript_path else {}

    def change(part: Selection) -> np.ndarray:
        rate = part.recording.fps or fps
        sound = _of_clip(part.file, wav_path, sounds, "sound")
        words = read_tsv(_of_clip(part.file, transcript_path, transcripts, "transcript")) if transcript_path else None
        numbers = frame_numbers(part.recording, rate)
        living = living_face(sound, Enlivener(seed, part.file.stem, rate, manner, moods, words), int(numbers[-1]) + 1)
        return enliven(part.curves, part.channels, living[numbers], part.recording.angles)

    moods_file = (Path(mood),) if mood.lower().endswith(".tsv") else ()
    return Step("enlivened", ARKIT, change, (*sounds.values(), *transcripts.values(), *moods_file), HEAD)


def _of_clip(file: Path, given: Path, found: dict[str, Path], kind: str) -> Path:
    """The file that goes with curves; given: one for all of them, or where they are by stem."""
    own = given if given.is_file() else found.get(file.stem)
    if own is None:
        raise UserError(f"{given}: no {kind} called {file.stem}, which goes with {file}")
    return own


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
