"""Scale and shift channels by a table, each value about 0 or about the training mean, and keep them in a range."""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from config.command import run
from config.errors import UserError
from dataset.blendshapes import ARKIT
from postprocess.flow import EachFrame, Flow, Live, Opening
from postprocess.step_command import step_command
from postprocess.steps import InputPath, Step, flowing, resolve_channels, training_row

EXAMPLES = """
python postprocess/gain.py --input csvs/ --output louder/ --table gains.yml
echo 'JawOpen: {gain: 1.1}' > gains.yml && python postprocess/gain.py --input a.csv --output b.csv --table gains.yml
"""


class Gain(BaseModel):
    """What becomes of a channel."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    gain: float = 1.0
    offset: float = 0.0
    low: float = 0.0
    high: float = 1.0


def gain(curves: np.ndarray, gains: list[Gain], middle: np.ndarray | float = 0.0) -> np.ndarray:
    """curves: (frames, channels); gains: one a channel; middle: (channels,), or one for all → the same shape as curves.

    x → middle + gain · (x − middle) + offset, clipped to low … high.
    """
    scale, offset, low, high = (np.array([getattr(one, key) for one in gains]) for key in Gain.model_fields)
    return np.clip(middle + scale * (curves - middle) + offset, low, high)


def prepare(
    table: Annotated[
        dict[str, Gain],
        Field(
            description="YAML, a line a blendshape or group: "
            "`JawOpen: {gain: 1.1, offset: 0, low: 0, high: 1}`, keys optional"
        ),
    ],
    around: Annotated[
        InputPath | None,
        Field(description="a stats.json or a checkpoint: scale about its training means (default: about 0)"),
    ] = None,
) -> Step:
    """The step of post-processing that applies a table: blendshape or group → its Gain; of two, the later one counts.

    around: a stats.json or checkpoint, whose training means stay where they are. A model that is unsure predicts close
    to its mean; a gain about it gives the curves their amplitude back.
    Raises UserError for a name that is neither, for a low above the high, and for stats that lack a channel.
    """
    if not table:
        raise UserError("table: names no channel; give it lines such as `JawOpen: {gain: 1.1}`")
    gains: dict[str, Gain] = {}
    for name, one in table.items():
        if one.low > one.high:
            raise UserError(f"table.{name}: low {one.low:g} is above high {one.high:g}")
        gains |= dict.fromkeys(resolve_channels([name], "table"), one)
    wanted = tuple(name for name in ARKIT if name in gains)
    means = training_row(around, "mean", wanted, "take it out of the table") if around else dict.fromkeys(wanted, 0.0)

    def begin(clip: Opening) -> Flow:
        middle = np.array([means[name] for name in clip.channels])
        return EachFrame(lambda curves: gain(curves, [gains[name] for name in clip.channels], middle))

    return flowing("scaled", wanted, Live(begin), (around,) if around else ())


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
