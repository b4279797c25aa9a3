"""Several files as one database: read alike, replaced all at once whenever the writer is killed, refused in part."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.errors import UserError
from dataset.clip import Clip
from dataset.shards import current_files, finish_replacing, partials, replace_set, shard_paths
from dataset.store import ClipStore, to_record, write_shards, write_store
from tests import helpers
from tests.helpers import KILLED_STATUS, clip_records, noise_clip

refused = partial(helpers.refused, ClipStore)

IDS = ("a", "b", "c", "d", "e")


def write_set(path: Path, shards: int, ids: tuple[str, ...] = IDS, fps: float = 30.0) -> list[Path]:
    finish_replacing(path)
    files = shard_paths(path, shards)
    written = partials(files)
    clips = [(number % shards, to_record(noise_clip(clip, seed=number), "")) for number, clip in enumerate(ids)]
    write_shards(dict(enumerate(written.values())), clips, fps)
    replace_set(path, written)
    return files


def ids(path: Path) -> str:
    store = ClipStore(path)
    assert all(store[info.id].id == info.id for info in store.clips)
    return "".join(info.id for info in store.clips)


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
def test_shards_hold_the_records_of_one_file_and_read_as_it_does(tmp_path: Path, shards: int) -> None:
    write_store(tmp_path / "one.lmdb", ((noise_clip(clip, seed=number), "") for number, clip in enumerate(IDS)), 30.0)
    files = write_set(tmp_path / "many.lmdb", shards)
    if shards == 8:
        assert files[1] == tmp_path / "many-00001-of-00008.lmdb"
    assert clip_records(*files) == clip_records(tmp_path / "one.lmdb")
    one, many = ClipStore(tmp_path / "one.lmdb"), ClipStore(tmp_path / "many.lmdb")
    assert many.clips == one.clips and many.fps == one.fps
    assert all(np.array_equal(many[clip].curves, one[clip].curves) for clip in IDS)
    with pytest.raises(KeyError):
        many["z"]
    assert {file.name for file in tmp_path.iterdir()} == {"one.lmdb", *(file.name for file in files)}


def test_a_base_name_a_pattern_and_a_list_name_the_same_clips(tmp_path: Path) -> None:
    files = write_set(tmp_path / "clips.lmdb", 3)
    other = tmp_path / "other.lmdb"
    write_store(other, [(noise_clip("z"), "")], 30.0)
    assert ids(tmp_path / "clips.lmdb") == ids(tmp_path / "clips-*.lmdb") == "abcde"
    store = ClipStore([other, *files])
    assert [info.id for info in store.clips] == [*IDS, "z"]
    assert ids(tmp_path / "*.lmdb") == "abcdez"


def test_a_new_set_takes_the_old_one_away_whatever_their_sizes(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"
    for shards in (1, 4, 2, 1, 3):
        files = write_set(path, shards, IDS[:shards])
        assert sorted(tmp_path.iterdir()) == sorted(files)
        assert ids(path) == "".join(IDS[:shards])


def write_and_die(path: Path, steps: int) -> None:
    """Write another set in a process that is killed before it has moved or removed more than so many files."""
    left = iter(range(steps))

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if next(left, None) is None:
                os._exit(KILLED_STATUS)
            return function(*arguments, **options)

        return step

    Path.replace, Path.unlink = counted(Path.replace), counted(Path.unlink)  # type: ignore[method-assign]
    write_set(path, 2, ("x", "y", "z"))


def test_a_writer_killed_at_any_step_leaves_one_whole_set(tmp_path: Path) -> None:
    fast = "forkserver" in multiprocessing.get_all_start_methods()
    processes: Any = multiprocessing.get_context("forkserver" if fast else "spawn")
    if fast:
        processes.set_forkserver_preload([__name__])
    seen, done, steps = [], False, 0
    while not done:
        path = tmp_path / str(steps) / "clips.lmdb"
        write_set(path, 3)
        writer = processes.Process(target=write_and_die, args=(path, steps))
        writer.start()
        writer.join()
        done = writer.exitcode == 0
        assert done or writer.exitcode == KILLED_STATUS
        seen.append(ids(path))
        write_set(path, 1, ("n",))  # the next one mends what the killed one left
        assert ids(path) == "n" and list(path.parent.iterdir()) == [path]
        steps += 1
    assert set(seen) == {"abcde", "xyz"}
    assert seen == sorted(seen)  # one step decides
    assert seen.count("xyz") > 4


def test_readers_see_the_new_set_while_it_is_being_put_in_place(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"
    write_set(path, 2)
    before = ClipStore(path)
    files = partials(shard_paths(path, 3))
    clips = [(0, to_record(noise_clip("x"), "")), (2, to_record(noise_clip("y"), ""))]
    write_shards(dict(enumerate(files.values())), clips, 30.0)
    assert ids(path) == "abcde"
    replace_set(path, files)
    assert ids(path) == "xy"
    assert before["a"].id == "a" and before["e"].id == "e"  # a reader keeps what it opened


def test_a_failed_set_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"
    files = write_set(path, 2)
    clips = [(0, to_record(noise_clip("x"), "")), (9, to_record(noise_clip("y"), ""))]
    with pytest.raises(KeyError):
        write_shards(dict(enumerate(partials(shard_paths(path, 3)).values())), clips, 30.0)
    assert sorted(tmp_path.iterdir()) == files and ids(path) == "abcde"


def test_part_of_a_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"
    files = write_set(path, 3)
    content = files[1].read_bytes()
    files[1].unlink()
    assert refused(path) == f"{files[1]}: no such file, though other shards of its set are; pack the corpus again"
    assert refused(tmp_path / "clips-*") == refused(path)
    assert refused(files) == f"{files[1]}: no such file; pack the corpus again"
    files[1].write_bytes(content[:5000])
    assert refused(path) == f"{files[1]}: truncated; pack the corpus again"
    files[1].write_bytes(b"hello" * 9999)
    assert refused(path) == f"{files[1]}: no clip database of version 1; pack the corpus again"


def test_sets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"
    files = write_set(path, 2)
    copy = tmp_path / "clips-00000-of-00004.lmdb"
    copy.write_bytes(files[0].read_bytes())
    assert "beside another set of" in refused(path)
    copy.unlink()
    assert refused([*files, files[0]]) == f"{files[0]}: clip a is in {files[0]} too; keep one of them"
    write_set(tmp_path / "slow.lmdb", 1, ("z",), fps=25.0)
    assert refused([*files, tmp_path / "slow.lmdb"]).endswith(
        f"slow.lmdb: packed at 25 fps, but {files[0]} at 30 fps; pack them alike"
    )


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path / "clips.lmdb", tmp_path / "clips-*.lmdb", tmp_path / "no" / "clips.lmdb"):
        assert refused(path).startswith(f"{path}: no such database; make it with: python -m data_process.pack")
        with pytest.raises(UserError):
            current_files(path)


def test_a_set_that_is_being_read_where_files_in_use_stay_is_replaced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clips.lmdb"
    write_set(path, 1)
    replace = Path.replace

    def as_on_windows(self: Path, target: Path) -> Path:
        if target == path:
            raise PermissionError(13, "Access is denied", str(self), None, str(target))
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
        patch.setattr(Path, "replace", as_on_windows)
        write_set(path, 1, ("x", "y"))
    line = f"{path}: cannot be replaced while another program reads it; end that one, then pack again"
    assert str(caught.value) == line
    assert ids(path) == "xy"
    write_set(path, 1, ("n",))
    assert ids(path) == "n" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("journal", [b"", b"[", b"{}", b"\xff", b"[1]", b'{"../x": "y"}', b'{"a": 3}', b"[" * 9000])
def test_a_damaged_journal_counts_as_none(tmp_path: Path, journal: bytes) -> None:
    path = tmp_path / "clips.lmdb"
    write_set(path, 1)
    (tmp_path / ".clips.lmdb.set").write_bytes(journal)
    assert ids(path) == "abcde"
    write_set(path, 2, ("x", "y"))
    assert ids(path) == "xy"
    assert sorted(tmp_path.iterdir()) == shard_paths(path, 2)


def test_a_second_writer_is_told_and_the_first_ends_undisturbed(tmp_path: Path) -> None:
    path = tmp_path / "clips.lmdb"

    def clips() -> Iterator[tuple[Clip, str]]:
        yield noise_clip("a"), ""
        line = helpers.refused(write_store, path, [(noise_clip("b"), "")], 30.0)
        assert line == f"{path}: another process is packing it at this moment; wait for it, or choose another data.lmdb"

    write_store(path, clips(), 30.0)
    assert ids(path) == "a"
    assert list(tmp_path.iterdir()) == [path]
