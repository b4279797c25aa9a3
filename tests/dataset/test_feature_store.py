"""The feature cache: float16 by key, whole entries only, shared between processes."""

import multiprocessing
import operator
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.feature_store import FeatureStore, feature_key
from tests.helpers import ROOT


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "cache" / "features.lmdb")


@pytest.mark.parametrize("shape", [(7, 5), (3, 55, 8), (0, 4), (1, 1), (300, 1024)])
def test_features_come_back_as_float16(store: FeatureStore, shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    store[b"key"] = features
    assert store[b"key"].dtype == np.float16
    assert np.array_equal(store[b"key"], features.astype(np.float16))
    assert store[b"key"].shape == shape


def test_any_layout_and_type_goes_in(store: FeatureStore) -> None:
    features = np.arange(24).reshape(4, 6)
    store[b"key"] = np.asfortranarray(features)[:, ::2]
    assert np.array_equal(store[b"key"], features[:, ::2])


def test_what_is_not_there_is_a_miss(store: FeatureStore) -> None:
    assert b"key" not in store
    with pytest.raises(KeyError):
        store[b"key"]
    assert not store.path.exists()
    store[b"other"] = np.zeros((1, 1))
    assert b"key" not in store
    with pytest.raises(KeyError):
        store[b"key"]


def test_a_key_changes_with_each_of_its_parts() -> None:
    parts = [("logmel 80", "30 fps", "abc"), ("logmel 81", "30 fps", "abc"), ("logmel 80", "25 fps", "abc")]
    keys = {feature_key(*part) for part in [*parts, ("logmel 80", "30 fps", "abd")]}
    assert len(keys) == 4
    assert feature_key(*parts[0]) in keys


def test_an_entry_is_replaced_and_the_others_stay(store: FeatureStore) -> None:
    for value in (1, 2):
        store[b"a"] = np.full((5, 2), value)
        store[b"b"] = np.full((5, 2), 7)
    assert (store[b"a"] == 2).all()
    assert (store[b"b"] == 7).all()


def test_the_file_grows_beyond_its_first_map(store: FeatureStore) -> None:
    for number in range(5):
        store[b"%d" % number] = np.full((2_500, 1_024), number)
    store[b"large"] = np.ones((20_000, 1_024))
    assert store.path.stat().st_size > 60_000_000
    assert [float(store[b"%d" % number][-1, -1]) for number in range(5)] == [0, 1, 2, 3, 4]


def test_two_stores_see_what_either_writes(store: FeatureStore) -> None:
    other = FeatureStore(store.path)
    store[b"a"] = np.ones((2, 2))
    assert b"a" in other
    other[b"b"] = np.full((2, 2), 2)
    assert (store[b"b"] == 2).all()
    held = [store[b"a"], other[b"a"]]
    assert all((array == 1).all() for array in held)


def test_writing_under_a_held_array_is_refused_and_the_array_stays_readable(store: FeatureStore) -> None:
    store[b"a"] = np.ones((2, 2))
    held = store[b"a"]
    with pytest.raises(UserError, match="cannot be written"):
        store[b"b"] = np.ones((2, 2))
    assert (held == 1).all()
    del held
    store[b"b"] = np.ones((2, 2))


def test_arrays_are_read_only(store: FeatureStore) -> None:
    store[b"a"] = np.ones((2, 2))
    with pytest.raises(ValueError, match="read-only"):
        store[b"a"][0] = 0


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_what_the_parent_holds(store: FeatureStore, start: str) -> None:
    store[b"a"] = np.arange(6).reshape(2, 3)
    held = store[b"a"]
    with ProcessPoolExecutor(1, multiprocessing.get_context(start)) as pool:
        assert np.array_equal(pool.submit(operator.getitem, store, b"a").result(timeout=20), held)
    assert pickle.loads(pickle.dumps(store)).path == store.path


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from dataset.feature_store import FeatureStore, open_for_writing
path = Path(sys.argv[1])
FeatureStore(path)[b"first"] = np.ones((100, 100))
with open_for_writing(path) as environment:
    transaction = environment.begin(write=True)
    transaction.put(b"second", bytes(5_000_000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_whole_entries_only(store: FeatureStore) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (store[b"first"] == 1).all()
    assert b"second" not in store
    store[b"second"] = np.full((2, 2), 2)
    assert (store[b"second"] == 2).all()


def test_files_that_are_no_cache(store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match=r"a.lmdb: not a feature cache .*; delete it, it is made again"):
        FeatureStore(path)[b"a"]
    for place in (path, tmp_path, path / "below" / "a.lmdb"):
        with pytest.raises(UserError, match="cannot be written") as caught:
            FeatureStore(place)[b"a"] = np.ones((1, 1))
        assert "\n" not in str(caught.value)
    store[b"a"] = np.ones((300, 300))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"not a feature cache \(truncated\)"):
        store[b"a"]


WRITER = """
import sys
from pathlib import Path
import numpy as np
from dataset.feature_store import FeatureStore
store, writer = FeatureStore(Path(sys.argv[1])), int(sys.argv[2])
for entry in range(40):
    store[f"{writer}/{entry}".encode()] = np.full((300, 512), writer, np.float16)
    assert f"{writer}/{entry}".encode() in store
    print(entry, flush=True)
"""


def test_several_processes_write_and_a_killed_one_bars_nobody(tmp_path: Path) -> None:
    path = tmp_path / "features.lmdb"
    commands = [[sys.executable, "-c", WRITER, str(path), str(writer)] for writer in range(4)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for command in commands]
    killed = writers[0]
    assert killed.stdout
    written = [killed.stdout.readline() for _ in range(3)]
    killed.kill()
    assert len(written) == 3 and killed.wait() != 0
    assert [writer.communicate() and writer.returncode for writer in writers[1:]] == [0, 0, 0]
    store = FeatureStore(path)
    for writer in (1, 2, 3):
        for entry in range(40):
            assert np.array_equal(store[f"{writer}/{entry}".encode()], np.full((300, 512), writer, np.float16))
    assert all(f"0/{entry}".encode() in store for entry in range(3))
    store[b"later"] = np.zeros((1, 1))
    assert b"later" in store
