"""Files on the way in and out: found by suffix, matched by stem, and written whole or not at all."""

import json
import math
import os
import secrets
import shutil
import stat
import struct
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from config.errors import UserError

MEBIBYTE = 1 << 20
MOST_BYTES = 1024 * MEBIBYTE  # of a file that is read whole, unless its reader says otherwise
ABANDONED_S = 86_400.0  # a partial file that nobody has written to for so long was a killed process's


def regular(path: Path, most_bytes: float = MOST_BYTES) -> Path:
    """The path itself, to open: what every reader calls before it does. A path where nothing is passes too.

    most_bytes: of a file that is read whole; math.inf where it is read in pieces.
    Raises UserError for a pipe, a device or a socket, which may never end, and for a larger file.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):  # the reader's open says so
        return path
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path}: a pipe or a device; give a regular file")
    if stat.S_ISREG(found.st_mode) and found.st_size > most_bytes:
        size = f"{found.st_size / MEBIBYTE:,.0f} MiB, more than the {most_bytes / MEBIBYTE:,.0f} MiB"
        raise UserError(f"{path}: {size} that such a file may have; split it, or give another")
    return path


def check_unpacked(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Before a zip (docx, xlsx) is read: raises UserError for one that would unpack to more than that."""
    try:
        with zipfile.ZipFile(regular(path)) as archive:
            size = sum(part.file_size for part in archive.infolist())  # no more is read, whatever is packed there
    except (OSError, ValueError, LookupError, struct.error, zipfile.BadZipFile, NotImplementedError):
        return  # its reader says so
    if size > most_bytes:
        raise UserError(
            f"{path}: unpacks to {size / MEBIBYTE:,.0f} MiB, more than {most_bytes / MEBIBYTE:,.0f} MiB; save it anew"
        )


def find(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file itself, or a folder's files with these suffixes (lower case, with the dot), sorted by name.

    Raises UserError when the path does not exist or a folder holds no such file.
    """
    if regular(path, math.inf).is_file():
        return [path]
    kinds = " or ".join(suffixes)
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file())
    if not found:
        raise UserError(f"{path}: no {kinds} file in this folder")
    return found


def by_stem(files: list[Path]) -> dict[str, Path]:
    """Files by stem. Raises UserError when two files share a stem, for either could be meant."""
    stems: dict[str, Path] = {}
    for file in files:
        if file.stem in stems:
            raise UserError(f"{file}: has the same stem as {stems[file.stem]}; keep one of them")
        stems[file.stem] = file
    return stems


def within(folder: Path, name: str) -> Path | None:
    """The path of a name in the folder or below it; None for what lies outside, also where a link leads there."""
    try:
        path, inside = (folder / name).resolve(), folder.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a character that no name has
        return None
    return path if path.is_relative_to(inside) else None


def output_path(file: Path, source: Path, output: Path, option: str = "--output") -> Path:
    """Where the result for `file` goes: `output` is a folder when `source` is one, else a file (or a folder there).

    Raises UserError, naming the option that output was given by, where a folder's results would go into one file.
    """
    if source.is_dir() and (output.is_file() or output.suffix == file.suffix):
        raise UserError(f"{option} {output}: {source} is a folder, so this must be one too")
    return output / file.name if source.is_dir() or output.is_dir() else output


def csv_named(path: Path, option: str = "--output") -> Path:
    """The path itself, to write a csv to. Raises UserError where its suffix says that it is something else."""
    suffix = path.suffix.lower()
    if suffix[1:2].isalpha() and suffix not in (".csv", ".txt"):  # take_1.5 has no suffix
        raise UserError(f"{option} {path}: curves are written as csv; call it {path.with_suffix('.csv').name}")
    return path


def files_in(path: Path | None, suffixes: tuple[str, ...]) -> list[Path]:
    """What a command reads where it is given this: the file, or a folder's files as `find` has them; [] if none."""
    if path is None or not path.is_dir():
        return [path] if path else []
    return [file for file in path.iterdir() if file.suffix.lower() in suffixes]


def keep_apart(inputs: Iterable[Path | None], outputs: Iterable[tuple[str, Path | None]]) -> None:
    """Before anything is written: raises UserError where a result would be written over what is read, or over another.

    inputs: what is read; a folder stands for itself alone. outputs: what is written, with the option that names it.
    Links are followed. None is what was not given.
    """
    sources = {_identity(path) for path in inputs if path is not None}
    written: dict[tuple[int, int] | str, str] = {}
    for option, path in outputs:
        if path is None:
            continue
        same = _identity(path)
        if same in sources:
            raise UserError(f"{path}: is a source too; write to another place with {option}")
        if same in written:
            other = f"{written[same]} and {option}" if written[same] != option else option
            raise UserError(f"{path}: would be written twice, by {other}; give each a name of its own")
        written[same] = option


def _identity(path: Path) -> tuple[int, int] | str:
    """Equal for two ways to one file: by links of either kind, and by names that the disk does not tell apart."""
    with suppress(OSError, ValueError):
        found = path.stat()
        if found.st_ino:
            return found.st_dev, found.st_ino
    try:
        return os.path.normcase(path.resolve())
    except (OSError, RuntimeError):  # a link to itself: who opens it says so
        return os.path.normcase(path.absolute())


def partial_path(path: Path) -> Path:
    """Where a file or folder is written before it is whole: beside it, by a name that no other writer has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed into place at the end, removed when anything fails.

    Of several who write one file at a time, each writes all of it, and the last to end has it.
    Raises UserError when the place cannot be written to.
    """
    path = Path(path)
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent)
        yield partial
        if os.name == "posix":
            partial.chmod(0o666 & ~_umask())  # some writers give files to their owner alone
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut may leave the new name and nothing in it
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
        raise


@cache
def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder; once a process."""
    for left in folder.glob(".*.partial"):
        with suppress(OSError):  # another process removes it too
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _umask() -> int:
    """The process's own: it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Everything measured, floats in full."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
