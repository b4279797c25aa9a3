"""Clips in LMDB: written whole beside the old database and renamed into place, read lazily and without copies."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lmdb

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
    with written_whole(path) as partial:
        environment = lmdb.open(str(partial), subdir=False, lock=False, sync=False, map_size=FIRST_MAP_BYTES)
        for clip, folder in clips:
            put(environment, _key(clip.id), clip.to_bytes())
            digest = hashlib.sha256(clip.audio.tobytes()).hexdigest()
            infos.append(
                ClipInfo(clip.id, clip.domain, folder, len(clip.curves), len(clip.audio), len(clip.words), digest)
            )
        index = {"version": VERSION, "fps": fps, "clips": [asdict(info) for info in infos]}
        put(environment, INDEX, json.dumps(index).encode())
        environment.sync(True)
        environment.close()
    return infos


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


class ClipStore:
    """A clip database for reading: opened at first use in each process, so that loader workers can be handed one.

    Raises UserError when the file is missing, no clip database, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: tuple[int, Any] | None = None
        if not path.is_file():
            raise UserError(f"{path}: no such database; make it with: python -m data_process.pack --config <yml>")
        index = self._read_index()
        self.fps: float = index["fps"]
        self.clips: tuple[ClipInfo, ...] = tuple(ClipInfo(**info) for info in index["clips"])

    def __getitem__(self, clip_id: str) -> Clip:
        """The clip; its arrays are views into the database, valid as long as the store. Raises KeyError."""
        record = self._transaction().get(_key(clip_id))
        if record is None:
            raise KeyError(clip_id)
        return Clip.from_bytes(record)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None}

    def _read_index(self) -> dict[str, Any]:
        try:
            index = json.loads(bytes(self._transaction().get(INDEX) or b"{}"))
        except lmdb.Error:
            index = {}
        if index.get("version") != VERSION:
            raise UserError(f"{self.path}: no clip database of version {VERSION}; pack the corpus again")
        return index

    def _transaction(self) -> Any:
        """One read transaction a process, kept open: a database is replaced whole, never changed under a reader."""
        if self._reader is None or self._reader[0] != os.getpid():
            environment = lmdb.open(str(self.path), subdir=False, readonly=True, lock=False, readahead=False)
            self._reader = os.getpid(), environment.begin(buffers=True)
        return self._reader[1]
