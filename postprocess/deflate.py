"""Remap each channel's range with a gentle sigmoid: steeper in the middle, a touch lower at rest, higher at peaks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import run
from postprocess.steps import InputPath, Step, add_channels, arguments, resolve_channels, run_steps, training_row

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


def prepare(ceilings: InputPath | None = None, channels: list[str] | None = None) -> Step:
    """The step of post-processing with these settings. Raises UserError for stats that do not fit."""
    wanted = resolve_channels(channels)
    highest = (
        training_row(ceilings, "max", wanted, "leave it out with --channels")
        if ceilings
        else dict.fromkeys(wanted, 1.0)
    )

    def change(_: Path, present: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        return deflate(curves, np.array([highest[name] for name in present]))

    return Step("deflated", wanted, change)


def main() -> None:
    options = arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--ceilings",
        type=Path,
        metavar="PATH",
        help="a stats.json or a checkpoint, whose training maxima are the ceilings (default: 1.0 for every channel)",
    )
    add_channels(options)
    given = options.parse_args()
    run_steps([prepare(given.ceilings, given.channels)], given.input, given.output)


if __name__ == "__main__":
    run(main)
