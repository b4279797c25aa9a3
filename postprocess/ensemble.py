"""Mix the predictions of several models: the weighted mean of curves, file by file, matched by name."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, run
from config.files import by_stem, find
from dataset.blendshapes import read_csv
from postprocess.steps import add_channels, arguments, resolve_channels, rewrite

EXAMPLES = """
python postprocess/ensemble.py --input runA/ runB/ --weights 0.3 0.7 --output mixed/
python postprocess/ensemble.py --input fold1/ fold2/ fold3/ --output mixed/
python postprocess/ensemble.py --input a/oof b/oof --weights auto --targets data/facegood/bs --output mixed/
"""
AUTO = "auto"
TOLERANCE = 1e-6  # how far from 1 the weights may sum


def ensemble(curves: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """curves: one (frames, channels) a model, all of one shape; weights: one a model, summing to 1 → their mean."""
    return np.tensordot(np.asarray(weights, np.float64), np.stack(curves), axes=1)


def fit_weights(clips: Iterable[tuple[Sequence[np.ndarray], np.ndarray]]) -> list[float]:
    """The weights, from 0 up and summing to 1, whose mixture has the least squared error over all frames and channels.

    clips: for each clip one (frames, channels) a model, and the target (frames, channels). They must be clips that no
    model was trained on: on its own training clips the model that learned most by heart would win.
    As the weights sum to 1, the error of the mixture is the mixture of the errors, E w, and the least |E w|² is the
    point of the errors' convex hull next to the origin. Without the sum's constraint, u that minimises
    |E u|² + (sum(u) - 1)² points the same way: for u = s w its least over s is q / (1 + q), q = |E w|², which grows
    with q. So non-negative least squares (Lawson & Hanson 1974, chapter 23) finds u, and u / sum(u) is the answer.
    """
    from scipy.optimize import nnls

    factor: np.ndarray | None = None
    for curves, target in clips:
        errors = np.stack([(model - target).ravel() for model in curves], axis=1)
        # |R w| = |E w| for the triangular factor R of E = QR, which is small however long the clips are.
        stacked = errors if factor is None else np.vstack([factor, errors])
        factor = np.asarray(np.linalg.qr(stacked, mode="r"))
    if factor is None or not factor.any():
        raise ValueError("no clips, or no errors to tell the models apart by")
    models = factor.shape[1]
    scaled = np.vstack([factor / np.abs(factor).max(), np.ones(models)])
    found = nnls(scaled, np.append(np.zeros(len(scaled) - 1), 1.0))[0]
    return [float(weight) for weight in found / found.sum()]


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


def weight(word: str) -> float | str:
    """A word of --weights, for argparse."""
    return word if word == AUTO else float(word)


def fit_to_targets(partners: dict[Path, list[Path]], targets: Path, wanted: tuple[str, ...]) -> list[float]:
    """Weights fitted on every clip that has a target, frame by frame over the length that both have.

    Raises UserError when no clip has a target, or a target lacks a channel that the curves have.
    """
    recorded = dict.fromkeys(partners, targets) if targets.is_file() else {}
    if not recorded:
        stems = by_stem(find(targets, (".csv",)))
        recorded = {file: stems[file.stem] for file in partners if file.stem in stems}
    if not recorded:
        raise UserError(f"{targets}: no csv for any of the clips to mix; they match by file name")

    def clips() -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
        for file, target in recorded.items():
            first = read_csv(file)
            channels = tuple(name for name in wanted if name in first.names)
            curves = [first.select(channels)]
            curves += [read_like(path, file, channels, len(curves[0]), wanted) for path in partners[file]]
            goal = read_csv(target, required=channels).select(channels)
            frames = min(len(goal), len(curves[0]))
            yield [model[:frames] for model in curves], goal[:frames]

    try:
        return fit_weights(clips())
    except ValueError:
        raise UserError(f"{targets}: every input equals these curves; there is nothing to fit") from None


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
    options.add_argument(
        "--weights",
        type=weight,
        nargs="+",
        metavar="W",
        help="one an input (default: equal), or auto: fitted to --targets",
    )
    options.add_argument(
        "--targets", type=Path, metavar="PATH", help="recorded curves of clips that no model was trained on, for auto"
    )
    options.add_argument("--normalise", action="store_true", help="divide the weights by their sum")
    add_channels(options)
    given = options.parse_args()
    wanted = resolve_channels(given.channels)
    auto = given.weights == [AUTO]
    if auto != bool(given.targets):
        raise UserError("--weights auto and --targets go together: recorded curves of clips that no model has seen")
    if not auto and given.weights and AUTO in given.weights:
        raise UserError("--weights: auto stands alone, without numbers")
    weights = None if auto else check_weights(given.weights, len(given.input), given.normalise)
    partners = match(given.input)
    if weights is None:
        weights = fit_to_targets(partners, given.targets, wanted)
        print(
            "weights:", *(f"{path}: {share:.4f}" for path, share in zip(given.input, weights, strict=True)), sep="\n  "
        )

    def change(file: Path, channels: tuple[str, ...], curves: np.ndarray) -> np.ndarray:
        others = [read_like(path, file, channels, len(curves), wanted) for path in partners[file]]
        return ensemble([curves, *others], weights)

    rewrite("mixed", given.input[0], given.output, wanted, change)


if __name__ == "__main__":
    run(main)
