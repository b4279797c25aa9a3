"""How a stage runs over its clips: in parallel, passing over what is up to date, one line for each clip that fails."""

import hashlib
import json
import multiprocessing
import os
import signal
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from config.errors import UserError, as_user_error
from config.files import written_whole
from config.processes import Meeting, end_with_parent, share

Work = TypeVar("Work")
Result = TypeVar("Result")

MOST_ON_WINDOWS = 61  # processes that a pool can wait for there
WAITING_PER_JOB = 4  # clips handed out ahead of the one whose result is awaited: enough to keep every process busy


@dataclass(frozen=True)
class Item:
    """One clip's work in a stage: the files it reads decide whether the files it writes are up to date."""

    id: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]

    @property
    def settings(self) -> str:
        """What else changes this clip's outputs, beside the settings of all."""
        return ""


@dataclass
class StageReport:
    """What became of a stage's items, by id."""

    results: dict[str, Any] = field(default_factory=dict)  # of this run, or of the run that an up-to-date item is from
    up_to_date: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)  # the line a person sees


def run_stage(
    label: str,
    items: Sequence[Item],
    function: Callable[[Item], Any],
    *,
    records: Path,
    settings: object,
    jobs: int = 1,
    strict: bool = False,
    is_share: bool = False,
) -> StageReport:
    """Do `function` for each item that is not up to date; clips that raise anything are reported and passed over.

    records: a folder, best `<corpus>/.stages/<label>`, that gets one small JSON file an item: a digest of its inputs'
    contents and of `settings`, and what the function returned. An item is up to date when the digest is the same and
    its outputs exist, so a killed run goes on where it stopped.
    settings: whatever else changes the outputs, with a version to raise when the code does; JSON-able.
    function: of an item, at a module's top level or a partial of one; its result must be JSON-able.
    An item that fails loses its outputs, lest they pass for its inputs'. Under torchrun or accelerate launch each
    process does its share of the items, and its report holds that share; is_share: the items are it already.
    Raises UserError at the first failure when strict.
    """
    report = StageReport()
    step = _Step(function, _canonical(settings), records)
    for item, outcome in parallel(label, items if is_share else share(items), step, jobs):
        if isinstance(outcome, UserError):
            if strict:
                raise outcome
            report.failed[item.id] = str(outcome)
            continue
        report.results[item.id], is_fresh = outcome
        if not is_fresh:
            report.up_to_date.add(item.id)
    return report


def pending(label: str, items: Sequence[Item], *, records: Path, settings: object, jobs: int = 1) -> list[Item]:
    """The items that run_stage would not pass over, of this process's share: for a tool that takes all at once."""
    step = _Step(_nothing, _canonical(settings), records)
    found = parallel(label, share(items), step.is_pending, jobs)
    return [item for item, is_pending in found if is_pending is not False]


def parallel(
    label: str, items: Sequence[Work], function: Callable[[Work], Result], jobs: int
) -> Iterator[tuple[Work, Result | UserError]]:
    """Each item with its result, or the line on what it raised, in the items' order.

    jobs: processes; with 1 the work is done in this one. Few results are held at a time, however many items there are.
    Raises UserError when a process dies.
    """
    jobs = max(1, min(jobs, len(items), MOST_ON_WINDOWS if os.name == "nt" else jobs))
    with tqdm(total=len(items), desc=label, unit="clip") as progress:
        for item, outcome in _serial(items, function) if jobs == 1 else _pooled(items, function, jobs):
            progress.update()
            yield item, outcome


def _serial(items: Sequence[Work], function: Callable[[Work], Result]) -> Iterator[tuple[Work, Result | UserError]]:
    for item in items:
        yield item, _attempt(function, item)


def _pooled(
    items: Sequence[Work], function: Callable[[Work], Result], jobs: int
) -> Iterator[tuple[Work, Result | UserError]]:
    # Fresh processes: a forked one may hang on a lock that a thread of this one holds.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin_worker)
    waiting: deque[tuple[Work, Future[Result | UserError]]] = deque()
    try:
        for item in items:
            with _unheard_by_workers():
                waiting.append((item, pool.submit(_attempt_or_end, function, item)))
            if len(waiting) >= WAITING_PER_JOB * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise UserError("a process died, most likely for want of memory; run again with fewer --jobs") from None
    except KeyboardInterrupt:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(function: Callable[[Work], Result], item: Work) -> Result | UserError:
    try:
        return function(item)
    except Exception as error:  # a bad file must not take the good ones with it
        return as_user_error(getattr(item, "id", item), error)


@contextmanager
def _unheard_by_workers() -> Iterator[None]:
    """Ctrl-C waits, where a system can have it wait; processes that are started here never hear it, not even as they
    begin."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Ctrl-C reaches every process of the group; the first one stops the others, and they never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop_item)
    end_with_parent()


def _stop_item(*_: object) -> None:
    """Leave the item at once, and nothing half-written; said twice it is heard once, lest it stop the tidying up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit


def _attempt_or_end(function: Callable[[Work], Result], item: Work) -> Result | UserError:
    """`_attempt` in a worker, which ends when it is stopped, and takes none of the items that wait."""
    try:
        return _attempt(function, item)
    except SystemExit:
        os._exit(1)


@dataclass(frozen=True)
class _Step:
    """A stage's function with the bookkeeping around it, in a form that travels to another process."""

    function: Callable[[Item], Any]
    settings: str
    records: Path

    def __call__(self, item: Item) -> tuple[Any, bool]:
        """(what the function returned, whether it ran just now)."""
        digest, record = self._digest(item), self._record(item)
        if self._is_current(item, digest, record):
            return record["result"], False
        place = self._place(item)
        place.unlink(missing_ok=True)
        try:
            result = self.function(item)
        except Exception:
            for output in item.outputs:
                output.unlink(missing_ok=True)
            raise
        with written_whole(place) as partial:
            partial.write_text(json.dumps({"digest": digest, "result": result}, ensure_ascii=False), encoding="utf-8")
        return result, True

    def is_pending(self, item: Item) -> bool:
        """Whether the item is not up to date."""
        return not self._is_current(item, self._digest(item), self._record(item))

    def _place(self, item: Item) -> Path:
        return self.records / f"{item.id}.json"

    def _record(self, item: Item) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            record = json.loads(self._place(item).read_text(encoding="utf-8"))
            return record if isinstance(record, dict) else {}
        return {}

    def _digest(self, item: Item) -> str:
        digest = hashlib.blake2b(self.settings.encode() + item.settings.encode(), digest_size=16)
        for path in item.inputs:
            digest.update(_content_digest(path))
        return digest.hexdigest()

    @staticmethod
    def _is_current(item: Item, digest: str, record: dict[str, Any]) -> bool:
        return record.get("digest") == digest and all(output.exists() for output in item.outputs)


def _content_digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        return b"missing"
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return digest.digest()


def _canonical(settings: object) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _nothing(item: Item) -> None:
    raise AssertionError("unreachable: only asked whether it is pending")


def gather_report(meeting: Meeting, report: StageReport) -> StageReport | None:
    """The report on all items in the first process, None in the others."""
    parts = meeting.gather([report.results, sorted(report.up_to_date), report.failed])
    if parts is None:
        return None
    whole = StageReport()
    for results, up_to_date, failed in parts:
        whole.results |= results
        whole.up_to_date |= set(up_to_date)
        whole.failed |= failed
    return whole


def stage_arguments(arguments: ArgumentParser) -> None:
    """--jobs and --strict, which all stages over clips share."""
    arguments.add_argument(
        "--jobs", type=positive_number, default=os.cpu_count() or 1, help="clips worked on at a time"
    )
    arguments.add_argument("--strict", action="store_true", help="stop at the first clip that fails")


def check_out_fps(fps: float) -> None:
    """Raises UserError for a rate that no curves are drawn at."""
    if not 1 <= fps <= 240:
        raise UserError(f"--out_fps {fps:g}: give a rate from 1 to 240")


def positive_number(text: str) -> int:
    """Of the command line. Raises ValueError for what is none."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number
