"""What a stage of the benchmark found, as the screen shows it and as the JSON holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from config.tables import table
from model.bench.machine import Machine


@dataclass(frozen=True)
class Effort:
    """How long a person is ready to wait."""

    quick: bool

    def repeats(self, full: int) -> int:
        """How often a stage that asks for `full` repeats is run: a tenth, but 3 at least, when quick."""
        return max(full // 10, 3) if self.quick else full

    def part(self, full: int) -> int:
        """How much of the `full` material a stage works on: a fourth when quick."""
        return full // 4 if self.quick else full


class Timing(NamedTuple):
    """What a stage measured, in seconds. A stage without a baseline is only timed."""

    median_s: float
    repeats: int
    what: str
    baseline_s: float | None = None
    baseline: str = ""
    figures: Mapping[str, float] = MappingProxyType({})  # more of what was found, by name

    @property
    def ratio(self) -> float | None:
        """How many times as long the baseline takes."""
        return None if self.baseline_s is None else self.baseline_s / self.median_s


def as_row(name: str, timing: Timing, machine: Machine) -> dict[str, Any]:
    """A stage as the JSON holds it."""
    row = {"name": name, **timing._asdict(), "ratio": timing.ratio, **_figures(timing, machine)}
    del row["figures"]
    return row


def report(timings: Mapping[str, Timing], machine: Machine) -> str:
    """What the screen shows: the machine, a table of times, and a note on every stage."""
    times = table(["stage", "ms", "baseline ms", "ratio"], [[name, *_cells(t)] for name, t in timings.items()])
    notes = "\n".join(f"{name}: {_note(timing, machine)}" for name, timing in timings.items())
    return f"{machine}\n\n{times}\n\n{notes}"


def _figures(timing: Timing, machine: Machine) -> dict[str, float]:
    figures = dict(timing.figures)
    if "gflop_per_s" in figures:
        figures["share_of_peak"] = figures["gflop_per_s"] / machine.sgemm_gflop_per_s
    return figures


def _cells(timing: Timing) -> list[str]:
    milliseconds = f"{timing.median_s * 1e3:,.3f}"
    if timing.baseline_s is None or timing.ratio is None:
        return [milliseconds, "–", "–"]
    ratio = f"{timing.ratio:.1f}" if timing.ratio < 10 else f"{timing.ratio:,.0f}"
    return [milliseconds, f"{timing.baseline_s * 1e3:,.1f}", f"{ratio} ×"]


def _note(timing: Timing, machine: Machine) -> str:
    note = f"{timing.what}, median of {timing.repeats}"
    baseline = f"; baseline: {timing.baseline}" if timing.baseline else ""
    figures = [f"{name} {value:,.4g}" for name, value in _figures(timing, machine).items()]
    return f"{note}{baseline}" + (f"\n    {', '.join(figures)}" if figures else "")
