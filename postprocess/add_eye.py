"""Give predictions eyes that blink and look about: the eye columns of a recorded clip of about the same length."""

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import run
from config.files import by_stem, find
from dataset.blendshapes import EYE, indices, read_csv
from postprocess.steps import InputPath, Step, arguments, run_steps

EXAMPLES = """
python postprocess/add_eye.py --input csvs/ --eyes data/facegood/bs --output with_eyes/
"""


def choose(frames: int, lengths: Mapping[str, int]) -> str:
    """The clip whose length (clip id → frames) is the smallest one ≥ frames, else the longest; of equals the first."""
    enough = {clip: length for clip, length in lengths.items() if length >= frames}
    if enough:
        return min(sorted(enough), key=lambda clip: enough[clip])
    return max(sorted(lengths), key=lambda clip: lengths[clip])


def fit(eyes: np.ndarray, frames: int) -> np.ndarray:
    """eyes: (any frames, channels) → (frames, channels): its beginning, looped where it is too short."""
    return eyes[np.arange(frames) % len(eyes)]


def prepare(eyes: InputPath) -> Step:
    """The step of post-processing that takes the eyes from the csvs at `eyes`. Raises UserError when there is none."""
    clips = {clip: read_csv(file, required=EYE).select(EYE) for clip, file in by_stem(find(eyes, (".csv",))).items()}
    lengths = {clip: len(curves) for clip, curves in clips.items()}

    def change(file: Path, channels: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        from tqdm import tqdm

        frames = len(curves)
        clip = choose(frames, lengths)
        note = "" if lengths[clip] >= frames else "; no clip is long enough, so the longest is looped"
        tqdm.write(f"{file.stem} ({frames} frames): eyes of {clip} ({lengths[clip]} frames){note}")
        return fit(clips[clip], frames)[:, indices(EYE, channels)]

    return Step("added eyes to", EYE, change)


def main() -> None:
    options = arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--eyes", type=Path, required=True, metavar="PATH", help="csvs with moving eyes, at the input's frame rate"
    )
    given = options.parse_args()
    run_steps([prepare(given.eyes)], given.input, given.output)


if __name__ == "__main__":
    run(main)
