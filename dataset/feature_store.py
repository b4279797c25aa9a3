"""The feature cache: what a frozen speech encoder gives for a clip, as float16 in an LMDB of its own.

An entry's key is a digest of everything its values depend on, so that a changed encoder or clip misses the cache and
a stale entry is never served.
"""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from config.errors import UserError
from dataset.store import FIRST_MAP_BYTES, put


def feature_key(encoder_identity: str, grid: str, audio_hash: str) -> bytes:
    """The key of a clip's features.

    encoder_identity: the encoder's own words; grid: how features lie on motion frames; audio_hash: ClipInfo's.
    """
    return hashlib.sha256("\n".join((encoder_identity, grid, audio_hash)).encode()).hexdigest().encode()


class FeatureStore:
    """float16 arrays by key; opened at first use in each process, so that loader workers can be handed one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: tuple[int, Any, Any] | None = None  # process, environment, transaction

    def __contains__(self, key: bytes) -> bool:
        return self.path.is_file() and self._transaction().get(key) is not None

    def __getitem__(self, key: bytes) -> np.ndarray:
        """A read-only float16 view into the database, valid until something is stored. Raises KeyError."""
        value = self._transaction().get(key) if self.path.is_file() else None
        if value is None:
            raise KeyError(key)
        header = io.BytesIO(bytes(value[:256]))
        np.lib.format.read_magic(header)
        shape, _, dtype = np.lib.format.read_array_header_1_0(header)
        return np.frombuffer(value, dtype, int(np.prod(shape)), header.tell()).reshape(shape)

    def __setitem__(self, key: bytes, features: np.ndarray) -> None:
        """Store features as float16, in one transaction: a killed run leaves whole entries only."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(features, np.float16))
        self._close()
        environment = _open(self.path, readonly=False)
        put(environment, key, buffer.getvalue())
        environment.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None}

    def _transaction(self) -> Any:
        if self._reader is None or self._reader[0] != os.getpid():
            environment = _open(self.path, readonly=True)
            self._reader = os.getpid(), environment, environment.begin(buffers=True)
        return self._reader[2]

    def _close(self) -> None:
        """A process may open an LMDB once only, and a writer wants no reader to be under way."""
        if self._reader and self._reader[0] == os.getpid():
            self._reader[2].abort()
            self._reader[1].close()
        self._reader = None


def _open(path: Path, readonly: bool) -> Any:
    try:
        return lmdb.open(str(path), subdir=False, readonly=readonly, map_size=FIRST_MAP_BYTES, readahead=False)
    except lmdb.Error as error:
        raise UserError(f"{path}: not a feature cache ({error}); delete it, it is made again") from None
