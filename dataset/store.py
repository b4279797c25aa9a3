"""Clips in LMDB: written whole beside the old database and renamed into place, read lazily and without copies."""

import hashlib
import json
import math
import zlib
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
from dataset.clip import AGAIN, VERSION, Clip
from dataset.lmdb_pages import check_pages
from dataset.shards import current_files, discard, finish_replacing, partials, replace_set, writing

INDEX = b"index"
FIRST_MAP_BYTES = 1 << 24
MAP_FULL_TRIES = 40
LEAVE = "ask its owner for leave to read it, or set data.lmdb to another"


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
    # Of the record, to be sure of its bytes before they are followed; none in databases of before.
    record_bytes: int = 0
    audio_start: int = 0  # where the sound's bytes begin, which audio_hash answers for
    checksum: int | None = None  # CRC-32 of all the others
    phones: int = 0


Record: TypeAlias = tuple[ClipInfo, bytes]


def to_record(clip: Clip, folder: str) -> Record:
    """A clip as the database holds it. folder: "train" or "val" where the corpus is laid out so, else ""."""
    digest, record = _audio_hash(clip), clip.to_bytes()
    start = _audio_start(record)
    about = len(record), start, _checksum(record, start, len(clip.audio))
    sizes = len(clip.curves), len(clip.audio), len(clip.words)
    return ClipInfo(clip.id, clip.domain, folder, *sizes, digest, *about, len(clip.phones)), record


def _audio_hash(clip: Clip) -> str:
    return hashlib.sha256(np.ascontiguousarray(clip.audio).data).hexdigest()


def _audio_start(record: bytes) -> int:
    """The byte of a record, of our own making, at which its sound begins."""
    whole = pa.py_buffer(record)
    sound = pa.ipc.open_stream(whole).read_next_batch().column("audio").values.buffers()[1]
    return sound.address - whole.address if sound else 0


def _checksum(record: bytes | pa.Buffer, audio_start: int, samples: int) -> int:
    view = memoryview(record)
    return zlib.crc32(view[audio_start + 2 * samples :], zlib.crc32(view[:audio_start]))


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
                _put(environment, INDEX, _index_text(fps, infos[shard]))
                environment.sync(True)
    except BaseException:
        discard(files.values())
        raise
    return [info for shard in infos.values() for info in shard]


def _index_text(fps: float, infos: Sequence[ClipInfo]) -> bytes:
    index = {"version": VERSION, "fps": fps, "clips": [asdict(info) for info in infos]}
    return json.dumps(index | {"checksum": zlib.crc32(json.dumps(index).encode())}).encode()


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

    Raises lmdb.Error for a file that is no LMDB, or not a whole one, or damaged. A forked worker goes on reading its
    parent's snapshot, which is nothing but mapped memory.
    """

    def __init__(self, path: Path) -> None:
        check_pages(path)  # to read past a mapped file's end would kill the process
        environment = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False)
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
    Raises UserError when a file is missing, truncated, damaged, no clip database or of another version, or cannot be
    read, or files don't fit.
    """

    def __init__(self, path: Path | Sequence[Path]) -> None:
        self.path = path if isinstance(path, Path) else path[0]
        self.files = _files(path) if isinstance(path, Path) else list(path)
        self._snapshots: dict[int, Snapshot] = {}
        indices = [self._read_index(shard) for shard in range(len(self.files))]
        self.fps: float = indices[0][0]
        self._shard_of: dict[str, int] = {}
        self._infos: dict[str, ClipInfo] = {}
        self._sure: set[str] = set()  # clips whose checksum has been seen to be right
        for shard, (fps, infos) in enumerate(indices):
            self._check_fits(shard, fps, infos)
            self._infos |= {info.id: info for info in infos}
            self._shard_of |= {info.id: shard for info in infos}
        clips = self._infos.values()
        self.clips: tuple[ClipInfo, ...] = tuple(clips if len(indices) == 1 else sorted(clips, key=_id))

    def __getitem__(self, clip_id: str) -> Clip:
        """The clip; its arrays are read-only views into the database, its sound not yet checked (see `whole`).

        Raises KeyError, and UserError for a record that is not what was packed.
        """
        info, shard = self._infos[clip_id], self._shard_of[clip_id]
        place = f"{self.files[shard]}: clip {clip_id}"
        try:
            record = self._get(shard, _key(clip_id))
            if record is None:
                raise UserError(f"its record is missing; {AGAIN}")
            self._check_bytes(info, record)
            clip = Clip.from_bytes(record)
        except (UserError, lmdb.Error) as error:
            mend = "" if isinstance(error, UserError) else f"; {AGAIN}"
            raise UserError(f"{place}: {error}{mend}") from None
        if (clip.id, len(clip.curves), len(clip.audio)) != (info.id, info.frames, info.samples):
            raise UserError(f"{place}: the record is another than the index says; {AGAIN}")
        return clip

    def whole(self, clip_id: str) -> Clip:
        """The clip, its sound checked too: for those who hear it. Raises as __getitem__ does."""
        clip = self[clip_id]
        if _audio_hash(clip) != self._infos[clip_id].audio_hash:
            raise UserError(f"{self.files[self._shard_of[clip_id]]}: clip {clip_id}: its sound is damaged; {AGAIN}")
        return clip

    def _check_bytes(self, info: ClipInfo, record: pa.Buffer) -> None:
        """Raises UserError where the record's bytes are not those that were packed."""
        if info.checksum is None or info.id in self._sure:
            return
        right = len(record) == info.record_bytes and info.checksum == _checksum(record, info.audio_start, info.samples)
        if not right:
            raise UserError(f"a damaged record; {AGAIN}")
        self._sure.add(info.id)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_snapshots": {}}

    def _check_fits(self, shard: int, fps: float, infos: Sequence[ClipInfo]) -> None:
        if fps != self.fps:
            raise UserError(
                f"{self.files[shard]}: packed at {fps:g} fps, but {self.files[0]} at {self.fps:g} fps; pack them alike"
            )
        for info in infos:
            if info.id in self._shard_of:
                other = self.files[self._shard_of[info.id]]
                raise UserError(f"{self.files[shard]}: clip {info.id} is in {other} too; keep one of them")

    def _read_index(self, shard: int) -> tuple[float, list[ClipInfo]]:
        path = self.files[shard]
        try:
            path.open("rb").close()
            index = json.loads(bytes(self._get(shard, INDEX) or b"{}"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; {AGAIN}") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}; {LEAVE}") from None
        except lmdb.CorruptedError as error:
            raise UserError(f"{path}: {error}; {AGAIN}") from None
        except (lmdb.Error, ValueError, RecursionError):
            index = {}
        if not isinstance(index, dict) or index.get("version") != VERSION:
            raise UserError(f"{path}: no clip database of version {VERSION}; {AGAIN}")
        try:
            return _index_content(index, path.stat().st_size)
        except (ValueError, KeyError, TypeError, OverflowError):
            raise UserError(f"{path}: a damaged index; {AGAIN}") from None

    def _get(self, shard: int, key: bytes) -> pa.Buffer | None:
        if shard not in self._snapshots:
            self._snapshots[shard] = open_snapshot(self.files[shard])
        return self._snapshots[shard].get(key)


def _files(path: Path) -> list[Path]:
    try:
        return current_files(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; {LEAVE}") from None


def _index_content(index: dict[str, Any], file_bytes: int) -> tuple[float, list[ClipInfo]]:
    """(fps, clips). Raises ValueError, KeyError, TypeError or OverflowError where it is not what was written."""
    checksum = index.pop("checksum", None)
    if checksum is not None and checksum != zlib.crc32(json.dumps(index).encode()):
        raise ValueError("other bytes")
    infos = [ClipInfo(**info) for info in index["clips"]]
    if len({info.id for info in infos}) < len(infos):
        raise ValueError("an id twice")
    for info in infos:
        texts = info.id, info.domain, info.folder, info.audio_hash
        sizes = info.frames, info.samples, info.words, info.phones
        if not all(type(text) is str for text in texts) or not all(type(size) is int for size in sizes):
            raise TypeError("another type")
        if min(sizes) < 0 or 4 * info.frames + 2 * info.samples > file_bytes or int(info.audio_hash, 16) < 0:
            raise ValueError("sizes that do not fit")
    if type(index["fps"]) not in (int, float) or not 0 < index["fps"] < math.inf:
        raise ValueError("fps")
    return index["fps"], infos


def _id(info: ClipInfo) -> str:
    return info.id
