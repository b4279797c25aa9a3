"""Give predictions eyes that blink and look about: the eye columns of a recorded clip of about the same length."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.files import by_stem
from dataset.blendshapes import EYE, indices
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.clocks import at_rate_of, frame_numbers
from postprocess.step_command import step_command
from postprocess.steps import Fps, InputPath, Selection, Step, check_fps

EXAMPLES = """
python postprocess/add_eye.py --input csvs/ --eyes data/facegood/bs --output with_eyes/
"""


def choose(frames: int, lengths: Mapping[str, int]) -> str:
    """The clip whose length (clip id → frames) is the smallest one ≥ frames, else the longest; of equals the first."""
    enough = {clip: length for clip, length in lengths.items() if length >= frames}
    if enough:
        return min(sorted(enough), key=lambda clip: enough[clip])
    return max(sorted(lengths), key=lambda clip: lengths[clip])


def fit(eyes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """eyes: (any frames, channels); numbers: (frames,) which frame of theirs each is → (frames, channels).

    Looped where they are too short.
    """
    return eyes[numbers % len(eyes)]


def prepare(
    eyes: Annotated[InputPath, Field(description="curves with moving eyes (csv, json, npy), or a folder of them")],
    fps: Fps = USUAL_FPS,
) -> Step:
    """The step of post-processing that takes the eyes from the files at `eyes`, resampled by time where their rate is
    another. Raises UserError when there is none."""
    check_fps(fps)
    files = by_stem(find_recordings(eyes))
    recorded = {clip: read_recording(file, EYE) for clip, file in files.items()}

    @cache
    def at(rate: float) -> dict[str, np.ndarray]:
        return {clip: at_rate_of(recording, fps, rate).select(EYE) for clip, recording in recorded.items()}

    def change(part: Selection) -> np.ndarray:
        from tqdm import tqdm

        clips, numbers = at(part.recording.fps or fps), frame_numbers(part.recording, part.recording.fps or fps)
        frames = int(numbers[-1]) + 1
        clip = choose(frames, {clip: len(curves) for clip, curves in clips.items()})
        found = len(clips[clip])
        note = "" if found >= frames else "; no clip is long enough, so the longest is looped"
        tqdm.write(f"{part.file.stem} ({frames} frames): eyes of {clip} ({found} frames){note}")
        return fit(clips[clip], numbers)[:, indices(EYE, part.channels)]

    live = "add_eye takes the eyes of a clip as long as this one; enliven needs not know how long it is"
    return Step("added eyes to", EYE, change, tuple(files.values()), live=live)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
