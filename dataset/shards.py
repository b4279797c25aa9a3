"""A database in one file or in several, its shards: their names, and how a new set takes the old one's place."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from config.errors import UserError
from config.files import partial_path, written_whole
from config.locks import alone

_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.[^.]*|)")


def shard_paths(path: Path, shards: int) -> list[Path]:
    """The database's one file, or its shards: clips.lmdb, or clips-00000-of-00008.lmdb, …"""
    if shards == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{shard:05d}-of-{shards:05d}{path.suffix}") for shard in range(shards)]


def current_files(path: Path) -> list[Path]:
    """Where the database is: one file, its shards, or files that match the path's name as a pattern.

    Raises UserError when there is none, or the shards are not one whole set.
    """
    if (on_their_way := _on_their_way(path)) is not None:
        return [partial if partial.is_file() else final for final, partial in on_their_way.items()]
    if path.is_file():
        return [path]
    is_pattern = any(letter in path.name for letter in "*?[")
    files = sorted(path.parent.glob(path.name)) if is_pattern else _shards_beside(path)
    if not files:
        raise UserError(f"{path}: no such database; make it with: python -m data_process.pack --config <yml>")
    _check_whole(files)
    return files


def _check_whole(files: list[Path]) -> None:
    sets = dict(sorted(found for file in files if (found := _set_of(file))))
    for file in files:
        base, shards = _set_of(file) or (file, 1)
        if sets.get(base, shards) != shards:
            raise UserError(f"{file}: a shard of {shards}, beside another set of {sets[base]}; keep one of them")
    for base, shards in sets.items():
        for shard in shard_paths(base, shards):
            if shard not in files:
                raise UserError(f"{shard}: no such file, though other shards of its set are; pack the corpus again")


def writing(path: Path) -> AbstractContextManager[None]:
    """Keep other writers away from the database. Raises UserError where there is one."""
    return alone(path, "another process is packing it at this moment; wait for it, or choose another data.lmdb")


def partials(files: Iterable[Path]) -> dict[Path, Path]:
    """File → where it is written before its set is whole."""
    return {file: partial_path(file) for file in files}


def replace_set(path: Path, files: Mapping[Path, Path]) -> None:
    """Put the complete files of a new set in place, and take any older set away. files: final → where it stands now.

    One rename decides: before it the old set is whole, after it the new one is, for readers and for the next writer,
    whenever the process is killed.
    """
    with written_whole(_journal(path)) as partial:
        names = {final.name: written.name for final, written in files.items()}
        partial.write_text(json.dumps(names), encoding="utf-8")
    finish_replacing(path)


def discard(written: Iterable[Path]) -> None:
    """Remove what has been written of a new set that is not to be."""
    for file in written:
        with suppress(OSError):
            file.unlink()


def finish_replacing(path: Path) -> None:
    """What a process did not come to that was killed in replace_set; nothing where none was.

    Raises UserError where a file that is being read cannot be replaced, as on Windows.
    """
    files = _on_their_way(path)
    if files is None:
        return
    try:
        _put_in_place(path, files)
    except PermissionError as error:  # Windows: the new set is whole and is what is read, under its other names
        raise UserError(
            f"{error.filename2 or error.filename}: cannot be replaced while another program reads it; end that one, "
            "then pack again"
        ) from None


def _put_in_place(path: Path, files: Mapping[Path, Path]) -> None:
    for final, partial in files.items():
        with suppress(FileNotFoundError):
            partial.replace(final)
    for old in [path, *_shards_beside(path)]:
        if old not in files:
            old.unlink(missing_ok=True)
    for left in path.parent.glob(".*.partial"):  # by a process killed before its set was complete
        name = left.with_name(left.name[1:].rsplit(".", 2)[0])
        if name == _journal(path) or _base(name) == path:
            left.unlink(missing_ok=True)
    _journal(path).unlink()


def is_being_replaced(path: Path) -> bool:
    """Whether finish_replacing has something to do."""
    return _on_their_way(path) is not None


def _on_their_way(path: Path) -> dict[Path, Path] | None:
    """Final → partial of a set that replace_set is putting in place. A damaged journal counts as none."""
    try:
        names = json.loads(_journal(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(names, dict) or not names or not all(map(_is_file_name, (*names, *names.values()))):
        return None
    return {path.with_name(final): path.with_name(partial) for final, partial in names.items()}


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and Path(name).name == name


def _journal(path: Path) -> Path:
    return path.with_name(f".{path.name}.set")


def _shards_beside(path: Path) -> list[Path]:
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(file for file in files if file != path and _base(file) == path)


def _base(file: Path) -> Path:
    """The path that a shard is named for; a file that is none, itself."""
    named = _set_of(file)
    return named[0] if named else file


def _set_of(file: Path) -> tuple[Path, int] | None:
    """(the path that a shard is named for, how many shards there are)."""
    match = _SHARD.fullmatch(file.name)
    return (file.with_name(match[1] + match[3]), int(match[2])) if match else None
