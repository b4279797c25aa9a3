"""The feature cache: what a frozen speech encoder gives for a clip, as a float16 file named for all that it depends on.

A file's name is a digest, so that a changed encoder or clip misses the cache and a stale entry is never served; and
what is there is never changed. So any number of processes and hosts may read and write at once, without a lock.
"""

import hashlib
import io
import math
import os
import sys
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib.format import read_array_header_1_0, read_magic

from config.errors import UserError
from config.files import partial_path

MOST_MAPPED = 10_000  # entries held for reading; Linux allows a process 65,530 maps


def feature_key(encoder_identity: str, grid: str, audio_hash: str) -> str:
    """The key of a clip's features: 64 hex digits.

    encoder_identity: the encoder's own words; grid: how features lie on motion frames; audio_hash: ClipInfo's.
    """
    return hashlib.sha256("\n".join((encoder_identity, grid, audio_hash)).encode()).hexdigest()


class FeatureStore:
    """float16 arrays by key, in files <folder>/<first two digits>/<key>.npy that are read as mapped memory.

    Raises UserError for a folder that is a file, as caches of before were, and for a place that cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        if _is_file(folder):
            raise UserError(f"{folder}: a file, but features.cache is a folder; name one, features are made again")
        self.folder = folder
        self._mapped: OrderedDict[str, np.ndarray] = OrderedDict()  # the last one used stands last

    def __contains__(self, key: str) -> bool:
        """Whether there is a whole entry; of a damaged one, which is then to be made again, a line says so."""
        try:
            return self._map(key) is not None
        except UserError as error:
            print(error, file=sys.stderr)
            return False

    def __getitem__(self, key: str) -> np.ndarray:
        """The features, read-only; their memory is the file's. Raises KeyError, and UserError for a damaged entry."""
        features = self._mapped.get(key)
        if features is None:
            features = self._map(key)
            if features is None:
                raise KeyError(key)
            self._mapped[key] = features
            if len(self._mapped) > MOST_MAPPED:
                self._mapped.popitem(last=False)
        self._mapped.move_to_end(key)
        return features

    def __setitem__(self, key: str, features: np.ndarray) -> None:
        """Store features as float16, whole or not at all; where the entry is there already, it stays."""
        if self._is_whole(key):
            return
        path = self._path(key)
        partial = partial_path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("xb") as file:
                np.save(file, np.ascontiguousarray(features, np.float16))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            # Windows replaces no file that is being read: then another writer has just put the same features there.
            if not self._is_whole(key):
                mend = "; set features.cache to a place of your own" if isinstance(error, PermissionError) else ""
                raise UserError(f"{path}: cannot be written: {error.strerror or error}{mend}") from None
        finally:
            with suppress(OSError):
                partial.unlink()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": OrderedDict()}

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def _is_whole(self, key: str) -> bool:
        with suppress(UserError):
            return self._map(key) is not None
        return False

    def _map(self, key: str) -> np.ndarray | None:
        """The entry's memory, None where there is none. Raises UserError for one that is damaged or cannot be read."""
        path = self._path(key)
        try:
            with pa.memory_map(str(path)) as file:  # what is read stays mapped when the file is closed
                memory = file.read_buffer()
            return _array(memory)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, EOFError, OverflowError):
            raise UserError(f"{path}: a damaged entry of the feature cache; delete it, it is made again") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def _is_file(folder: Path) -> bool:
    try:
        return folder.is_file()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be read: {error.strerror or error}; set features.cache to a place of your own"
        ) from None


def _array(memory: pa.Buffer) -> np.ndarray:
    """The float16 array of an npy file. Raises ValueError or EOFError where it holds another or not all of it."""
    start = io.BytesIO(memory[:256])
    if read_magic(start) != (1, 0):
        raise ValueError("a header that np.save gives no such array")
    shape, _, dtype = read_array_header_1_0(start)
    if min(shape, default=0) < 0:
        raise ValueError("a length below 0")
    if dtype != np.float16:
        raise ValueError(f"{dtype} instead of float16")
    return np.frombuffer(memory, dtype, math.prod(shape), start.tell()).reshape(shape)
