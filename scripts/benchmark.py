"""Time the parts that decide how fast training and scoring are, each beside a plain baseline, in one run."""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.files import write_json
from config.tables import table
from config.units import SAMPLE_RATE
from dataset.blendshapes import FACE

if TYPE_CHECKING:
    from torch import Tensor

    from dataset.windows import Batch
    from model.bench.scaling import Point
    from model.run_state import RunState

EXAMPLES = """
python scripts/benchmark.py
python scripts/benchmark.py --stages dtw_loss contest_score --json benchmark.json
python scripts/benchmark.py --quick
python scripts/benchmark.py --scale scaling.png
"""
BATCH, FRAMES = 128, 55  # the reference method's batch and window
CLIPS, CLIP_FRAMES = 100, 250  # 10 s each at 25 fps
CORPUS_CLIPS, CORPUS_CLIP_S = 32, 20.0  # noise to train on
SPEECH_S = 60.0
ENCODED_S = 10  # of speech, for the big encoder
HUBERT_GFLOP_PER_S = 36  # of HuBERT-large, a second of audio
SEED = 0


# ---- what a stage is ----


@dataclass(frozen=True)
class Effort:
    """How long a person is ready to wait."""

    quick: bool

    def repeats(self, full: int) -> int:
        """How often a stage that asks for `full` repeats is run."""
        return max(full // 10, 3) if self.quick else full

    @property
    def clips(self) -> int:
        """How many clips of noise to train on."""
        return CORPUS_CLIPS // 4 if self.quick else CORPUS_CLIPS


class Timing(NamedTuple):
    """What a stage measured, in seconds. A stage without a baseline is only timed."""

    median_s: float
    repeats: int
    what: str
    baseline_s: float | None = None
    baseline: str = ""
    figures: Mapping[str, float] = MappingProxyType({})  # more of what was found, by name


Stage = Callable[[Effort], Timing]
STAGES: dict[str, Stage] = {}
LEFT_OUT_BY_QUICK: set[str] = set()


def stage(function: Stage) -> Stage:
    """Add a stage to the benchmark, under its function's name."""
    STAGES[function.__name__] = function
    return function


def thorough(function: Stage) -> Stage:
    """Add a stage that --quick leaves out, unless it is asked for by name."""
    LEFT_OUT_BY_QUICK.add(function.__name__)
    return stage(function)


def seconds(work: Callable[[], object], repeats: int, warm_up: int = 3) -> list[float]:
    """The wall-clock time of each of `repeats` calls, after some that don't count (compilation, caches, threads)."""
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


# ---- the stages ----


@stage
def dtw_loss(effort: Effort) -> Timing:
    """The exact DTW loss, forward and backward."""
    return _time_loss(effort, "exact", FRAMES)


@stage
def dtw_loss_fastdtw(effort: Effort) -> Timing:
    """The same along FastDTW's path."""
    return _time_loss(effort, "fastdtw", FRAMES)


@thorough
def dtw_loss_110(effort: Effort) -> Timing:
    """The exact loss of windows twice as long."""
    return _time_loss(effort, "exact", 110)


@thorough
def dtw_loss_220(effort: Effort) -> Timing:
    """The exact loss of windows four times as long."""
    return _time_loss(effort, "exact", 220)


@thorough
def dtw_loss_1000(effort: Effort) -> Timing:
    """The exact loss of whole clips of 40 s."""
    return _time_loss(effort, "exact", 1000)


@stage
def contest_score(effort: Effort) -> Timing:
    """The contest's score of a test set."""
    import fastdtw as package
    import numpy as np

    from dataset.dtw import fastdtw

    generator = np.random.default_rng(SEED)
    clips = np.cumsum(generator.normal(size=(CLIPS, 2, CLIP_FRAMES, len(FACE))), axis=2) / 100
    repeats, compared = effort.repeats(30), clips[: effort.repeats(10)]
    median = statistics.median(seconds(lambda: [fastdtw(x, y) for x, y in clips], repeats, warm_up=1))
    start = time.perf_counter()
    expected = [package.fastdtw(x, y, dist=lambda a, b: np.mean((a - b) ** 2))[0] for x, y in compared]
    plain = (time.perf_counter() - start) / len(compared) * CLIPS
    difference = max(abs(fastdtw(x, y)[0] - score) for (x, y), score in zip(compared, expected, strict=True))
    what = f"FastDTW radius 1 of {CLIPS} clips ({CLIP_FRAMES}, {len(FACE)})"
    how = f"fastdtw package, {len(compared)} clips, scaled"
    return Timing(median, repeats, what, plain, how, {"largest_difference": difference})


@stage
def train_step(effort: Effort) -> Timing:
    """A step of the reference recipe: loader, decoder, DTW loss, clipping, optimiser, notes for the log."""
    from torch.utils.flop_counter import FlopCounterMode

    from model.bench.workloads import PlainDecoder, forward_backward, training_on_noise
    from model.training import step

    with TemporaryDirectory() as folder:
        run = training_on_noise(Path(folder), effort.clips, CORPUS_CLIP_S, f"train.batch_size={BATCH}")
        run.model.train()
        batch = next(run.batches())
        with FlopCounterMode(display=False) as counter:
            forward_backward(run.model, batch)
        rounds = [pair for _ in range(1 if effort.quick else 2) for pair in _steps_beside_bare_ones(run, step)]
        plain_model = PlainDecoder().train()
        plain = statistics.median(seconds(lambda: forward_backward(plain_model, batch), 3, warm_up=1))
    loss, how = _per_cell_baseline(min(8, BATCH) if effort.quick else BATCH, FRAMES)
    step_s, bare_s = map(statistics.median, zip(*rounds, strict=True))
    figures = {
        "bare_s": bare_s,
        "overhead": step_s / bare_s,
        "plain_layers_s": plain,
        "gflop": counter.get_total_flops() / 1e9,
        "gflop_per_s": counter.get_total_flops() / 1e9 / bare_s,
    }
    baseline = f"torch's layers, forward + backward, and {how}"
    return Timing(
        step_s, len(rounds), f"config/aiwin.yml, batch {BATCH}, cached features", plain + loss, baseline, figures
    )


def _steps_beside_bare_ones(
    run: "RunState", step: "Callable[[RunState, Batch[Tensor]], None]"
) -> list[tuple[float, float]]:
    """(seconds of a step, its wait for the batch included; of a bare forward and backward of it), over an epoch.

    Side by side, so that what else the machine does is in both. The first step, which warms up, and short batches are
    left out.
    """
    from model.bench.workloads import forward_backward

    taken = []
    run.batch = 0
    start = time.perf_counter()
    for batch in run.batches():
        step(run, batch)
        whole = time.perf_counter() - start
        (bare,) = seconds(partial(forward_backward, run.model, batch), repeats=1, warm_up=0)
        if len(batch.domain) == run.config.train.batch_size:
            taken.append((whole, bare))
        start = time.perf_counter()
    return taken[1:]


@stage
def loader(effort: Effort) -> Timing:
    """An epoch's windows from LMDB to tensors, in the main process."""
    from model.bench.workloads import plain_batch, training_on_noise

    figures = {}
    with TemporaryDirectory() as folder:
        for context in ("clip", "window"):
            run = training_on_noise(Path(folder, context), effort.clips, CORPUS_CLIP_S, f"features.context={context}")
            windows = len(run.data.train)
            median = statistics.median(seconds(partial(_exhaust, run), effort.repeats(20), warm_up=1))
            figures[f"windows_per_s_{context}"] = windows / median

        first = run.data.train.examples[:BATCH]
        plain = statistics.median(seconds(lambda: plain_batch(run, first), 3, warm_up=1)) * windows / len(first)
    what = f"{windows:,} windows of ({FRAMES}, 1024) features, cached a window each"
    return Timing(
        median,
        effort.repeats(20),
        what,
        plain,
        "a window at a time, its clip decoded for it, one batch, scaled",
        figures,
    )


def _exhaust(run: "RunState") -> None:
    for _ in run.batches():
        pass


@stage
def synthesis_logmel(effort: Effort) -> Timing:
    """A wav to curves by the weights that the repository ships, loaded."""
    from model.bench.workloads import plain_synthesis, write_noise
    from model.synthesis import Synthesizer

    synthesizer, repeats = Synthesizer(device="cpu"), effort.repeats(20)
    with TemporaryDirectory() as folder:
        wav = Path(folder) / "noise.wav"
        write_noise(wav, SPEECH_S)
        median = statistics.median(seconds(lambda: synthesizer.synthesize(wav), repeats))
        plain = statistics.median(seconds(lambda: plain_synthesis(synthesizer, wav), 3, warm_up=1))
    what = f"{SPEECH_S:g} s of sound, windows that overlap by half"
    return Timing(
        median,
        repeats,
        what,
        plain,
        "the same windows one at a time, each heard on its own",
        {"rtf": median / SPEECH_S},
    )


@thorough
def encoder_fp32(effort: Effort) -> Timing:
    """HuBERT-large over a whole clip, once, as the feature cache is filled."""
    return _time_encoder(effort, "fp32")


@thorough
def encoder_int8(effort: Effort) -> Timing:
    """The same with its linear layers in int8."""
    return _time_encoder(effort, "int8")


def _time_encoder(effort: Effort, precision: str) -> Timing:
    import torch

    from dataset.windows import window_starts
    from model.bench.workloads import random_hubert
    from model.hubert import HubertEncoder
    from model.memory import keep_freed_memory
    from model.speech_encoder import encode_clip

    audio = torch.randn(ENCODED_S * SAMPLE_RATE, generator=torch.Generator().manual_seed(SEED)) / 10
    with TemporaryDirectory() as folder:
        plain = random_hubert(Path(folder))
        encoder = HubertEncoder(folder, precision=precision)
        encoder.load()  # while the folder is there
    windows = len(window_starts(ENCODED_S * 25, FRAMES, 10))
    window = audio[None, : FRAMES * SAMPLE_RATE // 25]
    window_s = statistics.median(seconds(lambda: plain(window), 3, warm_up=1))
    keep_freed_memory()
    median = statistics.median(seconds(lambda: encode_clip(encoder, audio, 25.0), effort.repeats(7), warm_up=2))
    return Timing(
        median,
        effort.repeats(7),
        f"{precision}, a clip of {ENCODED_S} s, HuBERT-large with random weights",
        windows * window_s,
        f"transformers in fp32, {windows} windows of {FRAMES} frames at 25 fps, 10 apart, one timed and scaled",
        {"rtf": median / ENCODED_S, "gflop_per_s": HUBERT_GFLOP_PER_S * ENCODED_S / median},
    )


def _time_loss(effort: Effort, mode: Any, frames: int) -> Timing:
    from model.dtw_loss import dtw_loss

    prediction, target = _loss_batch(frames)

    def work() -> None:
        prediction.grad = None
        dtw_loss(prediction, target, mode=mode).backward()

    repeats = max(effort.repeats(200) * FRAMES // frames, 3)
    median = statistics.median(seconds(work, repeats, warm_up=min(repeats, 10)))
    what = f"{mode}, forward + backward, {tuple(prediction.shape)}"
    some = effort.quick or frames > FRAMES
    return Timing(median, repeats, what, *_per_cell_baseline(min(8, BATCH) if some else BATCH, frames))


def _loss_batch(frames: int) -> "tuple[Tensor, Tensor]":
    """(BATCH, frames, channels) twice: smooth curves with the normalised values that training sees."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    steps = torch.randn(2, BATCH, frames, len(FACE), generator=generator)
    prediction, target = (steps.cumsum(dim=2) / frames**0.5).unbind()
    return prediction.contiguous().requires_grad_(), target.contiguous()


@lru_cache
def _per_cell_baseline(items: int, frames: int) -> tuple[float, str]:
    """The per-cell loss, timed once over the first items and scaled to the whole batch → seconds, how it was found."""
    import torch

    prediction, target = (batch[:items].detach() for batch in _loss_batch(frames))
    prediction.requires_grad_()

    def work() -> None:
        losses = [per_cell_fastdtw(list(p), list(t)) for p, t in zip(prediction, target, strict=True)]
        torch.stack([cost for cost, _ in losses]).mean().backward()

    (taken,) = seconds(work, repeats=1, warm_up=0)
    how = "once" if items == BATCH else f"once, {items} of {BATCH} items, scaled"
    return taken * BATCH / items, f"per-cell torch FastDTW, {how}"


def per_cell_fastdtw(x: "list[Tensor]", y: "list[Tensor]", radius: int = 1) -> "tuple[Tensor, list[tuple[int, int]]]":
    """The baseline: FastDTW (Salvador & Chan 2007) written plainly, one torch operation after another in each cell.

    x, y: frames (channels,) → the cost of the path, which autograd can follow, and the path.
    """
    if min(len(x), len(y)) < radius + 2:
        return _per_cell_dtw(x, y, [(i, j) for i in range(len(x)) for j in range(len(y))])
    _, coarse = per_cell_fastdtw(_halve(x), _halve(y), radius)
    near = range(-radius, radius + 1)
    wide = {(i + a, j + b) for i, j in coarse for a in near for b in near}
    window = {(2 * i + a, 2 * j + b) for i, j in wide for a in (0, 1) for b in (0, 1)}
    return _per_cell_dtw(x, y, sorted((i, j) for i, j in window if 0 <= i < len(x) and 0 <= j < len(y)))


def _halve(frames: "list[Tensor]") -> "list[Tensor]":
    return [(a + b) / 2 for a, b in zip(frames[::2], frames[1::2], strict=False)]


def _per_cell_dtw(
    x: "list[Tensor]", y: "list[Tensor]", window: list[tuple[int, int]]
) -> "tuple[Tensor, list[tuple[int, int]]]":
    from torch.nn.functional import mse_loss

    total: dict[tuple[int, int], Tensor] = {}
    source: dict[tuple[int, int], tuple[int, int]] = {}
    for i, j in window:
        cost = mse_loss(x[i], y[j])
        before = [cell for cell in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if cell in total]
        if before:
            source[i, j] = min(before, key=lambda cell: total[cell])
            cost = total[source[i, j]] + cost
        total[i, j] = cost
    path = [(len(x) - 1, len(y) - 1)]
    while path[-1] in source:
        path.append(source[path[-1]])
    return total[path[0]], path[::-1]


# ---- the machine ----


def describe_machine(effort: Effort) -> dict[str, Any]:
    """What the times were measured on, with its measured limits."""
    import torch

    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "sgemm_gflop_per_s": sgemm_gflop_per_s(effort.repeats(30)),
        "copy_gb_per_s": copy_gb_per_s(effort.repeats(30)),
    }


def cpu_model() -> str:
    """As /proc/cpuinfo has it, or what Python knows on other systems."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def sgemm_gflop_per_s(repeats: int, size: int = 1536) -> float:
    """The best pace of a float32 matrix product, by MKL or by oneDNN: 2 · size³ operations."""
    import torch
    from torch import nn

    from model.packed_linear import pack_linears

    a, b = torch.rand(2, size, size)
    product = torch.empty(size, size)
    packed = nn.Sequential(nn.Linear(size, size)).requires_grad_(False)
    pack_linears(packed, lambda _: True)
    ways: tuple[Callable[[], object], ...] = (lambda: torch.mm(a, b, out=product), lambda: packed(a))
    return 2 * size**3 / min(min(seconds(way, repeats)) for way in ways) / 1e9


def copy_gb_per_s(repeats: int, megabytes: int = 128) -> float:
    """The best pace of a copy that no cache holds: bytes read plus bytes written."""
    import torch

    source = torch.rand(megabytes * 250_000)
    copy = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds(lambda: copy.copy_(source), repeats)) / 1e9


# ---- the report ----


def as_row(name: str, timing: Timing, machine: Mapping[str, Any]) -> dict[str, Any]:
    """A stage as the JSON holds it."""
    row = {"name": name, **timing._asdict(), **timing.figures}
    del row["figures"]
    row["ratio"] = None if timing.baseline_s is None else timing.baseline_s / timing.median_s
    if "gflop_per_s" in row:
        row["share_of_peak"] = row["gflop_per_s"] / machine["sgemm_gflop_per_s"]
    return row


def report(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """What the screen shows."""
    limits = f"sgemm {machine['sgemm_gflop_per_s']:.0f} GFLOP/s, copy {machine['copy_gb_per_s']:.0f} GB/s"
    threads = f"{machine['threads']} threads on {machine['cores']} cores"
    times = table(["stage", "ms", "baseline ms", "ratio"], [[row["name"], *_cells(row)] for row in rows])
    notes = "\n".join(f"{row['name']}: {_note(row)}" for row in rows)
    return f"{machine['cpu']}, {threads}, torch {machine['torch']}, {limits}\n\n{times}\n\n{notes}"


def _cells(row: dict[str, Any]) -> list[str]:
    milliseconds = f"{row['median_s'] * 1e3:,.3f}"
    if row["ratio"] is None:
        return [milliseconds, "–", "–"]
    return [milliseconds, f"{row['baseline_s'] * 1e3:,.1f}", f"{row['ratio']:,.0f} ×"]


def _note(row: dict[str, Any]) -> str:
    note = f"{row['what']}, median of {row['repeats']}"
    baseline = f"; baseline: {row['baseline']}" if row["baseline"] else ""
    known = {"name", "ratio", *Timing._fields}
    figures = [f"{name} {value:,.4g}" for name, value in row.items() if name not in known]
    return f"{note}{baseline}" + (f"\n    {', '.join(figures)}" if figures else "")


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--stages", nargs="+", choices=STAGES, metavar="NAME", help="only these")
    options.add_argument("--quick", action="store_true", help="a tenth of the repeats, part of the slow baselines")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the machine and all times here")
    options.add_argument("--scale", type=Path, metavar="PNG", help="instead plot how time and memory grow with size")
    return options.parse_args()


def main() -> None:
    given = parse()
    from model.memory import keep_freed_memory

    keep_freed_memory()
    effort = Effort(given.quick)
    machine = describe_machine(effort)
    found = grow(given.scale) if given.scale else compare(given.stages or default_stages(effort), effort, machine)
    if given.json:
        write_json(given.json, {"machine": machine, **found})
        print(given.json)


def default_stages(effort: Effort) -> list[str]:
    """All stages, or those that --quick has time for."""
    return [name for name in STAGES if not (effort.quick and name in LEFT_OUT_BY_QUICK)]


def compare(names: Sequence[str], effort: Effort, machine: dict[str, Any]) -> dict[str, Any]:
    """Run the stages and show them."""
    from tqdm import tqdm

    rows = []
    for name in (bar := tqdm(dict.fromkeys(names), unit="stage", disable=None, leave=False)):
        bar.set_description(name)
        rows.append(as_row(name, STAGES[name](effort), machine))
    print(report(machine, rows), end="\n\n")
    print(f"timed {len(rows)} stage{'s' * (len(rows) > 1)}")
    return {"stages": rows}


def grow(picture: Path) -> dict[str, Any]:
    """Measure every cost curve and plot them."""
    from tqdm import tqdm

    from model.bench.scaling import CURVES, exponent, measure, plot

    sizes = [(name, size) for name, curve in CURVES.items() for size in curve.sizes]
    curves: dict[str, list[Point]] = {name: [] for name in CURVES}
    for name, size in tqdm(sizes, unit="size", disable=None, leave=False):
        curves[name].append(measure(name, size))
    rows = [
        [CURVES[name].label, *_growth_cells(points), f"{exponent(points):.2f}", _power(CURVES[name].expected)]
        for name, points in curves.items()
    ]
    print(table(["time and memory against", "sizes", "s", "MB", "exponent", "expected"], rows))
    plot(picture, curves)
    print(f"\nmeasured {len(sizes)} sizes: {picture}")
    return {
        "curves": {
            name: {"exponent": exponent(points), "points": [point._asdict() for point in points]}
            for name, points in curves.items()
        }
    }


def _growth_cells(points: "list[Point]") -> list[str]:
    first, last = points[0], points[-1]
    return [
        f"{first.size} … {last.size}",
        f"{first.seconds:.3g} … {last.seconds:.3g}",
        f"{first.peak_bytes / 1e6:,.0f} … {last.peak_bytes / 1e6:,.0f}",
    ]


def _power(expected: float | None) -> str:
    return "–" if expected is None else f"{expected:g}"


if __name__ == "__main__":
    run(main)
