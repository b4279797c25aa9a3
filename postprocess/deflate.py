"""Remap each channel's range with a gentle sigmoid: steeper in the middle, a touch lower at rest, higher at peaks."""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from postprocess.step_command import step_command
from postprocess.steps import Channels, InputPath, Selection, Step, resolve_channels, training_row

EXAMPLES = """
python postprocess/deflate.py --input csvs/ --output deflated/
python postprocess/deflate.py --input csvs/ --output deflated/ --ceilings result/my_run/best.safetensors
"""
REST = 0.995  # the clip's minimum is lowered to this share of itself
HEADROOM = 0.001  # the clip's maximum moves this share of the way to the ceiling


def deflate(curves: np.ndarray, ceilings: np.ndarray | float = 1.0) -> np.ndarray:
    """curves: (frames, channels), ceilings: (channels,) or one for all → the same shape as curves.

    x → lo + (hi − lo)·(σ(z) − σ(−½)) / (σ(½) − σ(−½)), z = (x − mid) / range, with mid and range from the clip's
    minimum and maximum, lo = 0.995·min, hi = max + 0.001·(ceiling − max): the reference method's remap (DESIGN.md).
    A channel that does not move passes through.
    """
    lowest, highest = curves.min(axis=0), curves.max(axis=0)
    span = highest - lowest
    z = (curves - (lowest + highest) / 2) / np.where(span > 0, span, 1)
    share = (_sigmoid(z) - _sigmoid(-0.5)) / (_sigmoid(0.5) - _sigmoid(-0.5))
    bottom, top = REST * lowest, highest + HEADROOM * (ceilings - highest)
    return np.where(span > 0, bottom + (top - bottom) * share, curves)


def _sigmoid(z: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(z)))


def prepare(
    ceilings: Annotated[
        InputPath | None,
        Field(description="a stats.json or a checkpoint, whose training maxima are the ceilings (default: 1.0)"),
    ] = None,
    channels: Channels = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for stats that do not fit."""
    wanted = resolve_channels(channels)
    highest = (
        training_row(ceilings, "max", wanted, "leave it out with --channels")
        if ceilings
        else dict.fromkeys(wanted, 1.0)
    )

    def change(part: Selection) -> np.ndarray:
        return deflate(part.curves, np.array([highest[name] for name in part.channels]))

    return Step("deflated", wanted, change, (ceilings,) if ceilings else ())


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
