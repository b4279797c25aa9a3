"""Smooth curves in time with a Savitzky–Golay filter: jitter goes, peaks keep their height."""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from postprocess.step_command import step_command
from postprocess.steps import Channels, Step, resolve_channels

EXAMPLES = """
python postprocess/smooth.py --input csvs/ --output smoothed/
python postprocess/smooth.py --input a.csv --output smooth.csv --window 7 --order 3 --channels mouth JawOpen
"""


def smooth(curves: np.ndarray, window: int = 9, order: int = 4) -> np.ndarray:
    """curves: (frames, channels) → the same shape, each channel filtered along time; nothing is clamped.

    Each frame becomes the value there of the polynomial of degree `order` that fits the `window` frames (odd, more
    than order) around it best (Savitzky & Golay 1964); the first and last half window take theirs from the polynomial
    of the outermost whole window. A clip shorter than the window shrinks it to the largest odd length that fits; when
    that is not more than the order, a polynomial meets every frame and the clip passes through.
    """
    from scipy.signal import savgol_filter

    frames = len(curves)
    fitting = min(window, frames - 1 + frames % 2)
    if fitting <= order:
        return curves.copy()
    return savgol_filter(curves, fitting, order, axis=0)


def prepare(
    window: Annotated[int, Field(description="frames that each polynomial spans, odd")] = 9,
    order: Annotated[int, Field(description="degree of the polynomial, less than the window")] = 4,
    channels: Channels = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for an impossible one."""
    if window < 1 or window % 2 == 0:
        raise UserError(f"--window {window}: must be an odd number of frames")
    if not 0 <= order < window:
        raise UserError(f"--order {order}: must be from 0 to {window - 1}, less than --window")
    return Step("smoothed", resolve_channels(channels), lambda part: smooth(part.curves, window, order))


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
