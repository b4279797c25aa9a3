"""Make left and right alike: the two channels of a pair move towards their mean, or towards the larger of the two."""

import sys
from pathlib import Path
from typing import Annotated, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from dataset.blendshapes import ARKIT
from postprocess.flow import EachFrame, Live
from postprocess.step_command import step_command
from postprocess.steps import Channels, Step, flowing, resolve_channels

EXAMPLES = """
python postprocess/symmetrise.py --input csvs/ --output even/
python postprocess/symmetrise.py --input csvs/ --output even/ --by max --share 0.5 --channels mouth
"""
By = Literal["mean", "max"]

# These say which way something moves: their partner is its opposite, and making them alike would hold it in the middle.
DIRECTIONS = ("JawLeft", "MouthLeft", "EyeLookInLeft", "EyeLookOutLeft")
PAIRS = tuple(
    (name, name.removesuffix("Left") + "Right")
    for name in ARKIT
    if name.endswith("Left") and name not in DIRECTIONS
)  # fmt: skip


def symmetrise(curves: np.ndarray, names: tuple[str, ...], by: By = "mean", share: float = 1.0) -> np.ndarray:
    """curves: (frames, len(names)) → the same shape; a pair with one side only among the names passes through.

    Both sides become (1 − share) · themselves + share · the pair's mean or maximum in that frame; share 0 to 1.
    """
    place = {name: index for index, name in enumerate(names)}
    result = np.array(curves)
    for left, right in PAIRS:
        if left in place and right in place:
            sides = [place[left], place[right]]
            middle = getattr(curves[:, sides], by)(axis=1, keepdims=True)
            result[:, sides] = (1 - share) * curves[:, sides] + share * middle
    return result


def prepare(
    by: Annotated[By, Field(description="what the two sides move towards")] = "mean",
    share: Annotated[float, Field(description="how far they move there: 0 not at all, 1 wholly")] = 1.0,
    channels: Channels = None,
) -> Step:
    """The step of post-processing with these settings. Raises UserError for a share outside 0 to 1."""
    if not 0 <= share <= 1:
        raise UserError(f"--share {share:g}: must be from 0 to 1")
    live = Live(lambda clip: EachFrame(lambda curves: symmetrise(curves, clip.channels, by, share)))
    return flowing("symmetrised", resolve_channels(channels), live)


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
