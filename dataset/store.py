"""Clips in LMDB: written whole beside the old database and renamed into place, read lazily and without copies."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import lmdb
import numpy as np
import pyarrow as pa

from config.errors import UserError
from dataset.clip import VERSION, Clip
from dataset.shards import current_files, discard, finish_replacing, partials, replace_set, writing

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


Record: TypeAlias = tuple[ClipInfo, bytes]


def to_record(clip: Clip, folder: str) -> Record:
    """A clip as the database holds it. folder: "train" or "val" where the corpus is laid out so, else ""."""
    digest = hashlib.sha256(clip.audio.tobytes()).hexdigest()
    info = ClipInfo(clip.id, clip.domain, folder, len(clip.curves), len(clip.audio), len(clip.words), digest)
    return info, clip.to_bytes()


def write_store(path: Path, clips: Iterable[tuple[Clip, str]], fps: float) -> list[ClipInfo]:
    """Write (clip, folder) pairs as a new database; the old one stays whole until the new one is complete.

    Raises UserError for a place that cannot be written to, or that another process is writing to.
    """
    with writing(path):
        finish_replacing(path)
        files = partials([path])
        infos = write_shards({0: files[path]}, ((0, to_record(clip, folder)) for clip, folder in clips), fps)
        replace_set(path, files)
    return infos


def write_shards(files: Mapping[int, Path], records: Iterable[tuple[int, Record]], fps: float) -> list[ClipInfo]:
    """Write (shard, record) pairs, complete, into the shards' files, new ones; dataset.shards.replace_set places them.

    When anything fails, nothing is left. Raises UserError for a place that cannot be written to.
    """
    infos: dict[int, list[ClipInfo]] = {shard: [] for shard in files}
    try:
        with ExitStack() as stack:
            environments = {shard: stack.enter_context(_new_environment(path)) for shard, path in files.items()}
            for shard, (info, record) in records:
                _put(environments[shard], _key(info.id), record)
                infos[shard].append(info)
            for shard, environment in environments.items():
                index = {"version": VERSION, "fps": fps, "clips": [asdict(info) for info in infos[shard]]}
                _put(environment, INDEX, json.dumps(index).encode())
                environment.sync(True)
    except BaseException:
        discard(files.values())
        raise
    return [info for shard in infos.values() for info in shard]


@contextmanager
def _new_environment(path: Path) -> Iterator[Any]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with lmdb.open(str(path), subdir=False, map_size=FIRST_MAP_BYTES, lock=False, sync=False) as environment:
            yield environment
    except lmdb.Error as error:
        raise UserError(f"{path}: cannot be written: {error}") from None


def _put(environment: Any, key: bytes, value: bytes) -> None:
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
    """What an LMDB holds, to which nobody writes any more.

    Raises lmdb.Error for a file that is no LMDB or not a whole one. A forked worker goes on reading its parent's
    snapshot, which is nothing but mapped memory.
    """

    def __init__(self, path: Path) -> None:
        environment = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False)
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


def open_snapshot(path: Path) -> Snapshot:
    """The snapshot of a file that all its readers in this process share: LMDB lets a process open a file once only.

    Raises what Snapshot raises.
    """
    file = path.stat().st_dev, path.stat().st_ino
    snapshot = _snapshots.get(file) or Snapshot(path)
    _snapshots[file] = snapshot
    return snapshot


class ClipStore:
    """A clip database for reading, which loader workers can be handed: a pickled one is opened again at first use.

    path: its file, the one that its shards are named for (data/clips.lmdb for data/clips-00000-of-00008.lmdb), a
    pattern (data/clips-*.lmdb), or a list of files. The clips of several files are sorted by id.
    Raises UserError when a file is missing, truncated, no clip database, or of another version, or files don't fit.
    """

    def __init__(self, path: Path | Sequence[Path]) -> None:
        self.path = path if isinstance(path, Path) else path[0]
        self.files = current_files(path) if isinstance(path, Path) else list(path)
        self._snapshots: dict[int, Snapshot] = {}
        indices = [self._read_index(shard) for shard in range(len(self.files))]
        self.fps: float = indices[0]["fps"]
        self._shard_of: dict[str, int] = {}
        clips = []
        for shard, index in enumerate(indices):
            self._check_fits(shard, index)
            clips += [ClipInfo(**info) for info in index["clips"]]
            self._shard_of |= {info["id"]: shard for info in index["clips"]}
        self.clips: tuple[ClipInfo, ...] = tuple(clips if len(indices) == 1 else sorted(clips, key=_id))

    def __getitem__(self, clip_id: str) -> Clip:
        """The clip; its arrays are read-only views into the database. Raises KeyError."""
        record = self._get(self._shard_of[clip_id], _key(clip_id))
        if record is None:
            raise KeyError(clip_id)
        return Clip.from_bytes(record)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_snapshots": {}}

    def _check_fits(self, shard: int, index: dict[str, Any]) -> None:
        if index["fps"] != self.fps:
            raise UserError(
                f"{self.files[shard]}: packed at {index['fps']:g} fps, but {self.files[0]} at {self.fps:g} fps; "
                "pack them alike"
            )
        for info in index["clips"]:
            if info["id"] in self._shard_of:
                other = self.files[self._shard_of[info["id"]]]
                raise UserError(f"{self.files[shard]}: clip {info['id']} is in {other} too; keep one of them")

    def _read_index(self, shard: int) -> dict[str, Any]:
        path = self.files[shard]
        if not path.is_file():
            raise UserError(f"{path}: no such file; pack the corpus again")
        try:
            index = json.loads(bytes(self._get(shard, INDEX) or b"{}"))
        except lmdb.CorruptedError as error:
            raise UserError(f"{path}: {error}; pack the corpus again") from None
        except (lmdb.Error, ValueError):
            index = {}
        if index.get("version") != VERSION:
            raise UserError(f"{path}: no clip database of version {VERSION}; pack the corpus again")
        return index

    def _get(self, shard: int, key: bytes) -> pa.Buffer | None:
        if shard not in self._snapshots:
            self._snapshots[shard] = open_snapshot(self.files[shard])
        return self._snapshots[shard].get(key)


def _id(info: ClipInfo) -> str:
    return info.id
