"""Clips in LMDB: written whole beside the old database and renamed into place, read lazily and without copies."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import lmdb
import numpy as np
import pyarrow as pa

from config.errors import UserError
from dataset.clip import VERSION, Clip
from dataset.files import written_whole

INDEX = b"index"
FIRST_MAP_BYTES = 1 << 24
MAP_FULL_TRIES = 40


@dataclass(frozen=True)
class ClipInfo:
    """What the index holds of a clip, so that splits and windows need not open its record."""

    id: str
    domain: str
    folder: str  # "train" or "val" where the corpus is laid out so, else ""
    frames: int
    samples: int
    words: int
    audio_hash: str  # features are cached under it


def write_store(path: Path, clips: Iterable[tuple[Clip, str]], fps: float) -> list[ClipInfo]:
    """Write (clip, folder) pairs as a new database; the old one stays whole until the new one is complete."""
    infos: list[ClipInfo] = []
    with written_whole(path) as partial, open_for_writing(partial, lock=False, sync=False) as environment:
        for clip, folder in clips:
            put(environment, _key(clip.id), clip.to_bytes())
            digest = hashlib.sha256(clip.audio.tobytes()).hexdigest()
            infos.append(
                ClipInfo(clip.id, clip.domain, folder, len(clip.curves), len(clip.audio), len(clip.words), digest)
            )
        index = {"version": VERSION, "fps": fps, "clips": [asdict(info) for info in infos]}
        put(environment, INDEX, json.dumps(index).encode())
        environment.sync(True)
    return infos


@contextmanager
def open_for_writing(path: Path, **options: bool) -> Iterator[Any]:
    """An LMDB environment, closed at the end. Raises UserError for what is no LMDB or cannot be written."""
    try:
        with lmdb.open(str(path), subdir=False, map_size=FIRST_MAP_BYTES, **options) as environment:
            yield environment
    except lmdb.Error as error:
        raise UserError(f"{path}: cannot be written: {error}") from None


def put(environment: Any, key: bytes, value: bytes) -> None:
    """Store one item; the map doubles whenever it is full."""
    for _ in range(MAP_FULL_TRIES):
        try:
            with environment.begin(write=True) as transaction:
                transaction.put(key, value)
            return
        except lmdb.MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])
    raise UserError(f"{environment.path()}: cannot grow; is the disk full?")


def _key(clip_id: str) -> bytes:
    # LMDB takes keys of up to 511 bytes; a clip's id may be a longer path in a script of three bytes a character.
    key = f"clip/{clip_id}".encode()
    return key if len(key) <= 500 else b"clip#" + hashlib.sha256(key).hexdigest().encode()


class Snapshot:
    """What an LMDB holds when it is opened. Raises lmdb.Error for a file that is no LMDB or not a whole one.

    A forked worker goes on reading its parent's snapshot, which is nothing but mapped memory.
    """

    def __init__(self, path: Path, lock: bool) -> None:
        environment = lmdb.open(str(path), subdir=False, readonly=True, lock=lock, readahead=False)
        pages = environment.info()["last_pgno"] + 1
        if pages * environment.stat()["psize"] > path.stat().st_size:
            environment.close()
            raise lmdb.CorruptedError("truncated")  # to read past a mapped file's end would kill the process
        self._transaction = environment.begin(buffers=True)

    def get(self, key: bytes) -> pa.Buffer | None:
        """A view into the database that keeps it open: it can be read for as long as anyone holds it."""
        value = self._transaction.get(key)
        return (
            value if value is None else pa.foreign_buffer(np.frombuffer(value, np.uint8).ctypes.data, len(value), self)
        )


_snapshots: WeakValueDictionary[tuple[int, int], Snapshot] = WeakValueDictionary()


def open_snapshot(path: Path, lock: bool) -> Snapshot:
    """The snapshot of a file that all its readers in this process share: LMDB lets a process open a file once only.

    lock: whether others may be writing to the file. Raises what Snapshot raises.
    """
    file = path.stat().st_dev, path.stat().st_ino
    snapshot = _snapshots.get(file) or Snapshot(path, lock)
    _snapshots[file] = snapshot
    return snapshot


class ClipStore:
    """A clip database for reading, which loader workers can be handed: a pickled one is opened again at first use.

    Raises UserError when the file is missing, truncated, no clip database, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshot: Snapshot | None = None
        if not path.is_file():
            raise UserError(f"{path}: no such database; make it with: python -m data_process.pack --config <yml>")
        index = self._read_index()
        self.fps: float = index["fps"]
        self.clips: tuple[ClipInfo, ...] = tuple(ClipInfo(**info) for info in index["clips"])

    def __getitem__(self, clip_id: str) -> Clip:
        """The clip; its arrays are read-only views into the database. Raises KeyError."""
        record = self._get(_key(clip_id))
        if record is None:
            raise KeyError(clip_id)
        return Clip.from_bytes(record)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_snapshot": None}

    def _read_index(self) -> dict[str, Any]:
        try:
            index = json.loads(bytes(self._get(INDEX) or b"{}"))
        except lmdb.CorruptedError as error:
            raise UserError(f"{self.path}: {error}; pack the corpus again") from None
        except (lmdb.Error, ValueError):
            index = {}
        if index.get("version") != VERSION:
            raise UserError(f"{self.path}: no clip database of version {VERSION}; pack the corpus again")
        return index

    def _get(self, key: bytes) -> pa.Buffer | None:
        self._snapshot = self._snapshot or open_snapshot(self.path, lock=False)
        return self._snapshot.get(key)
