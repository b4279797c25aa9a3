"""Processes that torchrun or accelerate launch start: each one's share of the work, and where results meet."""

import json
import multiprocessing
import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from config.files import written_whole

Work = TypeVar("Work")

POLL_S = 0.1


def share(items: Sequence[Work]) -> Sequence[Work]:
    """The items of this process, of those that torchrun or accelerate launch started: every n-th."""
    rank, world = _rank_and_world()
    return items[rank::world]


def own_name(name: str) -> str:
    """The name of a file that is each process's own: `align.log`, or `align.rank1.log` where there are several."""
    rank, world = _rank_and_world()
    path = Path(name)
    return name if world == 1 else f"{path.stem}.rank{rank}{path.suffix}"


def _rank_and_world() -> tuple[int, int]:
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def end_with_parent() -> None:
    """See to it that this process, which multiprocessing started, does not outlive a parent that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)


class Meeting:
    """Where the processes that torchrun or accelerate launch started hand their parts of a result to the first one.

    They meet in files, in a folder that all of them see, for a stage needs no torch. What earlier runs left there does
    no harm: the first process writes a new token at its start, and takes only what comes with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rank, self.processes = _rank_and_world()
        self._token = secrets.token_hex(8)
        if self.processes > 1 and self.rank == 0:
            self._write(0, None)

    def gather(self, part: Any) -> list[Any] | None:
        """Every process's part, by rank, in the first process; None in the others, once theirs are taken.

        part: JSON-able.
        """
        if self.processes == 1:
            return [part]
        if self.rank == 0:
            parts = [part, *(self._take(rank) for rank in range(1, self.processes))]
            self._remove(0)
            with suppress(OSError):
                self.folder.rmdir()
            return parts
        self._hand_over(part)
        return None

    def _take(self, rank: int) -> Any:
        while (left := self._read(rank)) is None or left["token"] != self._token:
            time.sleep(POLL_S)
        self._remove(rank)
        return left["part"]

    def _hand_over(self, part: Any) -> None:
        self._token = ""
        while not self._token or self._file(self.rank).exists():
            first = self._read(0)
            if first and first["token"] != self._token:
                self._token = first["token"]
                self._write(self.rank, part)
            time.sleep(POLL_S)

    def _file(self, rank: int) -> Path:
        return self.folder / f"rank{rank}.json"

    def _write(self, rank: int, part: Any) -> None:
        with written_whole(self._file(rank)) as partial:
            partial.write_text(json.dumps({"token": self._token, "part": part}), encoding="utf-8")

    def _remove(self, rank: int) -> None:
        """Remove a file that another process may be reading this moment, which Windows forbids."""
        while True:
            try:
                return self._file(rank).unlink()
            except PermissionError:
                if os.name != "nt":
                    raise
                time.sleep(POLL_S)

    def _read(self, rank: int) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._file(rank).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except PermissionError:  # on Windows it is being replaced
            if os.name != "nt":
                raise
            return None
