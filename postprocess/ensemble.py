"""Mix the predictions of several models: the weighted mean of curves, file by file, matched by name."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pydantic import Field

from config.command import run
from config.errors import UserError
from config.files import by_stem
from config.mixing import check_weight, sum_to_one
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.clocks import at_rate_of, frame_numbers, same_rate
from postprocess.step_command import step_command
from postprocess.steps import Channels, Fps, Selection, Step, check_fps, resolve_channels

EXAMPLES = """
python postprocess/ensemble.py --input runA/ runB/ --weights 0.3 0.7 --output mixed/
python postprocess/ensemble.py --input fold1/ fold2/ fold3/ --output mixed/
python postprocess/ensemble.py --input a/oof b/oof --weights auto --targets data/facegood/bs --output mixed/
"""


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
        check_weight("--weights", weight)
    total = sum(weights)
    if total == 0:
        raise UserError("--weights: all are 0; nothing would be left")
    if normalise:
        return [weight / total for weight in weights]
    if not sum_to_one(weights):
        raise UserError(f"--weights: they sum to {total:g}, not 1; mend them or add --normalise")
    return list(weights)


def match(inputs: Sequence[Path]) -> dict[Path, list[Path]]:
    """Each file of the first input → those of the other inputs with its stem; files given singly match as given.

    Raises UserError when an input lacks a file that another has.
    """
    first, *others = inputs
    if all(path.is_file() for path in inputs):
        return {first: others}
    stems = {path: by_stem(find_recordings(path)) for path in inputs}
    for path in others:
        for have, lack in ((first, path), (path, first)):
            missing = sorted(stems[have].keys() - stems[lack].keys())
            if missing:
                raise UserError(f"{lack}: no curves of {missing[0]}, which {have} has; mix folders of the same clips")
    return {file: [stems[path][stem] for path in others] for stem, file in stems[first].items()}


def fit_to_targets(
    partners: Mapping[Path, Sequence[Path]], targets: Path, wanted: tuple[str, ...], fps: float
) -> list[float]:
    """Weights fitted on every clip that has a target, frame by frame over the length that both have.

    fps: of files that tell none; a target of another rate is resampled by time to the curves'. Raises UserError when no
    clip has a target, or a target lacks a channel that the curves have.
    """
    recorded = dict.fromkeys(partners, targets) if targets.is_file() else {}
    if not recorded:
        stems = by_stem(find_recordings(targets))
        recorded = {file: stems[file.stem] for file in partners if file.stem in stems}
    if not recorded:
        raise UserError(f"{targets}: no curves of any of the clips to mix; they match by file name")

    def clips() -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
        for file, target in recorded.items():
            first = read_recording(file, required=())
            part = Selection(file, first, tuple(name for name in wanted if name in first.names))
            curves = [part.curves, *(read_like(path, part, wanted, fps) for path in partners[file])]
            goal = at_rate_of(read_recording(target, part.channels), fps, first.fps or fps).select(part.channels)
            numbers = frame_numbers(first, first.fps or fps)
            both = numbers < len(goal)
            yield [model[both] for model in curves], goal[numbers[both]]

    try:
        return fit_weights(clips())
    except ValueError:
        raise UserError(f"{targets}: every input equals these curves; there is nothing to fit") from None


def read_like(path: Path, first: Selection, wanted: tuple[str, ...], fps: float) -> np.ndarray:
    """The channels of another input's file, (frames, channels); of those `wanted` it must have what the first has.

    fps: of files that tell none. Raises UserError when its channels, its rate, its length or its times differ from the
    first's.
    """
    recording = read_recording(path, required=())
    for name in wanted:
        if (name in recording.names) != (name in first.channels):
            lacking, having = (path, first.file) if name in first.channels else (first.file, path)
            raise UserError(f"{lacking}: no column for {name}, which {having} has")
    rate, first_rate = recording.fps or fps, first.recording.fps or fps
    if not same_rate(rate, first_rate):
        raise UserError(f"{path}: {rate:g} frames a second, but {first.file} has {first_rate:g}")
    if recording.frames != first.recording.frames:
        raise UserError(f"{path}: {recording.frames} frames, but {first.file} has {first.recording.frames}")
    if not np.array_equal(frame_numbers(recording, rate), frame_numbers(first.recording, first_rate)):
        raise UserError(f"{path}: frames are missing at other times than in {first.file}; export both with --out_fps")
    return recording.select(first.channels)


def prepare(
    inputs: Sequence[Path],
    weights: Annotated[
        list[float | Literal["auto"]] | None,
        Field(description="one an input (default: equal), or auto: fitted to --targets"),
    ] = None,
    targets: Annotated[
        Path | None, Field(description="recorded curves of clips that no model was trained on, for auto")
    ] = None,
    normalise: Annotated[bool, Field(description="divide the weights by their sum")] = False,
    channels: Channels = None,
    fps: Fps = USUAL_FPS,
) -> Step:
    """The step that mixes the first of several inputs, files or folders, with the others.

    Raises UserError for weights that do not fit, and for inputs that do not match.
    """
    check_fps(fps)
    wanted = resolve_channels(channels)
    auto, numbers = weights == ["auto"], [weight for weight in weights or () if weight != "auto"]
    if auto != bool(targets):
        raise UserError("--weights auto and --targets go together: recorded curves of clips that no model has seen")
    if not auto and len(numbers) != len(weights or ()):
        raise UserError("--weights: auto stands alone, without numbers")
    shares = [] if auto else check_weights(numbers or None, len(inputs), normalise)
    partners = match(inputs)
    if targets:
        shares = fit_to_targets(partners, targets, wanted, fps)
        print("weights:", *(f"{path}: {share:.4f}" for path, share in zip(inputs, shares, strict=True)), sep="\n  ")

    def change(part: Selection) -> np.ndarray:
        others = [read_like(path, part, wanted, fps) for path in partners[part.file]]
        return ensemble([part.curves, *others], shares)

    mixed = [path for paths in partners.values() for path in paths]
    return Step("mixed", wanted, change, (*mixed, *(find_recordings(targets) if targets else ())))


def main() -> None:
    step_command(__doc__, EXAMPLES, prepare)


if __name__ == "__main__":
    run(main)
