"""A csv that is read, changed in part and written again keeps everything else to the letter."""

import json
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT, read_csv
from dataset.recordings.layout_writers import write_like_source
from dataset.recordings.layouts import read_recording

LIVE_LINK = "Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.0185036063,1e-3\n13:13:04:33.652,1,-0\n"


def test_channels_nobody_changed_keep_their_cells_to_the_letter(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(LIVE_LINK)
    recording = read_recording(source, required=())
    write_like_source(tmp_path / "same.csv", recording)
    assert (tmp_path / "same.csv").read_text() == source.read_text()
    write_like_source(tmp_path / "out.csv", recording.with_channels(("JawOpen",), recording.select(("JawOpen",)) / 2))
    assert (tmp_path / "out.csv").read_text() == (
        "Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.009252,1e-3\n13:13:04:33.652,0.500000,-0\n"
    )


def test_a_file_in_percent_is_written_in_percent(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("jawOpen,mouthSmile_L\n40.0,7\n60,7.1\n")
    recording = read_recording(source, required=("JawOpen",))
    np.testing.assert_allclose(recording.select(("JawOpen", "MouthSmileLeft")), [[0.4, 0.07], [0.6, 0.071]])
    write_like_source(tmp_path / "out.csv", recording.with_channels(("JawOpen",), recording.select(("JawOpen",)) / 2))
    assert (tmp_path / "out.csv").read_text() == "jawOpen,mouthSmile_L\n20.000000,7\n30.000000,7.1\n"


def test_quoted_cells_are_read_and_a_comma_in_one_is_pointed_at(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('"Timecode","JawOpen"\n"a, b","0.5"\n"c","1"\n')
    csv = read_csv(source)
    assert csv.values.tolist() == [[0.5], [1.0]] and csv.cells("Timecode") == ["a, b", "c"]
    csv.write(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == 'Timecode,JawOpen\n"a, b",0.5\nc,1\n'
    source.write_text('"JawOpen","JawLeft"\n"0,5","0"\n')
    with pytest.raises(UserError, match=r'in.csv, line 2: JawOpen is not a number: "0,5"'):
        read_csv(source)


def test_another_layout_becomes_a_csv_that_tells_as_much(tmp_path: Path) -> None:
    curves = np.random.default_rng(0).random((5, len(ARKIT))).round(6)
    document = {"fps": 50, "names": ARKIT, "frames": curves.tolist(), "angles": {"HeadYaw": [0.1, 0.2, 0.3, 0.4, 0.5]}}
    (tmp_path / "a.json").write_text(json.dumps(document))
    write_like_source(tmp_path / "a.csv", read_recording(tmp_path / "a.json"))
    back = read_recording(tmp_path / "a.csv")
    assert (back.fps, back.names, back.angles["HeadYaw"].tolist()) == (50, ARKIT, [0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_array_equal(back.values, curves)


def test_which_channels_must_be_there_is_the_readers_to_say(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("JawOpen\n0.5\n")
    assert read_recording(tmp_path / "a.csv", required=("JawOpen",)).names == ("JawOpen",)
    with pytest.raises(UserError, match="line 1: no column for JawLeft"):
        read_recording(tmp_path / "a.csv", required=("JawLeft",))
    with pytest.raises(UserError, match="line 1: no column for EyeBlinkLeft"):
        read_recording(tmp_path / "a.csv")
