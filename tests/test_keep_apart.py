"""No command writes over what it reads: each is asked to, in each way that it could be."""

import importlib
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from config.files import csv_named, files_in, keep_apart
from dataset.blendshapes import ARKIT, write_curves
from dataset.transcript import Word, write_tsv
from postprocess.face.heads import DEFAULT_HEAD
from tests.helpers import DEMO, posix_only, refused, run_main

SOURCE = "{}: is a source too; write to another place with {}"
CALL_IT = "{} {}: curves are written as csv; call it {}"
SMOOTH, ENSEMBLE = "postprocess.smooth", "postprocess.ensemble"
RENDER, EVALUATE = "scripts.render --csv a.csv", "scripts.evaluate --predictions csvs --targets bs"
DOCTOR = "data_process.doctor.__main__ --corpus ."
ROWS = [
    ("scripts.synthesize --wav_path a.wav --out_path a.wav", CALL_IT.format("--out_path", "a.wav", "a.csv")),
    ("scripts.synthesize --wav_path a.wav --out_path b.MP3", CALL_IT.format("--out_path", "b.MP3", "b.csv")),
    ("scripts.synthesize --wav_path a.wav --out_path m.safetensors",
        CALL_IT.format("--out_path", "m.safetensors", "m.csv")),
    ("scripts.synthesize --wav_path a.wav --transcript_path w.txt --out_path w.txt",
        SOURCE.format("w.txt", "--out_path")),
    ("scripts.synthesize --wav_path a.wav --style_from a.csv", SOURCE.format("a.csv", "--out_path")),
    ("scripts.synthesize --wav_path a.wav --out_path b.csv --style_from a.csv --style_out a.csv",
        SOURCE.format("a.csv", "--style_out")),
    (f"{SMOOTH} --input a.csv --output a.csv", SOURCE.format("a.csv", "--output")),
    (f"{SMOOTH} --input a.csv --output csvs/../a.csv", SOURCE.format("csvs/../a.csv", "--output")),
    (f"{SMOOTH} --input a.csv --output .", SOURCE.format("a.csv", "--output")),
    (f"{SMOOTH} --input csvs --output csvs", SOURCE.format("csvs/a.csv", "--output")),
    (f"{SMOOTH} --input a.csv --output a.wav", CALL_IT.format("--output", "a.wav", "a.csv")),
    (f"{SMOOTH} --input a.csv --output a.json", CALL_IT.format("--output", "a.json", "a.csv")),
    ("postprocess.symmetrise --input csvs --output csvs", SOURCE.format("csvs/a.csv", "--output")),
    ("postprocess.deflate --input csvs --output csvs", SOURCE.format("csvs/a.csv", "--output")),
    ("postprocess.gain --input a.csv --table gain.txt --output gain.txt", SOURCE.format("gain.txt", "--output")),
    ("postprocess.add_eye --input csvs --eyes bs --output bs", SOURCE.format("bs/a.csv", "--output")),
    ("postprocess.enliven --input a.csv --wav_path wav --transcript_path w.txt --output w.txt",
        SOURCE.format("w.txt", "--output")),
    ("postprocess.close_lips --input a.csv --transcript_path w.txt --output a.csv", SOURCE.format("a.csv", "--output")),
    ("postprocess.chain --config chain.txt --input a.csv --output chain.txt", SOURCE.format("chain.txt", "--output")),
    (f"{ENSEMBLE} --input csvs bs --output csvs", SOURCE.format("csvs/a.csv", "--output")),
    (f"{ENSEMBLE} --input csvs bs --output bs", SOURCE.format("bs/a.csv", "--output")),
    (f"{ENSEMBLE} --input csvs bs --weights auto --targets captures --output captures",
        SOURCE.format("captures/a.csv", "--output")),
    ("scripts.plot --csv a.csv --wav a.png --out_path a.png", SOURCE.format("a.png", "--out_path")),
    ("scripts.plot --csv a.csv --wav a.wav --target a.png", SOURCE.format("a.png", "--out_path")),
    (f"{RENDER} --wav a.mp4 --out a.mp4", SOURCE.format("a.mp4", "--out")),
    (f"{RENDER} --transcript_path a.png --sheet a.png", SOURCE.format("a.png", "--sheet")),
    (f"{RENDER} --sheet b.png --targets b.png",
        "b.png: would be written twice, by --sheet and --targets; give each a name of its own"),
    ("scripts.view --csv a.csv --wav a.html --out a.html", SOURCE.format("a.html", "--out")),
    ("scripts.blender_render --csv a.csv --head a.blend --save a.blend", SOURCE.format("a.blend", "--save")),
    ("scripts.export a.csv --to arkit --out a.csv", SOURCE.format("a.csv", "--out")),
    ("scripts.export a.csv --to glb --head a.glb", SOURCE.format("a.glb", "--out")),
    ("scripts.stream --csv a.csv --to csv:a.csv", SOURCE.format("a.csv", "--to")),
    ("scripts.stream --wav_path a.wav --to jsonl:a.wav", SOURCE.format("a.wav", "--to")),
    ("scripts.stream --pcm a.bin --to csv:a.bin", SOURCE.format("a.bin", "--to")),
    ("scripts.stream --csv a.csv --to csv:a.png", CALL_IT.format("--to", "a.png", "a.csv")),
    (f"{EVALUATE} --json bs/a.csv", SOURCE.format("bs/a.csv", "--json")),
    (f"{EVALUATE} --report csvs/a.csv", SOURCE.format("csvs/a.csv", "--report")),
    (f"{EVALUATE} --wavs wav --json wav/a.wav", SOURCE.format("wav/a.wav", "--json")),
    (f"{EVALUATE} --stats stats.json --json stats.json", SOURCE.format("stats.json", "--json")),
    (f"{EVALUATE} --ids w.txt --json w.txt", SOURCE.format("w.txt", "--json")),
    (f"{EVALUATE} --json r.html --report r.html",
        "r.html: would be written twice, by --json and --report; give each a name of its own"),
    ("scripts.import_reference a.bin a.bin", SOURCE.format("a.bin", "target")),
    ("scripts.import_reference stats.json mine.safetensors", SOURCE.format("stats.json", "the stats beside it")),
    (f"{DOCTOR} --json bs/a.csv", SOURCE.format("bs/a.csv", "--json")),
    (f"{DOCTOR} --html wav/a.wav", SOURCE.format("wav/a.wav", "--html")),
    (f"{DOCTOR} --json manifest.csv", SOURCE.format("manifest.csv", "--json")),
    ("data_process.facegood --source . --out .", SOURCE.format(".", "--out")),
    ("data_process.video.__main__ --source a.mp4 --out a.mp4", SOURCE.format("a.mp4", "--out")),
    ("scripts.closed_loop --tracker a.bin --out a.bin", SOURCE.format("a.bin", "--out")),
    ("postprocess.face.ict_head --source . --out a.obj", SOURCE.format("a.obj", "--out")),
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file of each kind."""
    monkeypatch.chdir(tmp_path)
    curves = np.random.default_rng(0).random((30, len(ARKIT)))
    for name in ("a.csv", "csvs/a.csv", "bs/a.csv", "captures/a.csv"):
        write_curves(tmp_path / name, curves := np.roll(curves, 1))
    (tmp_path / "wav").mkdir()
    for name in ("a.wav", "wav/a.wav"):
        shutil.copy(next((DEMO / "wav").iterdir()), tmp_path / name)
    write_tsv(tmp_path / "w.txt", [Word("hello", 0.0, 0.2)])
    (tmp_path / "gain.txt").write_text("JawOpen: {gain: 1.1}\n", encoding="utf-8")
    (tmp_path / "chain.txt").write_text("steps: [smooth]\n", encoding="utf-8")
    (tmp_path / "a.glb").write_bytes(DEFAULT_HEAD.read_bytes())
    for name in ("a.png", "a.mp4", "a.html", "a.blend", "a.bin", "a.obj", "stats.json", "manifest.csv"):
        (tmp_path / name).write_text("precious", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("command", "line"), ROWS, ids=[command for command, _ in ROWS])
def test_no_command_writes_over_what_it_reads(place: Path, command: str, line: str) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    module, *words = shlex.split(command)
    assert refused(run_main, importlib.import_module(module), *words) == line
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@posix_only
def test_links_are_followed(place: Path) -> None:
    Path("link.csv").symlink_to("a.csv")
    Path("folder").symlink_to("csvs")
    Path("hard.csv").hardlink_to("a.csv")
    for module, words, file in (
        (SMOOTH, ["--input", "a.csv", "--output", "link.csv"], "link.csv"),
        (SMOOTH, ["--input", "a.csv", "--output", "hard.csv"], "hard.csv"),
        (SMOOTH, ["--input", "csvs", "--output", "folder"], "folder/a.csv"),
    ):
        assert refused(run_main, importlib.import_module(module), *words) == SOURCE.format(file, "--output")


def test_what_is_apart_passes(tmp_path: Path) -> None:
    keep_apart([tmp_path / "a", None], [("--out", tmp_path / "b"), ("--json", None), ("--html", tmp_path / "c")])


@pytest.mark.parametrize("name", ["a", "a.csv", "a.CSV", "a.txt", "take_1.5"])
def test_names_that_a_csv_may_have(name: str) -> None:
    assert csv_named(Path(name)) == Path(name)


def test_files_that_a_command_would_read(tmp_path: Path) -> None:
    for name in ("a.CSV", "b.json", "c.html"):
        (tmp_path / name).touch()
    assert sorted(file.name for file in files_in(tmp_path, (".csv", ".json"))) == ["a.CSV", "b.json"]
    assert files_in(tmp_path / "c.html", (".csv",)) == [tmp_path / "c.html"]
    assert files_in(None, (".csv",)) == []
