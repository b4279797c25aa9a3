"""The clip database: grows, survives a killed writer, is read by many at once, and refuses what is none."""

import gc
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import lmdb
import numpy as np
import pytest

from config.errors import UserError
from dataset.clip import Clip
from dataset.store import ClipStore, open_snapshot, write_store
from tests import helpers
from tests.helpers import KILLED_STATUS, ROOT, lmdb_records, noise_clip, posix_only, write_clips

refused = partial(helpers.refused_file, ClipStore)


def test_clips_come_back_by_id_and_the_index_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "clips.lmdb"
    infos = write_store(path, [(noise_clip("a", 9), "train"), (noise_clip("b", 16_000), "val")], 25.0)
    store = ClipStore(path)
    assert store.clips == tuple(infos)
    assert store.fps == 25.0
    assert [(info.id, info.folder, info.frames, info.samples, info.words) for info in infos] == [
        ("a", "train", 30, 9, 0),
        ("b", "val", 30, 16_000, 0),
    ]
    assert np.array_equal(store["b"].audio, noise_clip("b").audio)
    assert infos[0].audio_hash != infos[1].audio_hash
    with pytest.raises(KeyError):
        store["c"]
    assert [file.name for file in path.parent.iterdir()] == ["clips.lmdb"]


def test_the_audio_hash_is_of_the_audio_alone(tmp_path: Path) -> None:
    infos = write_clips(tmp_path / "a.lmdb", noise_clip("a"), noise_clip("b"), noise_clip("c", seed=1))
    assert infos[0].audio_hash == infos[1].audio_hash != infos[2].audio_hash


def test_the_map_grows_beyond_what_it_starts_with(tmp_path: Path) -> None:
    clips = [noise_clip(f"c{number}", 3_000_000, number) for number in range(4)] + [noise_clip("long", 20_000_000)]
    write_clips(tmp_path / "a.lmdb", *clips)
    assert (tmp_path / "a.lmdb").stat().st_size > 60_000_000
    store = ClipStore(tmp_path / "a.lmdb")
    assert all(np.array_equal(store[clip.id].audio, clip.audio) for clip in clips)


def test_ids_of_any_length_and_script(tmp_path: Path) -> None:
    ids = ["a b", "[1]", "index", "语" * 200, "语" * 200 + "x", "n" * 490, "n" * 600]
    write_clips(tmp_path / "a.lmdb", *(noise_clip(name, seed=number) for number, name in enumerate(ids)))
    store = ClipStore(tmp_path / "a.lmdb")
    assert [store[name].id for name in ids] == ids


def test_writing_again_gives_the_same_records(tmp_path: Path) -> None:
    for name in ("a.lmdb", "b.lmdb"):
        write_clips(tmp_path / name, noise_clip("a"), noise_clip("b", seed=1))
    assert lmdb_records(tmp_path / "a.lmdb") == lmdb_records(tmp_path / "b.lmdb")
    assert len(lmdb_records(tmp_path / "a.lmdb")) == 3


KILLED = """
import os, sys
from pathlib import Path
from tests.helpers import noise_clip
from dataset.store import write_store
def clips():
    for number in range(5):
        yield noise_clip(f"new{number}", 9_000_000), ""
    os._exit(9)
write_store(Path(sys.argv[1]), clips(), 30.0)
"""


def test_a_killed_writer_leaves_the_old_database_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("old"))
    before = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == KILLED_STATUS
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3  # what the killed one left, and its lock, stand beside
    write_clips(path, noise_clip("newer"))
    assert [clip.id for clip in ClipStore(path).clips] == ["newer"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_writer_leaves_the_old_database_and_nothing_beside_it(tmp_path: Path) -> None:
    def clips() -> Iterator[tuple[Clip, str]]:
        yield noise_clip("new"), ""
        raise UserError("the next one is broken")

    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("old"))
    for _ in range(2):
        with pytest.raises(UserError, match="the next one is broken"):
            write_store(path, clips(), 30.0)
    assert ClipStore(path)["old"].id == "old"
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, sys
from pathlib import Path
from config.errors import UserError
from tests.helpers import noise_clip, write_clips
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    write_clips(Path(sys.argv[1]), noise_clip("a"), noise_clip("b", 2_000_000))
except UserError as error:
    print(error)
"""


@posix_only
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FULL, str(tmp_path / "a.lmdb")]
    full = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert full.stdout.startswith(str(tmp_path))
    assert ": cannot be written: " in full.stdout
    assert full.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_two_readers_in_one_process_and_a_new_database_beside_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", seed=1), noise_clip("b"))
    first, second = ClipStore(path), ClipStore(path)
    clip = first["a"]
    write_clips(path, noise_clip("c"))
    assert first["b"].id == second["b"].id == "b"  # a reader keeps the database it opened
    assert [info.id for info in ClipStore(path).clips] == ["c"]
    assert np.array_equal(clip.audio, noise_clip("a", seed=1).audio)


def test_a_clip_outlives_its_store(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a"))
    audio = ClipStore(path)["a"].audio
    snapshot = open_snapshot(path)
    gc.collect()
    assert open_snapshot(path) is snapshot
    assert np.array_equal(audio, noise_clip("a").audio)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_a_store_that_the_parent_reads_too(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a"), noise_clip("b", seed=1))
    store = ClipStore(path)
    assert store["a"].id == "a"
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        clips: list[Clip] = list(pool.map(ClipStore.__getitem__, [store] * 4, ["a", "b", "a", "b"]))
    assert [np.array_equal(clip.audio, store[clip.id].audio) for clip in clips] == [True] * 4


def read_b(store: ClipStore, answers: "multiprocessing.Queue[int]") -> None:
    answers.put(int(store["b"].audio.sum()))


def test_a_forked_worker_reads_the_very_store_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a"), noise_clip("b", seed=1))
    store = ClipStore(path)
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    worker = fork.Process(target=read_b, args=(store, answers))
    worker.start()
    assert answers.get(timeout=20) == store["b"].audio.sum()
    worker.join()
    assert worker.exitcode == 0


def test_files_that_are_no_clip_database(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    assert refused(path).startswith("no such database; make it with: python -m data_process.pack")
    assert refused(tmp_path).startswith("no such database")
    for content in (b"", b"hello", bytes(8192), bytes(range(256)) * 99):
        path.write_bytes(content)
        assert refused(path) == "no clip database of version 1; pack the corpus again"


@pytest.mark.parametrize("index", [None, b"{}", b'{"version": "0"}', b"hello", b"\xff"])
def test_another_lmdb(tmp_path: Path, index: bytes | None) -> None:
    path = tmp_path / "a.lmdb"
    with lmdb.open(str(path), subdir=False) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"some", b"thing")
        if index:
            transaction.put(b"index", index)
    assert refused(path) == "no clip database of version 1; pack the corpus again"


def test_a_truncated_database_is_refused_instead_of_read_past_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, *(noise_clip(str(number), 50_000) for number in range(9)))
    whole = path.read_bytes()
    for kept in (0.99, 0.5, 0.02):
        path.write_bytes(whole[: round(kept * len(whole))])
        assert refused(path) == "truncated; pack the corpus again"
