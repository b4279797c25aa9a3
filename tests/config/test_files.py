"""Files written whole: nothing is seen before it is complete, and then by everybody whom the umask lets."""

import math
import os
from pathlib import Path

import pytest

from config.errors import UserError
from config.files import find, partial_path, regular, written_whole
from config.yaml_files import read_yaml
from dataset.audio import read_audio
from dataset.blendshapes import read_csv
from dataset.recordings.layout_json import read_json
from dataset.transcript import read_tsv
from tests.helpers import posix_only, refused_file


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.csv"
    for text in ("one", "two"):
        with written_whole(path) as partial:
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == ["a.csv"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_two_who_write_one_file_at_a_time_each_write_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with written_whole(path) as first:
        first.write_text("the first, ")
        with written_whole(path) as second:
            second.write_text("the second")
        assert path.read_text() == "the second"
        with first.open("a") as file:
            file.write("all of it")
    assert path.read_text() == "the first, all of it"
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_what_killed_processes_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left, folder, fresh = (partial_path(tmp_path / name) for name in ("a.csv", "mended", "a.csv"))
    folder.mkdir()
    for path in (left, folder / "b.csv", fresh):
        path.touch()
    for path in (left, folder):
        os.utime(path, (0, 0))
    with written_whole(tmp_path / "c.csv") as partial:
        partial.touch()
    assert set(tmp_path.iterdir()) == {fresh, tmp_path / "c.csv"}


@posix_only
def test_a_file_is_as_open_as_the_umask_says_whoever_wrote_it(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.bin") as partial:
        partial.touch(mode=0o600)
    mask = os.umask(0o022)
    os.umask(mask)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"a\.csv: cannot be written"), written_whole(tmp_path / "file" / "a.csv"):
        raise AssertionError("never entered")


@posix_only
def test_a_pipe_or_a_device_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    for call in (regular, read_csv, read_yaml, read_json, read_tsv, read_audio, lambda path: find(path, (".csv",))):
        assert refused_file(call, tmp_path / "a.csv").startswith("a pipe or a device; give a regular file")
        assert refused_file(call, Path("/dev/zero")).startswith("a pipe or a device; give a regular file")


def test_a_file_larger_than_its_reader_takes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(2048))
    assert regular(path) == regular(path, 2048) == regular(path, math.inf) == path
    assert refused_file(regular, path, 2047).endswith("that such a file may have; split it, or give another")


def test_what_is_not_there_is_the_readers_to_say(tmp_path: Path) -> None:
    assert regular(tmp_path / "a.csv") == tmp_path / "a.csv"
