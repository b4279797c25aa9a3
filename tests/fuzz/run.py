"""Mutations read one after the other in a process apart, which may crash, hang or grow without harm to this one."""

import multiprocessing
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import Seed, write_seeds

SLOWEST_S = 20.0
MOST_BYTES = 1 << 30  # that a reading may add to the process
START_S = 60.0  # for a process to come up


class Outcome(NamedTuple):
    """read, refused, or what went wrong."""

    kind: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        return self.kind not in ("read", "refused")


@dataclass
class Tally:
    """What became of the mutations."""

    tried: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, int, Outcome]] = field(default_factory=list)  # reader, the mutation's number, what

    def add(self, reader: str, number: int, outcome: Outcome) -> None:
        self.tried += 1
        self.kinds[outcome.kind] += 1
        if outcome.is_fault:
            self.faults.append((reader, number, outcome))


def fuzz(folder: Path, inputs: int, seed: int, only: Sequence[str] = ()) -> Iterator[Tally]:
    """After each mutation the tally so far; the files of those at fault stay in `folder`/faults."""
    seeds = [found for found in write_seeds(folder / "seeds") if not only or found.reader in only]
    tally, reader = Tally(), _Process()
    try:
        for number in range(inputs):
            chosen = seeds[number % len(seeds)]
            place = folder / "inputs" / str(number)
            outcome = reader.read(chosen, place / "x" / chosen.path.name, seed, number)
            tally.add(chosen.reader, number, outcome)
            _put_away(place, folder / "faults" / f"{number}_{chosen.reader}", keep=outcome.is_fault)
            yield tally
    finally:
        reader.end()


def _put_away(place: Path, kept: Path, keep: bool) -> None:
    import shutil

    if keep:
        kept.parent.mkdir(exist_ok=True)
        shutil.move(place, kept)
    else:
        shutil.rmtree(place, ignore_errors=True)


class _Process:
    """A reading process, started anew when it has died or was stopped."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(START_S):
            raise RuntimeError("the reading process does not start")
        self._connection.recv()

    def read(self, seed: Seed, target: Path, chance: int, number: int) -> Outcome:
        self._connection.send((seed, target, chance, number))
        began = time.monotonic()
        while not self._connection.poll(0.05):
            if not self._process.is_alive():
                code = self._process.exitcode
                self._start()
                return Outcome("crash", f"exit code {code}")
            if time.monotonic() - began > SLOWEST_S:
                self.end()
                self._start()
                return Outcome("hang", f"more than {SLOWEST_S:g} s")
        try:
            return self._connection.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._start()
            return Outcome("crash", f"exit code {code}")

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(connection: Connection) -> None:
    """Read what the parent names until it goes away."""
    from tests.fuzz.readers import READERS, damage

    connection.send("ready")
    while True:
        try:
            seed, target, chance, number = connection.recv()
        except (EOFError, OSError):
            return
        draw = random.Random(f"{chance} {number}")
        target.parent.mkdir(parents=True, exist_ok=True)
        damage(seed.reader, seed.path, target, partial(mutated, is_text=seed.is_text, chance=draw))
        connection.send(_attempt(READERS[seed.reader], target))


def _attempt(read: Callable[[Path], None], path: Path) -> Outcome:
    from config.errors import UserError

    before = _peak_bytes()
    try:
        read(path)
    except UserError as error:
        lines = str(error).splitlines()
        return Outcome("refused") if len(lines) == 1 else Outcome("many lines", str(error)[:200])
    except MemoryError:
        return Outcome("memory", "MemoryError")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
        return Outcome("traceback", f"{type(error).__name__}: {str(error)[:80]} ({_place(ours[-1])}; {_place(where)})")
    grown = _peak_bytes() - before
    return Outcome("memory", f"{grown / 1e9:.1f} GB") if grown > MOST_BYTES else Outcome("read")


def _place(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _peak_bytes() -> int:
    """The most that this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
