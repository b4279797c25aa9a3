"""Close the lips where the transcript has a p, b or m: predicted mouths often stay a little open there."""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from config.files import by_stem, find
from dataset.phones import closures
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import read_tsv
from postprocess.clocks import frame_numbers
from postprocess.step_command import step_command
from postprocess.steps import Fps, InputPath, Selection, Step, check_fps, of_clip

EXAMPLES = """
python postprocess/close_lips.py --input csvs/ --output closed/ --transcript_path data/mine/tsv
python postprocess/close_lips.py --input a.csv --output b.csv --transcript_path a.tsv --fps 25 --reach 1 --share 0.8
"""
PARTING = ("MouthFunnel", "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight")
CHANNELS = ("JawOpen", "MouthClose", *PARTING)
JAW_SHARE = 0.6  # how much of its opening the jaw gives up in a closure; the lips do the rest


def closedness(times: list[tuple[float, float]], frames: int, fps: float, reach: int = 2) -> np.ndarray:
    """(start s, end s) of the closures → (frames,): 1 within them, 0 more than `reach` frames away, a raised cosine
    between. Frame i stands at i / fps; a closure between two frames is moved to the nearest one."""
    weight = np.zeros(frames)
    for start_s, end_s in times:
        first, last = round(start_s * fps), max(round(start_s * fps), int(end_s * fps))
        away = np.maximum(first - np.arange(frames), np.arange(frames) - last).clip(0, reach + 1)
        weight = np.maximum(weight, 0.5 + 0.5 * np.cos(np.pi * away / (reach + 1)))
    return weight


def close_lips(curves: np.ndarray, names: tuple[str, ...], weight: np.ndarray, with_jaw: float) -> np.ndarray:
    """curves: (frames, len(names)), weight: (frames,) 0 to 1 → the same shape as curves, lips closed where weight is 1.

    JawOpen loses with_jaw · weight of itself; MouthClose moves by weight towards the JawOpen that is left, for ARKit's
    MouthClose is the closing of what the jaw has opened; channels in PARTING lose weight of themselves.
    """
    result = np.array(curves)
    column = {name: result[:, index] for index, name in enumerate(names)}
    column["JawOpen"] *= 1 - with_jaw * weight
    if "MouthClose" in column:
        column["MouthClose"] += weight * (column["JawOpen"] - column["MouthClose"])
    for name in PARTING:
        if name in column:
            column[name] *= 1 - weight
    return result


def prepare(
    transcript_path: Annotated[InputPath, Field(description="a tsv (start⇥end⇥token) or a folder of them")],
    fps: Fps = USUAL_FPS,
    reach: Annotated[int, Field(description="frames that the lips take to close, and to open again")] = 2,
    share: Annotated[float, Field(description="how far they close: 0 not at all, 1 wholly")] = 1.0,
) -> Step:
    """The step of post-processing with transcripts from a tsv or a folder of them, matched by stem.

    Raises UserError for an impossible setting and, when curves come without their transcript, naming both.
    """
    check_fps(fps)
    if reach < 0:
        raise UserError(f"--reach {reach}: must be a number of frames from 0 up")
    if not 0 <= share <= 1:
        raise UserError(f"--share {share:g}: must be from 0 to 1")
    transcripts = by_stem(find(transcript_path, (".tsv",)))

    def change(part: Selection) -> np.ndarray:
        if "JawOpen" not in part.channels:
            raise UserError(f"{part.file}, line 1: no column for JawOpen; the lips cannot be closed without it")
        words = read_tsv(of_clip(part.file, transcript_path, transcripts, "transcript"))
        times = [(phone.start_s, phone.end_s) for phone in closures(words)]
        own_fps = part.recording.fps or fps
        numbers = frame_numbers(part.recording, own_fps)
        weight = closedness(times, numbers[-1] + 1, own_fps, reach)[numbers]
        with_jaw = JAW_SHARE if "MouthClose" in part.channels else 1.0
        return close_lips(part.curves, part.channels, share * weight, with_jaw)

    live = "close_lips needs a transcript, and live words are not known before they are said"
    return Step("closed lips in", CHANNELS, change, tuple(transcripts.values()), live=live)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
