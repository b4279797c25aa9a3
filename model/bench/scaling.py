"""How time and memory grow with batch, length, corpus and workers: each size measured in a process of its own."""

import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from tqdm import tqdm

from config.files import written_whole
from config.load import ROOT, load_config
from config.tables import table
from dataset.windows import Batch
from model.bench.stopwatch import median_s
from model.bench.workloads import forward_backward, training_on_noise, write_noise
from model.decoder import build_decoder
from model.dtw_loss import Mode, dtw_loss
from model.memory import keep_freed_memory
from model.synthesis import Synthesizer

if sys.platform != "win32":
    import resource

CHANNELS = 37
KIB = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss

Work = Callable[[], object]


class Point(NamedTuple):
    """What one size took."""

    size: int
    seconds: float
    peak_bytes: int  # of the process, beyond what it held before the work; 0 on Windows, where it is not told


@dataclass(frozen=True)
class Curve:
    """Work of several sizes. expected: the power of the size that its time should grow with, None: no power."""

    label: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Work]  # size, a folder for files → the work to time
    expected: float | None
    repeats: int = 5


def dtw_work(batch: int, frames: int, mode: Mode) -> Work:
    """The DTW loss, forward and backward."""
    torch.manual_seed(0)
    prediction, target = torch.randn(2, batch, frames, CHANNELS).cumsum(dim=2) / frames**0.5
    prediction = prediction.contiguous().requires_grad_()
    return lambda: dtw_loss(prediction, target.contiguous(), mode=mode).backward()


def decoder_work(batch: int) -> Work:
    """The reference decoder, forward and backward."""
    decoder = build_decoder(load_config(ROOT / "config" / "aiwin.yml", ()), 1024, CHANNELS).train()
    given = Batch(torch.randn(batch, 55, 1024), torch.empty(0), torch.zeros(batch, dtype=torch.long))
    return lambda: forward_backward(decoder, given)


def synthesis_work(seconds: int, folder: Path) -> Work:
    """A sound to curves, by the weights that the repository ships."""
    write_noise(folder / "noise.wav", seconds)
    synthesizer = Synthesizer(device="cpu")
    return lambda: synthesizer.synthesize(folder / "noise.wav")


def loader_work(clips: int, workers: int, folder: Path) -> Work:
    """An epoch of batches from LMDB."""
    run = training_on_noise(folder, clips, 10.0, f"train.workers={workers}", "features.context=clip")
    return lambda: sum(len(batch.domain) for batch in run.batches())


CURVES = {
    "dtw_batch": Curve("DTW loss, batch (T = 55)", (64, 128, 256, 512, 1024), lambda n, _: dtw_work(n, 55, "exact"), 1),
    "dtw_length": Curve("DTW loss, frames (batch 32)", (110, 220, 440, 880), lambda n, _: dtw_work(32, n, "exact"), 2),
    "fastdtw_length": Curve(
        "FastDTW loss, frames (batch 32)", (110, 220, 440, 880), lambda n, _: dtw_work(32, n, "fastdtw"), 1
    ),
    "decoder_batch": Curve("decoder, batch", (32, 64, 128, 256), lambda n, _: decoder_work(n), 1),
    "synthesis_length": Curve("synthesis, seconds of sound", (60, 120, 240, 480, 960), synthesis_work, 1),
    "loader_corpus": Curve("epoch of the loader, clips", (32, 64, 128, 256), lambda n, f: loader_work(n, 0, f), 1),
    "loader_workers": Curve("epoch of the loader, workers", (1, 2, 4), lambda n, f: loader_work(128, n, f), None, 3),
}


def measure(name: str, size: int) -> Point:
    """One size of a curve, in a process of its own: peak memory is a process's, and never falls."""
    # Not multiprocessing's Pool: its processes may start none of their own, which a loader with workers does.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, name, size).result()


def _measure(name: str, size: int) -> Point:
    keep_freed_memory()
    curve = CURVES[name]
    with tempfile.TemporaryDirectory() as folder:
        work = curve.prepare(size, Path(folder))
        before = _peak_bytes()
        return Point(size, median_s(work, curve.repeats, warm_up=1), _peak_bytes() - before)


def _peak_bytes() -> int:
    """Of the process so far; 0 on Windows, which does not tell."""
    if sys.platform == "win32":
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def measure_all() -> dict[str, list[Point]]:
    """Every size of every curve of CURVES, by its name, behind a bar of progress."""
    sizes = [(name, size) for name, curve in CURVES.items() for size in curve.sizes]
    curves: dict[str, list[Point]] = {name: [] for name in CURVES}
    for name, size in tqdm(sizes, unit="size", disable=None, leave=False):
        curves[name].append(measure(name, size))
    return curves


def exponent(points: list[Point]) -> float:
    """The power of the size that time grows with: least squares through the logarithms."""
    sizes, seconds = np.log([point.size for point in points]), np.log([point.seconds for point in points])
    return float(np.polyfit(sizes, seconds, 1)[0])


def as_json(curves: dict[str, list[Point]]) -> dict[str, Any]:
    """By a curve's name, its exponent and its points."""
    return {
        name: {"exponent": exponent(points), "points": [point._asdict() for point in points]}
        for name, points in curves.items()
    }


def report(curves: dict[str, list[Point]]) -> str:
    """What the screen shows: a row a curve, from its first size to its last."""
    rows = [
        [CURVES[name].label, *_growth_cells(points), f"{exponent(points):.2f}", _power(CURVES[name].expected)]
        for name, points in curves.items()
    ]
    return table(["time and memory against", "sizes", "s", "MB", "exponent", "expected"], rows)


def _growth_cells(points: list[Point]) -> list[str]:
    first, last = points[0], points[-1]
    return [
        f"{first.size} … {last.size}",
        f"{first.seconds:.3g} … {last.seconds:.3g}",
        f"{first.peak_bytes / 1e6:,.0f} … {last.peak_bytes / 1e6:,.0f}",
    ]


def _power(expected: float | None) -> str:
    return "–" if expected is None else f"{expected:g}"


def plot(path: Path, curves: dict[str, list[Point]]) -> None:
    """Time and memory against size, a panel a curve, as PNG."""
    matplotlib.use("agg")
    columns = 3
    figure, panels = pyplot.subplots(
        -(-len(curves) // columns),
        columns,
        figsize=(15, 4 * -(-len(curves) // columns)),
        squeeze=False,
        layout="constrained",
    )
    for panel, (name, points) in zip(panels.flat, curves.items(), strict=False):
        _draw(panel, CURVES[name], points)
    for empty in panels.flat[len(curves) :]:
        empty.set_axis_off()
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    pyplot.close(figure)


def _draw(panel: Axes, curve: Curve, points: list[Point]) -> None:
    sizes = [point.size for point in points]
    panel.loglog(sizes, [point.seconds for point in points], "o-", color="tab:blue", label="time")
    panel.set(title=f"{curve.label}: time ~ size^{exponent(points):.2f}", xlabel="size", ylabel="seconds")
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.minorticks_off()
    if curve.expected is not None:
        line = points[0].seconds * (np.array(sizes) / sizes[0]) ** curve.expected
        panel.loglog(sizes, line, ":", color="gray", label=f"size^{curve.expected:g}")
    panel.legend(loc="upper left")
    memory = panel.twinx()
    memory.plot(sizes, [point.peak_bytes / 1e6 for point in points], "s--", color="tab:orange")
    memory.set(ylabel="peak memory of the work, MB", ylim=(0, None))
