"""The time that work takes."""

import statistics
import time
from collections.abc import Callable


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


def median_s(work: Callable[[], object], repeats: int, warm_up: int = 3) -> float:
    """The median of `seconds`."""
    return statistics.median(seconds(work, repeats, warm_up))
