"""The clip database: grows, survives a killed writer, is read by many at once, and refuses what is none."""

import gc
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from config.errors import UserError
from dataset.clip import Clip
from dataset.store import ClipStore, open_snapshot, write_store
from tests import helpers
from tests.helpers import CASES, KILLED_STATUS, ROOT, lmdb_records, needs_case, noise_clip, posix_only, write_clips

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


def change_record(path: Path, key: bytes, change: Callable[[bytearray], bytes | bytearray | None]) -> None:
    """Change an item's bytes in the database."""
    with lmdb.open(str(path), subdir=False, lock=False) as environment, environment.begin(write=True) as transaction:
        content = bytearray(transaction.get(key) or b"")
        transaction.put(key, bytes(change(content) or content))


def flipped(place: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place] ^= 4

    return change


def without_checksums(content: bytearray) -> bytes:
    """An index as it was written until there were checksums."""
    index = json.loads(content)
    old = ("id", "domain", "folder", "frames", "samples", "words", "audio_hash")
    index = {
        "version": index["version"],
        "fps": index["fps"],
        "clips": [{k: c[k] for k in old} for c in index["clips"]],
    }
    return json.dumps(index).encode()


@pytest.mark.parametrize("place", [60, 700, 2000, -500, -3000])
def test_a_changed_byte_of_a_record_is_told_by_its_clip(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", 500), noise_clip("b", 500, seed=1))
    change_record(path, b"clip/b", flipped(place))
    store = ClipStore(path)
    assert np.array_equal(store["a"].curves, noise_clip("a", 500).curves)
    assert helpers.refused(store.__getitem__, "b") == f"{path}: clip b: a damaged record; pack the corpus again"


def test_a_changed_byte_of_the_sound_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", 9000))
    assert np.array_equal(ClipStore(path).whole("a").audio, noise_clip("a", 9000).audio)
    start = ClipStore(path).clips[0].audio_start
    change_record(path, b"clip/a", flipped(start + 7000))
    assert np.array_equal(ClipStore(path)["a"].curves, noise_clip("a", 9000).curves)
    line = helpers.refused(ClipStore(path).whole, "a")
    assert line == f"{path}: clip a: its sound is damaged; pack the corpus again"


def test_a_database_without_checksums_is_read_and_its_damage_is_one_line_too(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", 500))
    size = ClipStore(path).clips[0].record_bytes
    change_record(path, b"index", without_checksums)
    assert ClipStore(path)["a"].id == "a" and ClipStore(path).clips[0].checksum is None
    refusals = 0
    for place in range(0, size, 61):
        damaged = tmp_path / f"{place}.lmdb"
        shutil.copy(path, damaged)
        change_record(damaged, b"clip/a", flipped(place))
        try:
            assert np.isfinite(ClipStore(damaged).whole("a").curves).all()
        except UserError as error:
            assert str(error).startswith(f"{damaged}: clip a: ") and str(error).endswith("pack the corpus again")
            refusals += 1
    assert refusals > 10


def test_a_record_that_is_missing_or_another_clips(tmp_path: Path) -> None:
    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", 500), noise_clip("b", 500, seed=1))
    change_record(path, b"index", without_checksums)
    record = noise_clip("b", 500, seed=1).to_bytes()
    shutil.copy(path, other := tmp_path / "b.lmdb")
    change_record(path, b"clip/a", lambda _: record)
    assert helpers.refused(ClipStore(path).__getitem__, "a").endswith(
        "another than the index says; pack the corpus again"
    )
    with lmdb.open(str(other), subdir=False, lock=False) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b"clip/a")
    assert helpers.refused(ClipStore(other).__getitem__, "a").endswith("its record is missing; pack the corpus again")


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index["clips"][0].pop("id"),
        lambda index: index["clips"][0].update(id=3),
        lambda index: index["clips"][0].update(frames=10**12),
        lambda index: index["clips"][0].update(frames=True),
        lambda index: index["clips"][0].update(audio_hash="x"),
        lambda index: index["clips"].append(index["clips"][0]),
        lambda index: index.update(clips=3),
        lambda index: index.update(fps=-1),
        lambda index: index.update(fps="30"),
        lambda index: index.pop("fps"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_a_changed_index_is_one_line(tmp_path: Path, change: Callable[[Any], object], old: bool) -> None:
    def changed(content: bytearray) -> bytes:
        index = json.loads(without_checksums(content) if old else content)
        change(index)
        return json.dumps(index).encode()

    path = tmp_path / "a.lmdb"
    write_clips(path, noise_clip("a", 500))
    change_record(path, b"index", changed)
    assert refused(path) == "a damaged index; pack the corpus again"


def test_curves_that_are_not_finite_are_not_trained_on(tmp_path: Path) -> None:
    clip = noise_clip("a", 500)
    curves = clip.curves.copy()
    curves[3, 4] = np.nan
    write_clips(tmp_path / "a.lmdb", replace(clip, curves=curves))
    line = helpers.refused(ClipStore(tmp_path / "a.lmdb").__getitem__, "a")
    assert "clip a: curves that are not finite" in line


UNREADABLE = """
import os, sys
from pathlib import Path
from config.errors import UserError
from dataset.store import ClipStore
if os.geteuid() == 0:
    os.setegid(65534), os.seteuid(65534)
try:
    ClipStore(Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


@posix_only
def test_a_database_that_may_not_be_read_is_named_so(tmp_path: Path) -> None:
    write_clips(tmp_path / "a.lmdb", noise_clip("a", 500))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, folder_mode, file_mode in ((folder / "a.lmdb", 0o755, 0o000), (folder / "b.lmdb", 0o700, 0o644)):
            shutil.copy(tmp_path / "a.lmdb", path)
            path.chmod(file_mode)
            folder.chmod(folder_mode if os.geteuid() == 0 else 0o000)
            words = [sys.executable, "-c", UNREADABLE, str(path)]
            told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
            folder.chmod(0o700)
            assert told.startswith(f"{path}: cannot be read: Permission denied; ask its owner")


@needs_case("hostile")
@pytest.mark.parametrize("name", ["l_ArrowInvalid_15", "l_AttributeError_5", "l_abort_25"])
def test_the_shared_databases_with_changed_bytes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "clips.lmdb"
    shutil.copy(CASES / "hostile" / f"{name}.lmdb", path)

    def read() -> None:
        store = ClipStore(path)
        for info in store.clips:
            store.whole(info.id)

    line = helpers.refused(read)
    assert line.startswith(f"{path}: ") and line.endswith("pack the corpus again")
    assert "clip c1: " in line or name == "l_AttributeError_5"
