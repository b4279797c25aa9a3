"""Smooth curves in time with a Savitzky–Golay filter: jitter goes, peaks keep their height."""

import sys
from functools import cache
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from postprocess.flow import Frames, Live, Waiting
from postprocess.step_command import step_command
from postprocess.steps import Channels, Step, flowing, resolve_channels, run_through

EXAMPLES = """
python postprocess/smooth.py --input csvs/ --output smoothed/
python postprocess/smooth.py --input a.csv --output smooth.csv --window 7 --order 3 --channels mouth JawOpen
"""


def smooth(curves: np.ndarray, window: int = 9, order: int = 4) -> np.ndarray:
    """curves: (frames, channels) → the same shape, each channel filtered along time; nothing is clamped.

    Each frame becomes the value there of the polynomial of degree `order` that fits the `window` frames (odd, more
    than order) around it best (Savitzky & Golay 1964): at the ends of a clip those of them that are there, and where
    these are no more than the order, it passes through.
    """
    return run_through(Smoothing(window, order), Frames(np.arange(len(curves)), curves)).values


class Smoothing(Waiting):
    """`smooth` on frames as they come: each once the half window after it is there."""

    def __init__(self, window: int, order: int) -> None:
        super().__init__()
        self._half, self._order = window // 2, order
        self._before = np.zeros((0, 0))  # the half window of frames before those that wait

    def _known(self, times_s: np.ndarray) -> int:
        return max(0, len(times_s) - self._half)

    def _end(self, last_s: float) -> None: ...

    def _changed(self, frames: Frames) -> np.ndarray:
        """The frames that still wait are those after."""
        after = self._waiting.values
        around = np.concatenate([part for part in (self._before, frames.values, after) if len(part)])
        first, count = len(self._before), len(frames.values)
        smoothed = np.empty(frames.values.shape)
        for place in range(first, first + count):
            start, end = max(0, place - self._half), min(len(around), place + self._half + 1)
            smoothed[place - first] = fitting_weights(place - start, end - 1 - place, self._order) @ around[start:end]
        self._before = around[max(0, first + count - self._half) : first + count]
        return smoothed


@cache
def fitting_weights(before: int, after: int, order: int) -> np.ndarray:
    """(before + 1 + after,) of a frame, so many before it and after it: their sum is the fitted polynomial there."""
    places = np.arange(-before, after + 1)
    powers = np.vander(places, min(order, before + after) + 1, increasing=True)
    return np.linalg.pinv(powers)[0]


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
    live = Live(lambda _: Smoothing(window, order), frames=window // 2)
    return flowing("smoothed", resolve_channels(channels), live)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
