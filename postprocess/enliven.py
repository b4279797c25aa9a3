"""Make a speaking face's upper half live: blinks, gaze, brows and head by rule and by the sound, moods where asked for.

What moves already is left alone. Equal seeds give equal faces, and each clip its own.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from config.files import by_stem, find
from dataset.blendshapes import ARKIT
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import read_tsv
from postprocess.flow import Flow, Frames, Live, Opening, Waiting
from postprocess.life.enlivener import DELAY_S, HEAD, LIVING, Enlivener, Manner, lively, with_living
from postprocess.life.mood import read_moods
from postprocess.life.prosody import STEP_S
from postprocess.sounds import WavPath, sound_of_clip, sounds_at
from postprocess.step_command import step_command
from postprocess.steps import Fps, InputPath, Step, check_fps, flowing, of_clip

EXAMPLES = """
python postprocess/enliven.py --input csvs/ --output alive/ --wav_path wavs/
python postprocess/enliven.py --input a.csv --output b.csv --wav_path a.wav --seed 7 --blinks 0.8 --mood joy:0.6
python postprocess/enliven.py --input a.csv --output b.csv --wav_path a.wav --head 0 --mood moods.tsv
"""
MOST = 4.0  # times the usual


def prepare(
    wav_path: WavPath = None,
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
    sounds = sounds_at(wav_path)
    transcripts = by_stem(find(transcript_path, (".tsv",))) if transcript_path else {}

    def begin(clip: Opening) -> Flow:
        words = None
        if transcript_path and clip.file:
            words = read_tsv(of_clip(clip.file, transcript_path, transcripts, "transcript"))
        return Enlivening(Enlivener(seed, clip.name, clip.fps, manner, moods, words), clip)

    moods_file = (Path(mood),) if mood.lower().endswith(".tsv") else ()
    reads = (*sounds.values(), *transcripts.values(), *moods_file)
    sound_of = partial(sound_of_clip, given=wav_path, found=sounds)
    return flowing("enlivened", ARKIT, Live(begin, sound_s=DELAY_S + STEP_S), reads, HEAD, fps, sound_of)


class Enlivening(Waiting):
    """An upper face by the sound, added to the frames of a clip."""

    def __init__(self, enlivener: Enlivener, clip: Opening) -> None:
        super().__init__()
        self._enlivener, self._fps = enlivener, clip.fps
        self._names, self._left_alone = (*clip.channels, *HEAD), lively(clip.moving)
        self._living, self._first = np.zeros((0, len(LIVING))), 0  # from this number of the clip's frames on

    def hear(self, sound: np.ndarray) -> None:
        """sound: (samples,)"""
        self._living = np.concatenate([self._living, self._enlivener.hear(sound)])

    def _numbers(self, times_s: np.ndarray) -> np.ndarray:
        return np.rint(times_s * self._fps).astype(int) - self._first

    def _known(self, times_s: np.ndarray) -> int:
        return int(np.searchsorted(self._numbers(times_s), len(self._living)))

    def _end(self, last_s: float) -> None:
        frames = self._first + int(self._numbers(np.array(last_s))) + 1
        self._living = np.concatenate([self._living, self._enlivener.finish(frames)])

    def _changed(self, frames: Frames) -> np.ndarray:
        numbers = self._numbers(frames.times_s)
        changed = with_living(frames.values, self._names, self._living[numbers], self._left_alone)
        self._living, self._first = self._living[numbers[-1] :], self._first + int(numbers[-1])
        return changed


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
