import ctypes
import subprocess
import sys

import pytest

from model.memory import keep_freed_memory
from tests.helpers import ROOT, posix_only

FAULTS = """
import resource, torch
from model.memory import keep_freed_memory
block = lambda: torch.empty(16 << 20).fill_(1.0)  # 64 MiB
def faults():
    for _ in range(20):  # until malloc's own little caches are full
        block()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        block()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
given_back = faults()
print(given_back, faults() if keep_freed_memory() else "not here")
"""


@posix_only
def test_freed_blocks_are_used_again() -> None:
    told = subprocess.check_output([sys.executable, "-c", FAULTS], cwd=ROOT, text=True)
    given_back, kept = told.strip().split(maxsplit=1)
    if kept == "not here":
        pytest.skip("malloc has no settings here")
    assert int(kept) < 20 < int(given_back)  # a fault for each block at the least: huge pages make them few


def test_without_such_a_malloc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()
