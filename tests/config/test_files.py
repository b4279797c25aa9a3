"""Files written whole: nothing is seen before it is complete, and then by everybody whom the umask lets."""

import os
from pathlib import Path

import pytest

from config.errors import UserError
from config.files import written_whole
from tests.helpers import posix_only


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
