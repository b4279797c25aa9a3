"""One writer at a time: a lock beside what is written, which ends with the process that holds it, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from config.errors import UserError


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of a file or folder that is written; it need not be there yet.

    Raises UserError, `path: busy`, where another process holds it, and for a place that cannot be written to.
    """
    file = path.with_name(f".{path.name}.lock")
    made = [folder for folder in file.parents if not folder.exists()]  # the innermost first
    lock, descriptor = FileLock(file, timeout=0), -1
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        while not _stands(file, descriptor):  # a holder that ends takes its file away, and perhaps the one just locked
            lock.release(force=True)
            _close(descriptor)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            lock.acquire()
    except Timeout:
        _close(descriptor)
        raise UserError(f"{path}: {busy}") from None
    except OSError as error:
        _close(descriptor)
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # while it is held; Windows does not let go of an open file
        lock.release(force=True)
        _close(descriptor)
        with suppress(OSError):  # the first one in which something was left
            for folder in made:
                folder.rmdir()


def _stands(file: Path, descriptor: int) -> bool:
    """Whether the file is still the one that was opened, and so the one that was locked after that."""
    if descriptor < 0:
        return False
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
