"""Scale and shift channels by a table, each value about 0 or about the training mean, and keep them in a range."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import BaseModel, ConfigDict

from config.command import UserError, run
from config.files import read_yaml
from dataset.blendshapes import ARKIT
from postprocess.steps import (
    InputPath,
    Step,
    arguments,
    resolve_channels,
    run_steps,
    training_row,
    validated,
)

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


def prepare(table: dict[str, Gain], around: InputPath | None = None) -> Step:
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

    def change(_: Path, present: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        return gain(curves, [gains[name] for name in present], np.array([means[name] for name in present]))

    return Step("scaled", wanted, change)


def main() -> None:
    options = arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--table",
        type=Path,
        required=True,
        metavar="FILE",
        help="YAML, a line a blendshape or group: `JawOpen: {gain: 1.1, offset: 0, low: 0, high: 1}`, keys optional",
    )
    options.add_argument(
        "--around",
        type=Path,
        metavar="PATH",
        help="a stats.json or a checkpoint, about whose training means the curves are scaled (default: about 0)",
    )
    given = options.parse_args()
    settings = {"table": read_yaml(given.table), "around": given.around}
    run_steps([validated(str(given.table), prepare, settings)], given.input, given.output)


if __name__ == "__main__":
    run(main)
