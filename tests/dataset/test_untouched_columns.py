from pathlib import Path

import pytest

from config.errors import UserError
from dataset.blendshapes import read_csv, write_csv
from dataset.files import written_whole


def test_channels_nobody_changed_keep_their_cells_to_the_letter(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.0185036063,1e-3\n13:13:04:33.652,1,-0\n")
    table = read_csv(source)
    write_csv(tmp_path / "same.csv", table)
    assert (tmp_path / "same.csv").read_text() == source.read_text()
    write_csv(tmp_path / "out.csv", table.with_channels(("JawOpen",), table.select(("JawOpen",)) / 2))
    assert (tmp_path / "out.csv").read_text() == (
        "Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.009252,1e-3\n13:13:04:33.652,0.500000,-0\n"
    )


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "out.csv"
    with pytest.raises(UserError, match=r"out.csv: cannot be written: ") as caught, written_whole(path) as partial:
        partial.write_text("")
    assert "\n" not in str(caught.value)


def test_a_failure_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.csv", "old")]
