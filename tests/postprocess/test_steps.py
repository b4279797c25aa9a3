import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from dataset.blendshapes import ARKIT, FACE, write_curves
from dataset.recordings.layouts import read_recording
from postprocess import add_eye, close_lips, ensemble, smooth
from postprocess.step_command import settings_of, step_command
from postprocess.steps import Channels, Fps, InputPath, Step
from tests.helpers import CAPTURES, needs_shared


def moving(fps: float, seconds: float = 2.0) -> np.ndarray:
    """(frames, 52), each channel at a pace of its own, as a camera of so many frames a second sees it."""
    time_s = np.arange(round(seconds * fps))[:, None] / fps
    return 0.4 + 0.3 * np.sin(2 * np.pi * time_s * np.linspace(0.5, 2, 52))


def write_json(path: Path, values: np.ndarray, **more: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"names": ARKIT, "frames": values.tolist(), **more}))


def test_every_layout_goes_in_and_csv_comes_out(
    tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    values = moving(50)
    write_json(tmp_path / "in" / "a.json", values, fps=50)
    np.save(tmp_path / "in" / "b.npy", values)
    (tmp_path / "in" / "b_names.txt").write_text("\n".join(ARKIT))
    write_curves(tmp_path / "in" / "c.csv", values)
    run_main(smooth, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert capsys.readouterr().out == f"smoothed 3 files, 300 frames: {tmp_path / 'out'}\n"
    written = {path.name: read_recording(path) for path in sorted((tmp_path / "out").iterdir())}
    assert list(written) == ["a.csv", "b.csv", "c.csv"]
    for one in written.values():
        np.testing.assert_allclose(one.select(FACE), smooth.smooth(values[:, 14:51]), atol=2e-6)
    assert [one.fps for one in written.values()] == [50, None, None]
    header = (tmp_path / "out" / "a.csv").read_text().split("\n")[0].split(",")
    assert header == ["time_s", *ARKIT]


def test_one_file_is_not_written_as_what_it_is_not(
    tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]
) -> None:
    random_csv(tmp_path / "a.csv", 9)
    line = refusal(smooth, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.json")
    assert line == f"--output {tmp_path / 'b.json'}: curves are written as csv; call it b.csv"


def test_lips_close_by_the_clock_of_a_recording(tmp_path: Path, run_main: Callable[..., None]) -> None:
    values, kept = moving(50, 1), [i for i in range(50) if i not in (5, 6, 7)]
    write_json(tmp_path / "a.json", values[kept], fps=50, times_s=[i / 50 for i in kept])
    (tmp_path / "a.tsv").write_text("0.4\t0.6\t妈\n")
    words = ["--transcript_path", tmp_path / "a.tsv", "--fps", "25", "--reach", "0", "--share", "1"]
    run_main(close_lips, "--input", tmp_path / "a.json", "--output", tmp_path / "b.csv", *words)
    changed = (read_recording(tmp_path / "b.csv").select(("JawOpen",)) < values[kept, 17:18] - 1e-5)[:, 0]
    closed = np.array(kept)[changed] / 50
    assert closed.min() == pytest.approx(0.4)
    assert closed.max() < 0.6


def test_eyes_of_another_rate_come_by_time(
    tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "eyes.json", moving(60), fps=60)
    write_curves(tmp_path / "a.csv", np.zeros((40, 52)))
    words = ["--eyes", tmp_path / "eyes.json", "--fps", "20"]
    run_main(add_eye, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", *words)
    assert capsys.readouterr().out.startswith("a (40 frames): eyes of eyes (40 frames)\n")
    found = read_recording(tmp_path / "b.csv").values
    np.testing.assert_allclose(found[2:-4, :14], moving(20)[2:-4, :14], atol=0.01)
    assert not found[:, 14:].any()


def test_inputs_of_two_rates_are_not_mixed(tmp_path: Path, refusal: Callable[..., str]) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_json(one, moving(50), fps=50)
    write_json(two, moving(25, 4), fps=25)
    line = refusal(ensemble, "--input", one, two, "--output", tmp_path / "out.csv")
    assert line == f"{two}: 25 frames a second, but {one} has 50"


def test_weights_are_fitted_to_targets_of_another_rate(
    tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "right" / "a.json", moving(25), fps=25)
    write_json(tmp_path / "wrong" / "a.json", moving(25)[::-1], fps=25)
    write_json(tmp_path / "bs" / "a.json", moving(50), fps=50)
    words = ["--weights", "auto", "--targets", tmp_path / "bs", "--output", tmp_path / "out"]
    run_main(ensemble, "--input", tmp_path / "wrong", tmp_path / "right", *words)
    right = next(line for line in capsys.readouterr().out.splitlines() if "right" in line)
    assert float(right.split()[-1]) > 0.99


@needs_shared(CAPTURES)
def test_live_link_columns_stay_to_the_letter_beside_what_changes(
    tmp_path: Path, run_main: Callable[..., None]
) -> None:
    file = sorted(CAPTURES.glob("*.csv"))[0]
    run_main(smooth, "--input", file, "--output", tmp_path / "b.csv", "--channels", "JawOpen")
    before, after = ([row.split(",") for row in path.read_text().splitlines()] for path in (file, tmp_path / "b.csv"))
    jaw = [name.lower() for name in before[0]].index("jawopen")
    assert [row[:jaw] + row[jaw + 1 :] for row in before] == [row[:jaw] + row[jaw + 1 :] for row in after]
    assert [row[jaw] for row in before] != [row[jaw] for row in after]


def prepare(
    table: dict[str, float],
    path: Annotated[InputPath | None, Field(description="a file, 100 % yours")] = None,
    by: Literal["mean", "max"] = "mean",
    flag: bool = False,
    numbers: list[float | Literal["auto"]] | None = None,
    channels: Channels = None,
    fps: Fps = 30.0,
) -> Step:
    """A step of every kind of setting, which says what it is given."""
    print([table, path, by, flag, numbers, channels, fps])
    return Step("left", ("JawOpen",), lambda part: part.curves)


def test_a_signature_is_a_command_line(
    tmp_path: Path, random_csv: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    random_csv(tmp_path / "a.csv", 3)
    (tmp_path / "t.yml").write_text("JawOpen: 0.5\n")

    def run(*words: object) -> str:
        monkeypatch.setattr("sys.argv", ["step", *map(str, words)])
        step_command("A step.", "step", prepare)
        return capsys.readouterr().out.splitlines()[0]

    files = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--table", tmp_path / "t.yml"]
    assert run(*files) == "[{'JawOpen': 0.5}, None, 'mean', False, None, None, 30.0]"
    more = ["--by", "max", "--flag", "--numbers", "0.5", "auto", "--channels", "jaw", "brow", "--fps", "25"]
    assert run(*files, *more) == "[{'JawOpen': 0.5}, None, 'max', True, [0.5, 'auto'], ['jaw', 'brow'], 25.0]"
    assert run(*files, "--path", "a/b").split(", ")[1].endswith("Path('a/b')")
    for words, said in [
        (["--by", "min"], "argument --by: invalid choice: 'min'"),
        (["--numbers", "x"], "argument --numbers: invalid number value: 'x'"),
        (["--fps", "x"], "argument --fps: invalid float value: 'x'"),
    ]:
        with pytest.raises(SystemExit):
            run(*files, *words)
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "--path PATH a file, 100 % yours" in shown
    assert "frames a second of files that tell none (default: 30.0)" in shown


def test_settings_know_paths_and_tables() -> None:
    settings = {setting.name: setting for setting in settings_of(prepare)}
    assert [name for name, setting in settings.items() if setting.is_path] == ["path"]
    assert [name for name, setting in settings.items() if setting.is_mapping] == ["table"]
