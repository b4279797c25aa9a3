"""What times are measured on, with its measured limits."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from model.bench.stopwatch import seconds
from model.packed_linear import pack_linears


@dataclass(frozen=True)
class Machine:
    """A processor, what runs on it, and its best pace at products and copies."""

    cpu: str
    cores: int | None
    threads: int
    python: str
    torch: str
    sgemm_gflop_per_s: float
    copy_gb_per_s: float

    def __str__(self) -> str:
        limits = f"sgemm {self.sgemm_gflop_per_s:.0f} GFLOP/s, copy {self.copy_gb_per_s:.0f} GB/s"
        return f"{self.cpu}, {self.threads} threads on {self.cores} cores, torch {self.torch}, {limits}"


def this_machine(repeats: int = 30) -> Machine:
    """The machine that this runs on; its limits are the best of so many repeats."""
    return Machine(
        cpu=cpu_model(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        sgemm_gflop_per_s=sgemm_gflop_per_s(repeats),
        copy_gb_per_s=copy_gb_per_s(repeats),
    )


def cpu_model() -> str:
    """As /proc/cpuinfo has it, or what Python knows on other systems."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def sgemm_gflop_per_s(repeats: int, size: int = 1536) -> float:
    """The best pace of a float32 matrix product, by MKL or by oneDNN: 2 · size³ operations."""
    a, b = torch.rand(2, size, size)
    product = torch.empty(size, size)
    packed = nn.Sequential(nn.Linear(size, size)).requires_grad_(False)
    pack_linears(packed, lambda _: True)
    ways: tuple[Callable[[], object], ...] = (lambda: torch.mm(a, b, out=product), lambda: packed(a))
    return 2 * size**3 / min(min(seconds(way, repeats)) for way in ways) / 1e9


def copy_gb_per_s(repeats: int, megabytes: int = 128) -> float:
    """The best pace of a copy that no cache holds: bytes read plus bytes written."""
    source = torch.rand(megabytes * 250_000)
    copy = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds(lambda: copy.copy_(source), repeats)) / 1e9
