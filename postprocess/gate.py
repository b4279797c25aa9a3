"""Let the mouth rest while nobody speaks, by the sound's level: no chatter in breath or noise."""

import math
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from dataset.recordings.timing import USUAL_FPS
from postprocess.flow import Frames, Live, Waiting
from postprocess.life.prosody import REACH_S, STEP_S, Windows, levels_db
from postprocess.sounds import WavPath, sound_of_clip, sounds_at
from postprocess.step_command import step_command
from postprocess.steps import Fps, Step, check_fps, flowing, resolve_channels

EXAMPLES = """
python postprocess/gate.py --input csvs/ --output resting/ --wav_path wavs/
python postprocess/gate.py --input a.csv --output b.csv --wav_path a.wav --open_db -34 --close_db -38
"""
OPEN_DB, CLOSE_DB = -40.0, -43.0  # full scale, of 25 ms: above it speech begins, below it ends
HOLD_S, RELEASE_S = 0.05, 0.07  # after speech: the mouth stays as it is, then comes to rest; in all within 150 ms
AHEAD_MS = 80.0  # before speech a mouth may set out; a pause that this and HOLD_S bridge, as in a stop, is none
GATED = ["jaw", "mouth"]


class Gate(Waiting):
    """Scales frames by how far somebody speaks: 1 from `ahead_s` before speech on, 0 from HOLD_S + RELEASE_S after it.

    Speech begins at a step louder than open_db, at once, and ends at one no louder than close_db.
    """

    def __init__(self, open_db: float, close_db: float, ahead_s: float) -> None:
        super().__init__()
        self._open_db, self._close_db, self._ahead_s = open_db, close_db, ahead_s
        self._windows, self._is_open = Windows(), False
        self._last_open_s: list[float] = []  # as of each step from the first that is needed: when one was last open
        self._first = 0

    def hear(self, sound: np.ndarray) -> None:
        """sound: (samples,)"""
        windows = self._windows.hear(sound)
        for level_db in levels_db(windows - windows.mean(axis=1, keepdims=True)).tolist():
            self._is_open = level_db > (self._close_db if self._is_open else self._open_db)
            before_s = self._last_open_s[-1] if self._last_open_s else -math.inf
            now_s = (self._first + len(self._last_open_s)) * STEP_S
            self._last_open_s.append(now_s if self._is_open else before_s)

    def _steps(self, times_s: np.ndarray) -> np.ndarray:
        """The last step that counts for each frame."""
        return np.floor((times_s + self._ahead_s) / STEP_S + 1e-6).astype(int) - self._first

    def _known(self, times_s: np.ndarray) -> int:
        return int(np.searchsorted(self._steps(times_s), len(self._last_open_s)))

    def _end(self, last_s: float) -> None:
        lacking = int(self._steps(np.array(last_s))) + 1 - len(self._last_open_s)
        self.hear(self._windows.silence(lacking))

    def _changed(self, frames: Frames) -> np.ndarray:
        steps = self._steps(frames.times_s)
        since_s = frames.times_s - np.array(self._last_open_s)[steps]
        self._last_open_s, self._first = self._last_open_s[steps[-1] :], self._first + int(steps[-1])
        way = ((since_s - HOLD_S) / RELEASE_S).clip(0, 1)
        return frames.values * (0.5 + 0.5 * np.cos(np.pi * way))[:, None]


def prepare(
    wav_path: WavPath = None,
    open_db: Annotated[
        float, Field(description="dB of full scale that speech is louder than where it begins")
    ] = OPEN_DB,
    close_db: Annotated[float, Field(description="… while it lasts; noise and breath are to be below it")] = CLOSE_DB,
    ahead_ms: Annotated[
        float, Field(description="how long before speech the mouth may move; live, it waits so long")
    ] = AHEAD_MS,
    fps: Fps = USUAL_FPS,
    channels: Annotated[
        list[str] | None, Field(description="groups or blendshapes that rest (default: jaw mouth)")
    ] = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for an impossible one, and, when curves come
    without their sound, naming both."""
    check_fps(fps)
    if close_db > open_db:
        raise UserError(f"--close_db {close_db:g}: must be no more than --open_db, {open_db:g}")
    if not 0 <= ahead_ms <= 1000:
        raise UserError(f"--ahead_ms {ahead_ms:g}: must be from 0 to 1000")
    sounds = sounds_at(wav_path)
    live = Live(lambda _: Gate(open_db, close_db, ahead_ms / 1000), sound_s=ahead_ms / 1000 + REACH_S)
    sound_of = partial(sound_of_clip, given=wav_path, found=sounds)
    return flowing("gated", resolve_channels(channels or GATED), live, tuple(sounds.values()), (), fps, sound_of)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
