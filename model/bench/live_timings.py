"""What a live voice costs: its delay, the time and memory that a stream takes, and how many go at once."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from config.places import ROOT
from config.tables import table
from config.units import SAMPLE_RATE
from model.bench.timings import Effort
from model.causal_model import CausalModel, load_causal
from model.onnx_stream import OnnxStream
from model.streaming import StreamingSynthesizer, push_all

STREAMS = 50  # that shall go at once on two cores
CORES = 2
MINUTES = 10
FRAMES = 2000
# Starts as a command does; sound until the first frame comes.
START = """
import sys
from pathlib import Path
import numpy as np
from model.curve_streams import curve_stream
stream = curve_stream(Path(sys.argv[1]), None, None, None)
while not stream.push(np.zeros(640, np.float32)): pass
"""


class LiveFigure(NamedTuple):
    """A row of the table."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def is_met(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def cells(self) -> list[str]:
        bound = self.most if self.least is None else self.least
        target = "" if bound is None else f"{'≤' if self.least is None else '≥'} {bound:g} {self.unit}"
        return [self.what, f"{self.value:,.3g} {self.unit}", target, "" if self.is_met else "missed"]


def live_figures(checkpoint: Path, effort: Effort) -> list[LiveFigure]:
    """Everything of one checkpoint that streams, at its largest look-ahead, on one core but where it says so.

    Raises UserError for a checkpoint that cannot stream.
    """
    model = load_causal(checkpoint)
    frame_ms = frame_times_ms(StreamingSynthesizer(model), effort.repeats(FRAMES))
    minutes = effort.repeats(MINUTES)
    return [
        LiveFigure("look-ahead", StreamingSynthesizer(model).lookahead_ms, "ms"),
        LiveFigure("a frame, median", float(np.median(frame_ms)), "ms"),
        LiveFigure("a frame, 99 %", float(np.percentile(frame_ms, 99)), "ms", most=2.0),
        LiveFigure(
            f"streams at once, on {CORES} cores", CORES * streams_a_core(model, effort), "streams", least=STREAMS
        ),
        LiveFigure(f"memory more after {minutes} minutes", growth_mb(model, minutes), "MB", most=1.0),
        LiveFigure("from start to the first frame", start_s(checkpoint), "s", most=3.0),
        *(onnx_figures(checkpoint, effort) if all(map(find_spec, ("onnx", "onnxruntime"))) else ()),
    ]


def onnx_figures(checkpoint: Path, effort: Effort) -> list[LiveFigure]:
    """Of the same checkpoint, exported and run by onnxruntime."""
    from model.graph.export import export_model

    with TemporaryDirectory() as folder:
        exported = Path(folder) / "live.onnx"
        export_model(checkpoint, exported, None, None, half=False)
        frame_ms = frame_times_ms(OnnxStream(exported), effort.repeats(FRAMES))
        return [
            LiveFigure("as ONNX: a frame, median", float(np.median(frame_ms)), "ms"),
            LiveFigure("as ONNX: from start to the first frame", start_s(exported), "s", most=1.0),
        ]


def live_report(figures: Sequence[LiveFigure]) -> str:
    """The table."""
    return table(["live", "measured", "target", ""], [figure.cells() for figure in figures])


def noise(seed: int) -> np.ndarray:
    """(SAMPLE_RATE,) float32: a second that is like none before."""
    return (0.1 * np.random.default_rng(seed).standard_normal(SAMPLE_RATE)).astype(np.float32)


def blocks_of(fps: float, frames: int) -> Iterator[np.ndarray]:
    """(samples,) of one frame each."""
    size = round(SAMPLE_RATE / fps)
    sound = noise(0)
    for frame in range(frames):
        yield np.roll(sound, -frame * size)[:size]


def frame_times_ms(stream: StreamingSynthesizer | OnnxStream, frames: int) -> np.ndarray:
    """How long each push of a frame's sound takes, once the first frames have come."""
    taken = []
    for number, block in enumerate(blocks_of(stream.fps, frames + 100)):
        began = time.perf_counter()
        stream.push(block)
        if number >= 100:
            taken.append(1000 * (time.perf_counter() - began))
    return np.array(taken)


def streams_a_core(model: CausalModel, effort: Effort) -> float:
    """How many streams of one process, whose frames are told together, keep up with their sound."""
    streams = [StreamingSynthesizer(model) for _ in range(STREAMS)]
    frames = effort.repeats(300)
    for block in blocks_of(model.fps, 20):
        push_all(streams, [block] * STREAMS)
    began = time.perf_counter()
    for block in blocks_of(model.fps, frames):
        push_all(streams, [block] * STREAMS)
    return STREAMS * frames / model.fps / (time.perf_counter() - began)


def growth_mb(model: CausalModel, minutes: int) -> float:
    """How much more memory the process holds after so many minutes of sound than after one, as fast as it goes."""
    import psutil

    stream, process = StreamingSynthesizer(model), psutil.Process()
    before = 0
    for second in tqdm(range(60 * minutes + 60), "minutes of sound", leave=False):
        stream.push(noise(second))
        if second == 59:
            before = process.memory_info().rss
    return float(max(0, process.memory_info().rss - before) / 1e6)


def start_s(checkpoint: Path) -> float:
    """Of a process of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", START, checkpoint.resolve()], cwd=ROOT, check=True)
    return time.perf_counter() - began
