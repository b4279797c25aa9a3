"""Close the lips where the transcript has a p, b or m: predicted mouths often stay a little open there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, run
from config.files import by_stem, find
from dataset.phones import closures
from dataset.transcript import Word, read_tsv
from postprocess.steps import InputPath, Step, arguments, run_steps

EXAMPLES = """
python postprocess/close_lips.py --input csvs/ --output closed/ --words data/mine/tsv
python postprocess/close_lips.py --input a.csv --output b.csv --words a.tsv --fps 25 --reach 1 --share 0.8
"""
PARTING = ("MouthFunnel", "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight")
CHANNELS = ("JawOpen", "MouthClose", *PARTING)
JAW_SHARE = 0.6  # how much of its opening the jaw gives up in a closure; the lips do the rest


def gate(times: list[tuple[float, float]], frames: int, fps: float, reach: int = 2) -> np.ndarray:
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


def prepare(words: InputPath, fps: float = 30.0, reach: int = 2, share: float = 1.0) -> Step:
    """The step of post-processing with transcripts from `words`, a tsv or a folder of them, matched by stem.

    Raises UserError for an impossible setting and, when a csv comes without its transcript, naming both.
    """
    if not 0 < fps < float("inf"):
        raise UserError(f"--fps {fps:g}: must be more than 0")
    if reach < 0:
        raise UserError(f"--reach {reach}: must be a number of frames from 0 up")
    if not 0 <= share <= 1:
        raise UserError(f"--share {share:g}: must be from 0 to 1")
    transcripts = by_stem(find(words, (".tsv",)))

    def change(file: Path, channels: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        if "JawOpen" not in channels:
            raise UserError(f"{file}, line 1: no column for JawOpen; the lips cannot be closed without it")
        times = [(phone.start_s, phone.end_s) for phone in closures(_transcript(file, words, transcripts))]
        with_jaw = JAW_SHARE if "MouthClose" in channels else 1.0
        return close_lips(curves, channels, share * gate(times, len(curves), fps, reach), with_jaw)

    return Step("closed lips in", CHANNELS, change)


def _transcript(file: Path, words: Path, transcripts: dict[str, Path]) -> list[Word]:
    path = words if words.is_file() else transcripts.get(file.stem)
    if path is None:
        raise UserError(f"{words}: no {file.stem}.tsv, the transcript of {file}")
    return read_tsv(path)


def main() -> None:
    options = arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--words", type=Path, required=True, metavar="PATH", help="a tsv (start⇥end⇥token) or a folder of them"
    )
    options.add_argument("--fps", type=float, default=30.0, help="frame rate of the csvs")
    options.add_argument("--reach", type=int, default=2, help="frames that the lips take to close, and to open again")
    options.add_argument("--share", type=float, default=1.0, help="how far they close: 0 not at all, 1 wholly")
    given = options.parse_args()
    run_steps([prepare(given.words, given.fps, given.reach, given.share)], given.input, given.output)


if __name__ == "__main__":
    run(main)
