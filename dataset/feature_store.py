"""The feature cache: what a frozen speech encoder gives for a clip, as float16 in an LMDB of its own.

An entry's key is a digest of everything its values depend on, so that a changed encoder or clip misses the cache and
a stale entry is never served.
"""

import hashlib
import io
from pathlib import Path

import lmdb
import numpy as np
import pyarrow as pa

from config.errors import UserError
from dataset.store import open_for_writing, open_snapshot, put


def feature_key(encoder_identity: str, grid: str, audio_hash: str) -> bytes:
    """The key of a clip's features.

    encoder_identity: the encoder's own words; grid: how features lie on motion frames; audio_hash: ClipInfo's.
    """
    return hashlib.sha256("\n".join((encoder_identity, grid, audio_hash)).encode()).hexdigest().encode()


class FeatureStore:
    """float16 arrays by key, in a file that several runs may share; it is open only while an array is held.

    Processes of one host may write at once: LMDB lets them in one after another, and a killed one bars nobody. Hosts
    that write at once need a file each, for LMDB's lock ends at the host.
    Raises UserError, on use, for a file that is no cache or a place that cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __contains__(self, key: bytes) -> bool:
        return self._get(key) is not None

    def __getitem__(self, key: bytes) -> np.ndarray:
        """A read-only float16 view into the database. Raises KeyError."""
        value = self._get(key)
        if value is None:
            raise KeyError(key)
        header = io.BytesIO(value[:256])
        np.lib.format.read_magic(header)
        shape, _, dtype = np.lib.format.read_array_header_1_0(header)
        return np.frombuffer(value, dtype, int(np.prod(shape)), header.tell()).reshape(shape)

    def __setitem__(self, key: bytes, features: np.ndarray) -> None:
        """Store features as float16, in one transaction: a killed run leaves whole entries only.

        LMDB lets a process open a file once only, so no array read from it may still be held here.
        """
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(features, np.float16))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None
        with open_for_writing(self.path) as environment:
            put(environment, key, buffer.getvalue())

    def _get(self, key: bytes) -> pa.Buffer | None:
        if not self.path.is_file():
            return None
        try:
            return open_snapshot(self.path, lock=True).get(key)
        except lmdb.Error as error:
            raise UserError(f"{self.path}: not a feature cache ({error}); delete it, it is made again") from None
