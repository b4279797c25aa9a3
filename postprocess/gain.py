"""Scale and shift channels by a table: each value becomes gain · value + offset, kept between low and high."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import BaseModel, ConfigDict

from dataset.blendshapes import ARKIT
from dataset.command import UserError, run
from postprocess.files import Step, arguments, read_yaml, resolve_channels, run_steps, validated

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


def gain(curves: np.ndarray, gains: list[Gain]) -> np.ndarray:
    """curves: (frames, channels); gains: one a channel → clip(gain · curves + offset, low, high), the same shape."""
    scale, offset, low, high = (np.array([getattr(one, key) for one in gains]) for key in Gain.model_fields)
    return np.clip(scale * curves + offset, low, high)


def prepare(table: dict[str, Gain]) -> Step:
    """The step of post-processing that applies a table: blendshape or group → its Gain; of two, the later one counts.

    Raises UserError for a name that is neither, and for a low above the high.
    """
    if not table:
        raise UserError("table: names no channel; give it lines such as `JawOpen: {gain: 1.1}`")
    gains: dict[str, Gain] = {}
    for name, one in table.items():
        if one.low > one.high:
            raise UserError(f"table.{name}: low {one.low:g} is above high {one.high:g}")
        gains |= dict.fromkeys(resolve_channels([name], "table"), one)
    wanted = tuple(name for name in ARKIT if name in gains)
    return Step("scaled", wanted, lambda _file, channels, curves: gain(curves, [gains[name] for name in channels]))


def main() -> None:
    options = arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--table",
        type=Path,
        required=True,
        metavar="FILE",
        help="YAML, a line a blendshape or group: `JawOpen: {gain: 1.1, offset: 0, low: 0, high: 1}`, keys optional",
    )
    given = options.parse_args()
    run_steps([validated(str(given.table), prepare, {"table": read_yaml(given.table)})], given.input, given.output)


if __name__ == "__main__":
    run(main)
