"""Take jitter out of still curves and leave fast moves alone, without waiting for frames to come: the 1€ filter."""

import math
import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from dataset.recordings.timing import USUAL_FPS
from postprocess.flow import Flow, Frames, Live
from postprocess.step_command import step_command
from postprocess.steps import Channels, Fps, Step, check_fps, flowing, resolve_channels, run_through

EXAMPLES = """
python postprocess/one_euro.py --input csvs/ --output steady/
python postprocess/one_euro.py --input a.csv --output b.csv --min_cutoff 1 --beta 4 --channels mouth JawOpen
"""
SPEED_CUTOFF_HZ = 1.0  # of the speed's own filter, as in the paper
MIN_CUTOFF_HZ, BETA = 2.0, 4.0  # for coefficients, which cross their range in a tenth of a second


def one_euro(
    curves: np.ndarray, times_s: np.ndarray, min_cutoff: float = MIN_CUTOFF_HZ, beta: float = BETA
) -> np.ndarray:
    """curves: (frames, channels), times_s: (frames,) rising → the same shape as curves.

    Casiez, Roussel & Vogel, 1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems (CHI
    2012): each frame goes α = 1 / (1 + τ / T) of the way from the last one's value to its own, T the time since, and
    τ = 1 / (2π · cutoff); cutoff = min_cutoff + beta · |speed|, both in Hz, where the speed, in ranges a second, is the
    frame's difference to the last one's value over T, filtered likewise at 1 Hz. The first frame passes.
    """
    return run_through(OneEuro(min_cutoff, beta), Frames(times_s, curves)).values


class OneEuro(Flow):
    """`one_euro` on frames as they come."""

    def __init__(self, min_cutoff: float, beta: float) -> None:
        self._min_cutoff, self._beta = min_cutoff, beta
        self._last_s, self._value, self._speed = -math.inf, np.zeros(0), np.zeros(0)

    def push(self, frames: Frames) -> Frames:
        rows = [self._step(float(time_s), row) for time_s, row in zip(frames.times_s, frames.values, strict=True)]
        return Frames(frames.times_s, np.stack(rows)) if rows else frames

    def _step(self, time_s: float, row: np.ndarray) -> np.ndarray:
        period_s, self._last_s = time_s - self._last_s, time_s
        if period_s == math.inf:
            self._value, self._speed = row, np.zeros_like(row)
        elif period_s > 0:  # a row of the same time is passed over
            speed = (row - self._value) / period_s
            self._speed = self._speed + share_gone(SPEED_CUTOFF_HZ, period_s) * (speed - self._speed)
            cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
            self._value = self._value + share_gone(cutoff, period_s) * (row - self._value)
        return self._value


def share_gone(cutoff_hz: np.ndarray | float, period_s: float) -> np.ndarray | float:
    """cutoff_hz: any shape → the same shape: α of a low-pass of the first order, by how long ago its last value is."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * period_s))


def prepare(
    min_cutoff: Annotated[float, Field(description="Hz, of what hardly moves: lower is steadier")] = MIN_CUTOFF_HZ,
    beta: Annotated[float, Field(description="Hz more for each range a second: higher lags less")] = BETA,
    fps: Fps = USUAL_FPS,
    channels: Channels = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for an impossible one."""
    check_fps(fps)
    if not 0 < min_cutoff < math.inf:
        raise UserError(f"--min_cutoff {min_cutoff:g}: must be more than 0")
    if not 0 <= beta < math.inf:
        raise UserError(f"--beta {beta:g}: must be 0 or more")
    return flowing("steadied", resolve_channels(channels), Live(lambda _: OneEuro(min_cutoff, beta)), fps=fps)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
