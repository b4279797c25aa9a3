"""Any folder of recordings to a corpus: what pairs, what is written, what is resumed, what is said of useless files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_process import facegood, pack, prepare
from data_process.doctor.sound_checks import hum_db
from data_process.pairs import find_clips
from dataset.audio import read_audio
from dataset.blendshapes import ANGLES, ARKIT, read_csv
from dataset.corpus import Corpus
from dataset.recordings.layout_writers import write_livelink
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.store import ClipStore
from tests.helpers import (
    CAPTURES,
    CASES,
    DEFAULT,
    FACEGOOD,
    MANDARIN_SPEECH,
    SHARED,
    TEXTGRIDS,
    launch,
    needs_case,
    needs_shared,
    printed_by,
    write_curve_csv,
    write_movie,
    write_sound,
)

RATE = 16_000
Make = Callable[[Path], object]


def sound(path: Path, seconds: float = 1.0, rate: int = RATE, channels: int = 1, level: float = 0.1) -> None:
    noise = np.random.default_rng(sum(path.stem.encode())).normal(0, level, (round(seconds * rate), channels))
    write_sound(path, noise.clip(-1, 1), rate)


def curves(path: Path, frames: int = 25) -> np.ndarray:
    """A csv of the 52 names without times."""
    return write_curve_csv(path, frames, seed=sum(path.stem.encode()))


def live_link(path: Path, frames: int = 30, fps: float = 30, level: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    angles = {name: np.full(frames, 0.01 * number) for number, name in enumerate(ANGLES)}
    values = np.full((frames, 52), level)
    write_livelink(path, Recording(ARKIT, values, np.arange(frames) / fps, fps, angles, "livelink", 3600.0))


def text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


class Raw:
    """A folder of recordings, and what prepare makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder / "raw", folder / "corpus"
        self.folder.mkdir()

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def prepare(self, *words: object) -> str:
        return printed_by(prepare, *self.words(), *words)

    def words(self) -> list[object]:
        return ["--source", self.folder, "--out", self.out, "--jobs", 1, "--fps", 25]

    def pairs(self) -> dict[str, tuple[str, ...]]:
        """Clip → its sound, curves, neutral pose and sentence, "" where there is none."""
        found = find_clips(self.folder)
        files = [(c.id, [c.sound, c.curves, c.neutral], c.sentence or "") for c in found.clips]
        return {
            clip: (*(file.relative_to(self.folder).as_posix() if file else "" for file in of), sentence)
            for clip, of, sentence in files
        }

    @property
    def log(self) -> list[str]:
        return (self.out / "prepare.log").read_text().splitlines()

    @property
    def report(self) -> dict[str, dict[str, dict[str, float]]]:
        document = json.loads((self.out / "prepare.json").read_text())
        assert document["fps"]
        return document["clips"]

    def files(self, folder: str) -> list[str]:
        return sorted(file.name for file in (self.out / folder).glob("*"))


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    return Raw(tmp_path)


# What pairs with what. A file's content tells sound and curves from transcripts only.

CSV = ",".join(ARKIT) + "\n" + ",".join(["0"] * 52) + "\n"
LAYOUTS: dict[str, tuple[dict[str, str], dict[str, tuple[str, ...]]]] = {
    "beside each other": (
        {"a.wav": "", "a.csv": CSV, "a.txt": "你好"},
        {"a": ("a.wav", "a.csv", "", "你好")},
    ),
    "in folders by kind": (
        {"wav/train/a.wav": "", "bs/a.csv": CSV, "text/a.lab": "hello"},
        {"a": ("wav/train/a.wav", "bs/a.csv", "", "hello")},
    ),
    "a folder a take": (
        {
            "take1/audio.wav": "", "take1/shapes.csv": CSV, "take2/audio.wav": "", "take2/shapes.csv": CSV,
            "take1.txt": "hello",
        },
        {
            "take1": ("take1/audio.wav", "take1/shapes.csv", "", "hello"),
            "take2": ("take2/audio.wav", "take2/shapes.csv", "", ""),
        },
    ),
    "a folder a take of each day": (
        {f"{day}/take1/{name}": CSV if name[-1] == "v" else "" for day in "ab" for name in ("x.flac", "y.csv")},
        {f"{day}_take1": (f"{day}/take1/x.flac", f"{day}/take1/y.csv", "", "") for day in "ab"},
    ),
    "endings that tell the kind": (
        {"talk.wav": "", "talk_blendshape_data.csv": CSV, "b_audio.wav": "", "b.csv": CSV, "c-voice.wav": "",
         "bs/C_curves.csv": CSV, "d_audio.wav": "", "e_arkit.csv": CSV},
        {"talk": ("talk.wav", "talk_blendshape_data.csv", "", ""), "b": ("b_audio.wav", "b.csv", "", ""),
         "c": ("c-voice.wav", "bs/C_curves.csv", "", ""), "d_audio": ("d_audio.wav", "", "", ""),
         "e_arkit": ("", "e_arkit.csv", "", "")},
    ),
    "a folder of takes that are not one": (
        {"s/take7.wav": "", "s/take8.csv": CSV, "t/x.wav": "", "t/y.csv": CSV, "t/z.csv": CSV, "m.wav": "",
         "n.csv": CSV},
        {"take7": ("s/take7.wav", "", "", ""), "take8": ("", "s/take8.csv", "", ""), "x": ("t/x.wav", "", "", ""),
         "y": ("", "t/y.csv", "", ""), "z": ("", "t/z.csv", "", ""), "m": ("m.wav", "", "", ""),
         "n": ("", "n.csv", "", "")},
    ),
    "case and zeros": (
        {"wav/A1.WAV": "", "bs/a001.CSV": CSV, "list.txt": "a01: hello\nA2: you"},
        {"A1": ("wav/A1.WAV", "bs/a001.CSV", "", "hello")},
    ),
    "a take in a folder": (
        {"20230301_Slate_1/Slate_1.mov": "", "20230301_Slate_1/Slate_1_raw.csv": CSV,
         "20230301_Slate_1/Slate_1_cal.csv": CSV, "20230301_Slate_1/Slate_1_neutral.csv": CSV,
         "20230301_Slate_1/take.json": "{}", "20230301_Slate_1/frame_log.csv": "V,0"},
        {"Slate_1": ("20230301_Slate_1/Slate_1.mov", "20230301_Slate_1/Slate_1_cal.csv",
                     "20230301_Slate_1/Slate_1_neutral.csv", "")},
    ),
    "a sound named as a take is": (
        {"a_raw.wav": "", "a_raw.csv": CSV, "b_raw.wav": ""},
        {"a": ("a_raw.wav", "a_raw.csv", "", ""), "b_raw": ("b_raw.wav", "", "", "")},
    ),
    "a sound file before the movie": (
        {"a.mov": "", "a.wav": "", "a.csv": CSV, "b/wav/b.wav": "", "b/b.csv": CSV, "b/mov/b.mp4": ""},
        {"a": ("a.wav", "a.csv", "", ""), "b": ("b/wav/b.wav", "b/b.csv", "", "")},
    ),
    "one name in several folders": (
        {f"{who}/{kind}": CSV for who in ("s1", "s2") for kind in ("wav/1.wav", "bs/1.csv")}
        | {"s1/1.txt": "one", "s2/1.txt": "two", "s1/bs/1_neutral.csv": CSV},
        {"s1_1": ("s1/wav/1.wav", "s1/bs/1.csv", "s1/bs/1_neutral.csv", "one"),
         "s2_1": ("s2/wav/1.wav", "s2/bs/1.csv", "", "two")},
    ),
    "folders by kind, then by speaker": (
        {f"{kind}/{who}/7.{suffix}": CSV for who in ("x", "y") for kind, suffix in (("wav", "flac"), ("bs", "csv"))},
        {"x_7": ("wav/x/7.flac", "bs/x/7.csv", "", ""), "y_7": ("wav/y/7.flac", "bs/y/7.csv", "", "")},
    ),
    "1 and 01 are two clips": (
        {"1.wav": "", "1.csv": CSV, "01.wav": "", "01.csv": CSV, "1.txt": "one", "01.txt": "two"},
        {"01": ("01.wav", "01.csv", "", "two"), "1": ("1.wav", "1.csv", "", "one")},
    ),
    "transcripts in a table": (
        {"a.wav": "", "a.csv": CSV, "words.csv": "file,text\na.wav,hello\n"},
        {"a": ("a.wav", "a.csv", "", "hello")},
    ),
    "alone": (
        {"a.wav": "", "b.csv": CSV, "c_neutral.csv": CSV},
        {"a": ("a.wav", "", "", ""), "b": ("", "b.csv", "", "")},
    ),
    "a corpus": (
        {"wav/a.wav": "", "bs/a.csv": CSV, "neutral/a.csv": CSV, "manifest.csv": "id,speaker\na,me\n",
         "prepare.json": "{}", "video.log": "", "neutral/b.csv": CSV, "wav/b.wav": "", "bs/b.csv": CSV},
        {"a": ("wav/a.wav", "bs/a.csv", "neutral/a.csv", ""), "b": ("wav/b.wav", "bs/b.csv", "neutral/b.csv", "")},
    ),
    "neutral is a name as any other": (
        {"neutral/a.csv": CSV, "neutral/a.wav": ""},
        {"a": ("neutral/a.wav", "neutral/a.csv", "", "")},
    ),
    "leftovers of file systems": (
        {"a.wav": "", "._a.wav": "", ".cache/a.wav": "", "__MACOSX/a.wav": "", "a.csv": CSV, "a.jpg": ""},
        {"a": ("a.wav", "a.csv", "", "")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs(raw: Raw, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    for name, content in files.items():
        text(raw / name, content)
    assert raw.pairs() == expected
    assert not find_clips(raw.folder).problems


def test_the_corpus_is_not_taken_for_recordings(raw: Raw) -> None:
    sound(raw / "a.wav")
    curves(raw / "a.csv")
    raw.out = raw / "corpus"
    raw.prepare()
    assert "1 clips (1 up to date)" in raw.prepare()


# What is written.


def test_of_a_corpus_the_first_seconds_keep_what_its_manifest_says(raw: Raw) -> None:
    for name in "ab":
        sound(raw / "wav" / f"{name}.wav", 3.0)
        curves(raw / "bs" / f"{name}.csv", 75)
    neutral = curves(raw / "neutral" / "a.csv", 1)
    row = {"speaker": "me", "uncaptured": "CheekPuff TongueOut", "calibrated": "JawOpen/0.69"}
    Corpus(raw.folder).write_manifest({"a": row, "gone": row})
    assert raw.prepare("--out_fps", 25, "--first_s", 2).startswith("prepared 2 clips (0 up to date): 2 with sound and")
    assert raw.log == []
    assert [len(read_csv(raw.out / "bs" / f"{name}.csv").values) for name in "ab"] == [50, 50]
    np.testing.assert_allclose(read_csv(raw.out / "neutral" / "a.csv").values, neutral, atol=1e-6)
    assert Corpus(raw.out).read_manifest() == {"a": {"id": "a", **row}}
    assert Corpus(raw.out).uncaptured() == {"a": ("CheekPuff", "TongueOut")}
    text(raw / "manifest.csv", "name,take\na,1\n")
    raw.prepare("--out_fps", 25, "--first_s", 1)
    assert raw.log == [
        f"{raw / 'manifest.csv'}, line 1: no column id; expected id, speaker and, if you like, split; left aside"
    ]


def test_a_pair_becomes_wav_csv_and_text(raw: Raw) -> None:
    sound(raw / "a.flac", 2.0, 44_100)
    values = curves(raw / "a.csv", 50)
    text(raw / "a.txt", "今天，天气很好。")
    said = raw.prepare()
    assert said.startswith("prepared 1 clips (0 up to date): 1 with sound and curves, 1 with text; 0.0 min, 0 failed\n")
    info = soundfile.info(raw.out / "wav" / "a.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (16_000, 1, "PCM_16", 32_000)
    np.testing.assert_allclose(read_audio(raw.out / "wav" / "a.wav"), read_audio(raw / "a.flac"), atol=2**-15)
    table = read_csv(raw.out / "bs" / "a.csv")
    assert table.header == ARKIT
    np.testing.assert_allclose(table.values, values, atol=1e-6)
    assert (raw.out / "text" / "a.txt").read_text() == "今天，天气很好。\n"
    assert raw.log == []
    assert raw.report["a"]["bs"]["source_fps"] == 25 and raw.report["a"]["sound"] == "a.flac"


def test_live_link_takes_come_at_the_rate_asked_for_with_their_angles_and_their_neutral_pose(raw: Raw) -> None:
    write_movie(raw / "a.mov", np.random.default_rng(0).normal(0, 0.1, (48_000 * 2, 1)))
    live_link(raw / "a_raw.csv", 60, level=0.2)
    live_link(raw / "a_cal.csv", 60, level=0.4)
    live_link(raw / "a_neutral.csv", 1, level=0.1)
    raw.prepare("--out_fps", 25)
    table = read_csv(raw.out / "bs" / "a.csv")
    assert table.header == (*ARKIT, *ANGLES)
    assert table.values.shape == (50, 52) and np.allclose(table.values, 0.4)
    assert {float(cell) for cell in table.cells("HeadPitch")} == {0.01}
    assert np.allclose(read_csv(raw.out / "neutral" / "a.csv").values, 0.1)
    assert len(read_audio(raw.out / "wav" / "a.wav")) == 32_000
    assert raw.report["a"]["bs"] | {"seconds": 2.0} == {
        "layout": "livelink", "source_fps": 30.0, "source_frames": 60, "seconds": 2.0, "dropped_frames": 0,
        "doubled_frames": 0, "percent": False, "frames": 50,
    }  # fmt: skip
    assert read_recording(raw.out / "bs" / "a.csv").frames == 50  # prepare reads what prepare wrote


def test_the_loudest_channel_or_the_one_that_is_told(raw: Raw) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (RATE, 3)) * [0.01, 0.2, 0.05]
    soundfile.write(raw / "a.wav", noise, RATE)
    levels = {}
    for channel in ("loudest", "1", "3", "mean"):
        raw.prepare("--channel", channel)
        levels[channel] = read_audio(raw.out / "wav" / "a.wav").std()
    assert levels == pytest.approx({"loudest": 0.2, "1": 0.01, "3": 0.05, "mean": 0.0689}, rel=0.05)
    raw.prepare()
    assert (raw.report["a"]["wav"]["channel"], raw.report["a"]["wav"]["channels"]) == (2, 3)


def test_what_is_wrong_with_sound_is_reported(raw: Raw) -> None:
    time_s = np.arange(4 * 48_000) / 48_000
    voice = np.sin(2 * np.pi * 210 * time_s) * (time_s < 3)
    noise = np.random.default_rng(0).normal(0, 0.01, len(time_s))
    soundfile.write(raw / "hum.wav", noise + 0.02 + 0.02 * np.sin(2 * np.pi * 50 * time_s), 48_000)
    soundfile.write(raw / "loud.wav", (1.5 * voice).clip(-0.9, 0.9), 48_000)
    said = raw.prepare()
    hum, loud = raw.report["hum"]["wav"], raw.report["loud"]["wav"]
    assert hum["dc_offset"] == pytest.approx(0.02, abs=1e-3) and hum["hum_db"] > 20
    assert hum["hum_db"] == pytest.approx(hum_db(read_audio(raw / "hum.wav")), abs=2)
    assert loud["clipped_share"] == pytest.approx((np.abs(1.5 * voice) >= 0.9).mean(), abs=0.01)
    assert loud["silent_share"] == pytest.approx(0.25, abs=0.02) and loud["peak"] == pytest.approx(0.9, abs=1e-3)
    assert " % (loud)" in said and "offset up to 0.02 (hum)" in said and "above its surroundings (hum)" in said


def test_sound_over_full_scale_is_scaled_to_fit_and_that_is_said(raw: Raw) -> None:
    wave = np.sin(2 * np.pi * 200 * np.arange(48_000) / 48_000)
    for name, rate, level in (("a", 16_000, 1.6), ("b", 48_000, 1.6), ("fits", 48_000, 1.0)):
        soundfile.write(raw / f"{name}.wav", level * wave[:rate], rate, subtype="FLOAT")
    raw.prepare()
    for name in ("a", "b"):
        written = read_audio(raw.out / "wav" / f"{name}.wav")
        assert np.abs(written).max() == pytest.approx(1, abs=1e-4) and (np.abs(written) > 0.999).mean() < 0.05
        measures = raw.report[name]["wav"]
        assert measures["scaled_by"] == pytest.approx(1 / 1.6, abs=0.01) and measures["peak"] == pytest.approx(
            1.6, abs=1e-3
        )
        line = f"{name}: its sound goes past full scale; written 4.1 dB quieter, to fit 16 bits"
        assert line in raw.log
    assert raw.report["fits"]["wav"]["scaled_by"] == 1 and not any("fits: its sound" in line for line in raw.log)


@needs_case("17-float-wav-over-full-scale")
def test_a_sine_over_full_scale_stays_a_sine(tmp_path: Path) -> None:
    source = CASES / "17-float-wav-over-full-scale" / "raw"
    printed_by(prepare, "--source", source, "--out", tmp_path / "corpus", "--jobs", 1)
    written, loud = read_audio(tmp_path / "corpus" / "wav" / "loud.wav"), soundfile.read(source / "loud.wav")[0]
    assert np.allclose(written, loud / np.abs(loud).max(), atol=1e-4) and np.abs(written).max() > 0.9999
    assert "written 4.1 dB quieter" in (tmp_path / "corpus" / "prepare.log").read_text()


@needs_case("11-one-folder-a-clip")
@pytest.mark.parametrize(("folder", "clips"), [("raw", ["take1", "take2"]), ("raw2", ["talk"])])
def test_a_folder_a_clip_and_endings_in_the_wild(tmp_path: Path, folder: str, clips: list[str]) -> None:
    source = CASES / "11-one-folder-a-clip" / folder
    printed_by(prepare, "--source", source, "--out", tmp_path, "--jobs", 1)
    for kind in ("wav", "bs"):
        assert sorted(file.stem for file in (tmp_path / kind).iterdir()) == clips


@needs_case("10-facecap-txt")
def test_a_face_cap_take_beside_its_sound_in_the_wild(tmp_path: Path) -> None:
    source = CASES / "10-facecap-txt" / "take"
    printed_by(prepare, "--source", source, "--out", tmp_path, "--jobs", 1, "--out_fps", 30)
    assert (tmp_path / "wav" / "take_01.wav").exists() and not (tmp_path / "text").exists()
    written = read_csv(tmp_path / "bs" / "take_01.csv")
    assert written.values.shape == (30, 52)
    assert written.values[1, list(written.names).index("JawOpen")] == pytest.approx(0.42, abs=0.01)


def test_a_face_cap_take_is_curves_and_no_transcript(raw: Raw) -> None:
    names = ",".join(name for name in ARKIT if name != "TongueOut")
    rows = "".join(f"k,{round(1000 * row / 60)},{','.join(['0.25'] * (10 + 51))}\n" for row in range(60))
    text(raw / "a.txt", f"info,2\nbs,{names}\n{rows}")
    sound(raw / "a.wav")
    text(raw / "said.txt", "a1 hello\na2 you")
    assert "1 with sound and curves" in raw.prepare()
    assert raw.files("bs") == ["a.csv"] and raw.files("text") == []


def test_one_file_that_no_reader_expects_leaves_the_good_ones(raw: Raw) -> None:
    for name in "abc":
        curves(raw / f"{name}.csv")
    text(raw / "d.json", '{"names": ["jawOpen"], "frames": [[1' + "0" * 400 + "]]}")
    assert "prepared 3 clips" in raw.prepare("--jobs", 2)
    assert raw.files("bs") == ["a.csv", "b.csv", "c.csv"]
    assert raw.log[0].startswith(f"d: {raw / 'd.json'}")


def test_what_is_alone_is_kept_and_listed(raw: Raw) -> None:
    sound(raw / "a.wav")
    curves(raw / "b.csv")
    text(raw / "c.txt", "nobody says this")
    curves(raw / "d_neutral.csv")
    said = raw.prepare()
    assert "prepared 2 clips (0 up to date): 1 with sound alone, 1 with curves alone; " in said
    assert raw.files("wav") == ["a.wav"] and raw.files("bs") == ["b.csv"]
    assert raw.log == [
        f"a: sound without curves ({raw / 'a.wav'})",
        f"a: would be a clip with {raw / 'b.csv'} if both had one name ({raw / 'a.wav'})",
        f"b: curves without sound ({raw / 'b.csv'})",
        f"c: transcript without a clip ({raw / 'c.txt'})",
        f"d: neutral pose without a clip ({raw / 'd_neutral.csv'})",
    ]


# Again.


def times(raw: Raw) -> dict[str, int]:
    files = [file for folder in ("wav", "bs", "text") for file in (raw.out / folder).glob("*")]
    return {file.relative_to(raw.out).as_posix(): file.stat().st_mtime_ns for file in files}


def test_what_is_up_to_date_is_passed_over(raw: Raw) -> None:
    for name in "abc":
        sound(raw / f"{name}.wav")
        curves(raw / f"{name}.csv")
        text(raw / f"{name}.txt", f"clip {name}")
    raw.prepare()
    before = times(raw)
    assert len(before) == 9
    assert "3 clips (3 up to date)" in raw.prepare("--jobs", 2)
    assert times(raw) == before
    curves(raw / "b.csv", 26)
    text(raw / "c.txt", "another sentence")
    (raw.out / "wav" / "a.wav").unlink()
    report = raw.report
    assert "3 clips (1 up to date)" in raw.prepare()
    after = times(raw)
    assert {name for name in after if after[name] != before[name]} == {
        "bs/b.csv", "wav/b.wav", "text/c.txt", "bs/a.csv", "wav/a.wav",
    }  # fmt: skip
    assert raw.report["c"] == report["c"] and raw.report["b"]["bs"]["frames"] == 26
    assert "3 clips (0 up to date)" in raw.prepare("--out_fps", 30)
    shutil.move(raw / "a.wav", raw.folder.parent)
    (raw / "a.csv").unlink()
    raw.prepare("--out_fps", 30)
    assert f"a: from an earlier run, its recording is gone; its files in {raw.out} are left" in raw.log


def test_two_launched_processes_share_the_clips(raw: Raw) -> None:
    for number in range(5):
        sound(raw / f"k{number}.wav", 0.3)
        curves(raw / f"k{number}.csv", 8)
        text(raw / f"k{number}.txt", f"number {number}")
    text(raw / "k3.csv", CSV.replace("0", "x"))
    first, second = launch(2, "-m", "data_process.prepare", *raw.words())
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (
        "prepared 4 clips (0 up to date): 4 with sound and curves, 4 with text; " in first.stdout
        and second.stdout == ""
    )
    assert len(raw.log) == 1 and raw.log[0].startswith("k3: ")
    assert sorted(raw.report) == ["k0", "k1", "k2", "k4"]
    assert len(raw.files("wav")) == len(raw.files("bs")) == 4 and len(raw.files("text")) == 5
    assert sorted(file.name for file in (raw.out / ".stages").iterdir()) == ["prepare"]
    assert "4 clips (4 up to date)" in raw.prepare()


def test_one_bad_file_among_a_hundred_good_ones(raw: Raw) -> None:
    for number in range(101):
        sound(raw / f"k{number:03}.wav", 0.1)
        curves(raw / f"k{number:03}.csv", 3)
    text(raw / "k050.wav", b"RIFF")
    with pytest.raises(Exception, match=r"k050.wav: "):
        raw.prepare("--strict")
    assert len(raw.files("wav")) == 50  # up to there
    said = raw.prepare("--jobs", 2)
    assert said.startswith("prepared 100 clips (50 up to date): 100 with sound and curves; 0.2 min, 1 failed: see ")
    assert len(raw.files("wav")) == len(raw.files("bs")) == 100
    assert len(raw.log) == 1 and raw.log[0].startswith(f"k050: {raw / 'k050.wav'}: ")


# Files that are of no use: each beside a good pair, and each its one line.


def header(*names: str) -> str:
    return ",".join(names) + "\n" + ",".join(["0"] * len(names)) + "\n"


def beginning(make: Make, name: str, share: float) -> Make:
    def cut(folder: Path) -> None:
        make(folder / name)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return cut


def file(name: str, content: str | bytes) -> Make:
    return lambda folder: text(folder / name, content)


def both(*makes: Make) -> Make:
    return lambda folder: [make(folder) for make in makes]


def nan_sound(folder: Path) -> None:
    soundfile.write(folder / "x.wav", np.full(RATE, np.nan), RATE, "FLOAT")


PCM_MOVIE = beginning(lambda path: write_movie(path, np.zeros((48_000, 1))), "x.mov", 0.5)
MALFORMED: dict[str, tuple[Make, str]] = {
    "an empty wav": (file("x.wav", ""), "x: {raw}/x.wav: empty file"),
    "a wav of text": (file("x.wav", "hello"), "x: {raw}/x.wav: cannot be read as sound: "),
    "a wav without samples": (lambda folder: sound(folder / "x.wav", 0), "x: {raw}/x.wav: holds no samples"),
    "half a wav": (beginning(sound, "x.wav", 0.5), "x: {raw}/x.wav: truncated: 50% of the promised sound"),
    "a wav's head": (beginning(sound, "x.wav", 0.0005), "x: {raw}/x.wav: truncated before any sound"),
    "half a flac": (beginning(sound, "x.flac", 0.5), "x: {raw}/x.flac: "),
    "NaN": (nan_sound, "x: {raw}/x.wav: holds NaN or infinite samples"),
    "an mp3 of zeros": (file("x.mp3", bytes(999)), "x: {raw}/x.mp3: cannot be read as sound: "),
    "an empty mov": (file("x.mov", ""), "x: {raw}/x.mov: empty file"),
    "a mov of text": (file("x.mov", "hello"), "x: {raw}/x.mov: its sound track cannot be read: "),
    "half a mov": (PCM_MOVIE, "x: {raw}/x.mov: its sound track cannot be read: "),
    "a silent movie": (lambda folder: write_movie(folder / "x.mp4", None), "x: {raw}/x.mp4: has no sound track"),
    "an m4a of zeros": (file("x.m4a", bytes(999)), "x: {raw}/x.m4a: its sound track cannot be read: "),
    "a movie and no curves of use": (
        both(lambda folder: write_movie(folder / "x.mov", np.zeros((48_000, 1))), file("x.csv", "hello\n1\n")),
        'x: {raw}/x.csv, line 1: "hello" is no ARKit blendshape',
    ),
    "an empty csv": (file("x.csv", ""), "x: {raw}/x.csv: empty file"),
    "a csv without frames": (file("x.csv", header(*ARKIT).split("\n")[0]), "x: {raw}/x.csv: a header but no frames"),
    "a csv that lacks a channel": (
        file("x.csv", header(*ARKIT[1:])),
        "x: {raw}/x.csv, line 1: no column for EyeBlinkLeft",
    ),
    "a csv of other bytes": (file("x.csv", b"\xff\xfe\x00\xd8" * 9), "x: {raw}/x.csv: not a csv text file in UTF-8"),
    "a json of text": (file("x.json", "hello"), "x: {raw}/x.json"),
    "a json about something else": (file("x.json", '{"version": 1}'), "x: {raw}/x.json"),
    "an npy without names": (
        lambda folder: np.save(folder / "x.npy", np.zeros((9, 52))),
        "x: {raw}/x.npy: no names of its channels",
    ),
    "an npy of text": (
        both(file("x.npy", "hello"), file("x_names.txt", "\n".join(ARKIT))),
        "x: {raw}/x.npy: not an npy array",
    ),
    "times that run back": (
        file("x.csv", ",".join([*ARKIT, "time"]) + "".join(f"\n{'0,' * 52}{time}" for time in (0, 2, 1))),
        "x: {raw}/x.csv, line 4: time runs back",
    ),
    "an empty neutral pose": (
        both(lambda folder: curves(folder / "x.csv"), file("x_neutral.csv", "")),
        "x: {raw}/x_neutral.csv: empty file",
    ),
    "two sounds": (
        both(lambda folder: sound(folder / "x.wav"), lambda folder: sound(folder / "x.flac")),
        "x: {raw}/x.wav could be its sound as well as {raw}/x.flac; keep one of them",
    ),
    "two curves": (
        both(
            lambda folder: curves(folder / "x.csv"),
            lambda folder: np.save(folder / "x.npy", np.zeros((9, 52))),
            file("names.txt", "\n".join(ARKIT)),
        ),
        "x: {raw}/x.npy: the same clip as {raw}/x.csv; keep one of them",
    ),
    "curves in two folders": (
        both(
            lambda folder: sound(folder / "x.wav"),
            lambda folder: curves(folder / "1" / "x.csv"),
            lambda folder: curves(folder / "2" / "x.csv"),
        ),
        "x: {raw}/x.wav has several partners; put it beside the one it is for",
    ),
    "an empty transcript": (file("good.txt", ""), "{raw}/good.txt: empty file"),
    "a docx of text": (file("good.docx", "hello"), "{raw}/good.docx"),
    "a list with a name twice": (
        file("list.txt", "good: a\ngood: b\n"),
        '{raw}/list.txt, line 2: "good" comes a second',
    ),
    "two transcripts": (
        both(file("good.txt", "one"), file("good.lab", "two")),
        "good: {raw}/good.txt could be of several clips",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", MALFORMED)
def test_a_file_of_no_use_is_one_line_and_the_good_clip_is_there(raw: Raw, wrong: str) -> None:
    sound(raw / "good.wav")
    curves(raw / "good.csv")
    make, line = MALFORMED[wrong]
    make(raw.folder)
    said = raw.prepare()
    expected = line.format(raw=raw.folder)
    told = [logged for logged in raw.log if logged.startswith(expected)]
    assert len(told) == 1, raw.log
    assert "prepared 1 clips" in said and " failed: see " in said and ", 0 failed" not in said
    assert raw.files("wav") == ["good.wav"] and raw.files("bs") == ["good.csv"]
    with pytest.raises(Exception, match=r"x|good|list") as caught:
        raw.prepare("--strict")
    assert expected.removeprefix("x: ").removeprefix("good: ")[:40] in str(caught.value)


def test_commands_that_make_no_sense(raw: Raw, refusal: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(prepare, "--source", raw / "none", "--out", raw.out) == f"{raw / 'none'}: no such folder"
    assert refusal(prepare, "--source", raw.folder, "--out", raw.out).startswith(f"{raw.folder}: no recording in it; ")
    sound(raw / "a.wav")
    for out in (raw.folder, raw.folder.parent):
        line = refusal(prepare, "--source", raw.folder, "--out", out)
        assert line == f"{out}: the recordings are in there; give the corpus a folder of its own"
    values = curves(raw / "a.csv", 30)
    line = refusal(prepare, "--source", raw.folder, "--out", raw.out, "--jobs", 1)
    assert line == (
        f"{raw.folder}: no clip could be prepared; the first: a: {raw / 'a.csv'}: nothing tells its frame rate; "
        f"its {len(values)} frames beside 1.00 s of sound make 30.00 a second: say --fps 30"
    )
    for words in (("--channel", "0"), ("--channel", "left"), ("--out_fps", "0"), ("--out_fps", "nan"), ("--jobs", "0")):
        with pytest.raises(SystemExit):
            raw.prepare(*words)
        assert f"argument {words[0]}: invalid" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        raw.prepare("--source_fps", "30")
    assert capsys.readouterr().err.startswith("error: --source_fps is now --fps; see ")
    raw.prepare()
    line = refusal(prepare, "--source", raw.folder, "--out", raw.out, "--fps", 30, "--channel", 2, "--jobs", 1)
    assert line.endswith("a.wav: has 1 channel(s), and no channel 2; they count from 1")


# Real recordings.


@needs_shared(SHARED)
def test_real_recordings_all_the_way_into_a_database(raw: Raw, run_main: Callable[..., None]) -> None:
    shutil.copytree(CAPTURES, raw / "livelink")
    shutil.copytree(MANDARIN_SPEECH, raw / "aishell")
    shutil.copytree(TEXTGRIDS, raw / "textgrid")
    facegood.convert(FACEGOOD, raw / "facegood")
    for clip in ("1114_2_01", "1114_2_02", "1114_2_03", "1114_2_04"):  # one is enough
        (raw / "facegood" / "wav" / f"{clip}.wav").unlink()
        (raw / "facegood" / "bs" / f"{clip}.csv").unlink()
    first = raw.prepare("--fps", 30)
    assert "9 clips (0 up to date): 1 with sound and curves, 6 with sound alone, 2 with curves alone, " in first
    assert f"alex_rom_3: curves without sound ({raw / 'livelink' / 'alex_rom_3.csv'})" in raw.log
    captures = {clip: raw / "livelink" / f"{clip}.csv" for clip in ("alex_rom_3", "alex_rom_4")}
    rows = {clip: len(file.read_text().splitlines()) - 1 for clip, file in captures.items()}
    for clip, frames in rows.items():
        sound(raw / "livelink" / f"{clip}.wav", raw.report[clip]["bs"]["seconds"])
        assert raw.report[clip]["bs"]["source_fps"] == 30 and raw.report[clip]["bs"]["source_frames"] == frames
        seconds, dropped = raw.report[clip]["bs"]["seconds"], raw.report[clip]["bs"]["dropped_frames"]
        assert seconds == pytest.approx((frames + dropped) / 30, abs=1 / 30)
        table = read_csv(raw.out / "bs" / f"{clip}.csv")
        assert table.header == (*ARKIT, *ANGLES) and len(table.values) == round(seconds * 25)
    assert "9 clips (7 up to date): 3 with sound and curves, 6 with sound alone" in raw.prepare("--fps", 30)
    aishell = raw.report["aishell-BAC009S0724W0121"]
    assert aishell["wav"]["seconds"] == pytest.approx(4.281, abs=0.001)
    assert (raw.out / "text" / "aishell-BAC009S0724W0121.txt").read_text() == "广州市房地产中介协会分析\n"
    assert raw.report["1114_3_15"]["bs"]["frames"] == round(1472 * 25 / 30)
    lmdb = raw.out / "clips.lmdb"
    run_main(pack, "--config", DEFAULT, f"data.corpus={raw.out}", f"data.lmdb={lmdb}",
             "data.fps=25", "data.split.by=none")  # fmt: skip
    assert {clip.id for clip in ClipStore(lmdb).clips} == {"1114_3_15", *rows}


def test_the_first_seconds_alone(raw: Raw) -> None:
    """To the sample and the frame at the rate asked for; a shorter recording is whole, and no sentence is kept."""
    for name, seconds in (("long", 2.0), ("short", 0.5)):
        sound(raw / f"{name}.wav", seconds)
        live_link(raw / f"{name}.csv", round(60 * seconds), 60)
        text(raw / f"{name}.txt", "你好")
    raw.prepare("--out_fps", 30, "--first_s", 1.3)
    for name, seconds in (("long", 1.3), ("short", 0.5)):
        assert len(read_audio(raw.out / "wav" / f"{name}.wav")) == round(seconds * RATE)
        assert read_csv(raw.out / "bs" / f"{name}.csv").values.shape == (round(seconds * 30), 52)
    assert not (raw.out / "text").exists()
    before = read_audio(raw.out / "wav" / "long.wav")
    raw.prepare("--out_fps", 30)
    np.testing.assert_array_equal(read_audio(raw.out / "wav" / "long.wav")[: len(before)], before)
