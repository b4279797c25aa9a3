"""Mix the predictions of several models: the weighted mean of curves, file by file, matched by name."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from dataset.blendshapes import read_csv
from dataset.command import UserError, run
from dataset.files import by_stem, find
from postprocess.files import add_channels, arguments, resolve_channels, rewrite

EXAMPLES = """
python postprocess/ensemble.py --input runA/ runB/ --weights 0.3 0.7 --output mixed/
python postprocess/ensemble.py --input fold1/ fold2/ fold3/ --output mixed/
"""
TOLERANCE = 1e-6  # how far from 1 the weights may sum


def ensemble(curves: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """curves: one (frames, channels) a model, all of one shape; weights: one a model, summing to 1 → their mean."""
    return np.tensordot(np.asarray(weights, np.float64), np.stack(curves), axes=1)


def check_weights(weights: Sequence[float] | None, inputs: int, normalise: bool) -> list[float]:
    """One weight an input, equal ones when none are given; divided by their sum with `normalise`.

    Raises UserError for another count, a weight that is negative or not finite, or a sum that is not 1.
    """
    if weights is None:
        return [1 / inputs] * inputs
    if len(weights) != inputs:
        raise UserError(f"--weights: {len(weights)} given for {inputs} inputs; give one an input")
    for weight in weights:
        if not 0 <= weight < np.inf:
            raise UserError(f"--weights: {weight:g} is not a weight; give numbers from 0 up")
    total = sum(weights)
    if total == 0:
        raise UserError("--weights: all are 0; nothing would be left")
    if normalise:
        return [weight / total for weight in weights]
    if abs(total - 1) > TOLERANCE:
        raise UserError(f"--weights: they sum to {total:g}, not 1; mend them or add --normalise")
    return list(weights)


def match(inputs: Sequence[Path]) -> dict[Path, list[Path]]:
    """Each csv of the first input → the csvs of the other inputs with its stem; files given singly match as given.

    Raises UserError when an input lacks a csv that another has.
    """
    first, *others = inputs
    if all(path.is_file() for path in inputs):
        return {first: others}
    stems = {path: by_stem(find(path, (".csv",))) for path in inputs}
    for path in others:
        for have, lack in ((first, path), (path, first)):
            missing = sorted(stems[have].keys() - stems[lack].keys())
            if missing:
                raise UserError(f"{lack}: no {missing[0]}.csv, which {have} has; mix folders of the same clips")
    return {file: [stems[path][stem] for path in others] for stem, file in stems[first].items()}


def read_like(path: Path, first: Path, channels: tuple[str, ...], frames: int, wanted: tuple[str, ...]) -> np.ndarray:
    """The channels of another input's csv, (frames, channels), of those `wanted` it must have no more and no less.

    Raises UserError when its columns or its length differ from the first's.
    """
    table = read_csv(path)
    for name in wanted:
        if (name in table.names) != (name in channels):
            lacking, having = (path, first) if name in channels else (first, path)
            raise UserError(f"{lacking}: no column for {name}, which {having} has")
    if len(table.values) != frames:
        raise UserError(f"{path}: {len(table.values)} frames, but {first} has {frames}")
    return table.select(channels)


def main() -> None:
    options = arguments(__doc__, EXAMPLES, several=True)
    options.add_argument("--weights", type=float, nargs="+", metavar="W", help="one an input (default: equal)")
    options.add_argument("--normalise", action="store_true", help="divide the weights by their sum")
    add_channels(options)
    given = options.parse_args()
    wanted = resolve_channels(given.channels)
    weights = check_weights(given.weights, len(given.input), given.normalise)
    partners = match(given.input)

    def change(file: Path, channels: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        others = [read_like(path, file, channels, len(curves), wanted) for path in partners[file]]
        return ensemble([curves, *others], weights)

    rewrite("mixed", given.input[0], given.output, wanted, change)


if __name__ == "__main__":
    run(main)
