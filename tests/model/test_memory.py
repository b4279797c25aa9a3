import ctypes
import subprocess
import sys

import pytest

from model.memory import keep_freed_memory
from tests.helpers import ROOT, posix_only

FAULTS = """
import resource, sys, torch
from model.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    print("not here")
    sys.exit()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = lambda: torch.empty(16 << 20).fill_(1.0)  # 64 MiB
for _ in range(20):  # until malloc's own little caches are full
    block()
before = faults()
for _ in range(20):
    block()
print(faults() - before)
"""


def faults(how: str) -> str:
    return subprocess.check_output([sys.executable, "-c", FAULTS, how], cwd=ROOT, text=True).strip()


@posix_only
def test_freed_blocks_are_used_again() -> None:
    kept = faults("keep")
    if kept == "not here":
        pytest.skip("malloc has no settings here")
    assert int(kept) < 20 < int(faults("not"))  # a fault for each block at the least: huge pages make them few


def test_without_such_a_malloc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()
