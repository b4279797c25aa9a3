"""Remap each channel's range with a gentle sigmoid: steeper in the middle, a touch lower at rest, higher at peaks."""

import sys
from pathlib import Path
from typing import Annotated, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from postprocess.flow import EachFrame, Flow, Live, Opening
from postprocess.step_command import step_command
from postprocess.steps import Channels, InputPath, Selection, Step, flowing, resolve_channels, training_row

EXAMPLES = """
python postprocess/deflate.py --input csvs/ --output deflated/
python postprocess/deflate.py --input csvs/ --output deflated/ --ceilings result/my_run/best.safetensors
"""
REST = 0.995  # the range's minimum is lowered to this share of itself
HEADROOM = 0.001  # the range's maximum moves this share of the way to the ceiling
Span = Literal["clip", "training"]
EXTREMES: tuple[Literal["min"], Literal["max"]] = ("min", "max")


def deflate(curves: np.ndarray, ceilings: np.ndarray | float = 1.0) -> np.ndarray:
    """curves: (frames, channels), ceilings: (channels,) or one for all → the same shape as curves.

    The remap of `deflate_within`, the range being the clip's own.
    """
    return deflate_within(curves, curves.min(axis=0), curves.max(axis=0), ceilings)


def deflate_within(
    curves: np.ndarray, lowest: np.ndarray, highest: np.ndarray, ceilings: np.ndarray | float
) -> np.ndarray:
    """curves: (frames, channels), lowest and highest, their range: (channels,) → the same shape as curves.

    x → lo + (hi − lo)·(σ(z) − σ(−½)) / (σ(½) − σ(−½)), z = (x − mid) / range, with mid and range from the minimum and
    maximum, lo = 0.995·min, hi = max + 0.001·(ceiling − max): the reference method's remap (DESIGN.md).
    A channel that does not move passes through.
    """
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
    span: Annotated[
        Span,
        Field(description="whose range is remapped: each clip's own, or that of the training clips, by --ceilings"),
    ] = "clip",
    channels: Channels = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for stats that do not fit or are not there."""
    wanted, reads = resolve_channels(channels), (ceilings,) if ceilings else ()
    mend = "leave it out with --channels"
    if span == "training":
        if ceilings is None:
            raise UserError("--span training: needs --ceilings, a stats.json or a checkpoint")
        lowest, highest = (training_row(ceilings, row, wanted, mend) for row in EXTREMES)

        def begin(clip: Opening) -> Flow:
            low, high = (np.array([row[name] for name in clip.channels]) for row in (lowest, highest))
            return EachFrame(lambda curves: deflate_within(curves, low, high, high))

        return flowing("deflated", wanted, Live(begin), reads)
    tops = training_row(ceilings, "max", wanted, mend) if ceilings else dict.fromkeys(wanted, 1.0)

    def change(part: Selection) -> np.ndarray:
        return deflate(part.curves, np.array([tops[name] for name in part.channels]))

    return Step("deflated", wanted, change, reads, live="deflate takes the range of the whole clip; span: training")


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
