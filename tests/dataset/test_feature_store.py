"""The feature cache: float16 by key, whole entries only, shared between processes without a lock."""

import multiprocessing
import operator
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset import feature_store
from dataset.feature_store import FeatureStore, feature_key
from tests.helpers import ROOT


def key_of(name: str) -> str:
    return feature_key("an encoder", "30 fps", name)


A, B = key_of("a"), key_of("b")


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "cache" / "features")


def files(store: FeatureStore) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("shape", [(7, 5), (3, 55, 8), (0, 4), (1, 1), (300, 1024)])
def test_features_come_back_as_float16(store: FeatureStore, shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    store[A] = features
    assert type(store[A]) is np.ndarray and store[A].dtype == np.float16
    assert np.array_equal(store[A], features.astype(np.float16))
    assert store[A].shape == shape
    assert files(store) == [store.folder / A[:2] / f"{A}.npy"]


def test_any_layout_and_type_goes_in(store: FeatureStore) -> None:
    features = np.arange(24).reshape(4, 6)
    store[A] = np.asfortranarray(features)[:, ::2]
    assert np.array_equal(store[A], features[:, ::2])


def test_what_is_not_there_is_a_miss(store: FeatureStore) -> None:
    assert A not in store
    with pytest.raises(KeyError):
        store[A]
    assert not store.folder.exists()
    store[B] = np.zeros((1, 1))
    assert A not in store
    with pytest.raises(KeyError):
        store[A]


def test_a_key_changes_with_each_of_its_parts() -> None:
    parts = [("logmel 80", "30 fps", "abc"), ("logmel 81", "30 fps", "abc"), ("logmel 80", "25 fps", "abc")]
    keys = {feature_key(*part) for part in [*parts, ("logmel 80", "30 fps", "abd")]}
    assert len(keys) == 4
    assert feature_key(*parts[0]) in keys


def test_an_entry_stays_as_it_is(store: FeatureStore) -> None:
    store[A] = np.full((5, 2), 1)
    held, before = store[A], files(store)[0].stat().st_mtime_ns
    store[A] = np.full((5, 2), 1)
    store[B] = np.full((5, 2), 7)
    assert files(store)[0].stat().st_mtime_ns == before or files(store)[1].stat().st_mtime_ns == before
    assert (held == 1).all() and (store[A] == 1).all() and (store[B] == 7).all()


def test_two_stores_see_what_either_writes_while_arrays_are_held(store: FeatureStore) -> None:
    other = FeatureStore(store.folder)
    store[A] = np.ones((2, 2))
    held = [store[A], other[A]]
    other[B] = np.full((2, 2), 2)
    assert (store[B] == 2).all() and all((array == 1).all() for array in held)


def test_arrays_are_read_only(store: FeatureStore) -> None:
    store[A] = np.ones((2, 2))
    with pytest.raises(ValueError, match="read-only"):
        store[A][0] = 0


def test_a_folder_that_cannot_be_written_to_is_read(store: FeatureStore) -> None:
    store[A] = np.ones((2, 2))
    places = [store.folder, store.folder / A[:2]]
    for place in places:
        place.chmod(0o555)
    try:
        assert (FeatureStore(store.folder)[A] == 1).all() and B not in store
        if not os.access(store.folder, os.W_OK):  # as root one may write anywhere
            with pytest.raises(
                UserError, match=r"cannot be written: Permission denied; set features\.cache to a place of your own"
            ):
                store[B] = np.ones((2, 2))
    finally:
        for place in places:
            place.chmod(0o755)


def test_few_entries_are_mapped_at_a_time_and_all_are_served(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_store, "MOST_MAPPED", 3)
    keys = [key_of(str(number)) for number in range(8)]
    for number, key in enumerate(keys):
        store[key] = np.full((2, 2), number)
    held = store[keys[0]]
    assert [float(store[key][0, 0]) for key in keys * 2] == [*range(8), *range(8)]
    assert len(store._mapped) == 3 and (held == 0).all()


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_what_the_parent_holds(store: FeatureStore, start: str) -> None:
    store[A] = np.arange(6).reshape(2, 3)
    held = store[A]
    with ProcessPoolExecutor(1, multiprocessing.get_context(start)) as pool:
        assert np.array_equal(pool.submit(operator.getitem, store, A).result(timeout=60), held)
    assert pickle.loads(pickle.dumps(store)).folder == store.folder


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.02, 0])
def test_a_damaged_entry_is_named_and_made_again(
    store: FeatureStore, kept: float, capsys: pytest.CaptureFixture[str]
) -> None:
    store[A] = np.ones((300, 300))
    (path,) = files(store)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(kept * len(whole))])
    fresh = FeatureStore(store.folder)
    line = f"{path}: a damaged entry of the feature cache; delete it, it is made again"
    with pytest.raises(UserError) as caught:
        fresh[A]
    assert str(caught.value) == line
    assert A not in fresh and capsys.readouterr().err == f"{line}\n"
    fresh[A] = np.ones((300, 300))
    assert path.read_bytes() == whole and (fresh[A] == 1).all()


def test_an_entry_of_another_type_is_damaged(store: FeatureStore) -> None:
    store[A] = np.ones((3, 3))
    (path,) = files(store)
    for content in (np.ones((3, 3)), np.array([{}], object)):
        np.save(path, content, allow_pickle=True)
        with pytest.raises(UserError, match="a damaged entry of the feature cache"):
            FeatureStore(store.folder)[A]


def test_places_that_are_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    path.write_bytes(b"hello")
    with pytest.raises(UserError) as caught:
        FeatureStore(path)
    assert str(caught.value) == f"{path}: a file, but features.cache is a folder; name one, features are made again"
    with pytest.raises(UserError, match="cannot be written: ") as caught:
        FeatureStore(path / "below")[A] = np.ones((1, 1))
    assert "\n" not in str(caught.value)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from dataset.feature_store import FeatureStore, feature_key
store = FeatureStore(Path(sys.argv[1]))
store[sys.argv[2]] = np.ones((100, 100))
save = np.save
def cut_short(file, array):
    save(file, array)
    file.truncate(5000)
    file.flush()
    os.kill(os.getpid(), 9)
np.save = cut_short
store[sys.argv[3]] = np.ones((100, 100))
"""


def test_a_killed_writer_leaves_whole_entries_only(store: FeatureStore) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.folder), A, B], cwd=ROOT, check=False)
    assert killed.returncode != 0
    assert (store[A] == 1).all() and B not in store
    store[B] = np.full((2, 2), 2)
    assert (store[B] == 2).all()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from dataset.feature_store import FeatureStore, feature_key
store = FeatureStore(Path(sys.argv[1]))
for entry in range(60):
    key = feature_key("an encoder", "30 fps", str(entry))
    store[key] = np.full((300, 512), entry, np.float16)
    assert (store[key] == entry).all()
    print(entry, flush=True)
"""


def test_several_processes_write_the_same_entries_and_a_killed_one_bars_nobody(store: FeatureStore) -> None:
    command = [sys.executable, "-c", WRITER, str(store.folder)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    killed = writers[0]
    assert killed.stdout
    written = [killed.stdout.readline() for _ in range(3)]
    killed.kill()
    assert len(written) == 3 and killed.wait() != 0
    assert [writer.communicate() and writer.returncode for writer in writers[1:]] == [0, 0, 0]
    for entry in range(60):
        assert np.array_equal(store[key_of(str(entry))], np.full((300, 512), entry, np.float16))
    assert len([path for path in files(store) if path.suffix == ".npy"]) == 60
