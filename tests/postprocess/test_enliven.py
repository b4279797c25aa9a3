"""The step on files: which sound goes with which curves, and what a csv looks like after it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, EYE, FACE, indices, read_csv, write_curves
from dataset.recordings.layouts import read_recording
from postprocess import enliven as script
from postprocess.chain import read_chain
from postprocess.life.enlivener import HEAD, LIVING, Enlivener, living_face
from tests.helpers import CAPTURES, DEMO, needs_shared

Main = Callable[..., None]
FRAMES = 60


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with in/ and wavs/ of two clips; upper faces are still, mouths noise."""
    values = np.zeros((FRAMES, len(ARKIT)))
    mouth = indices(ARKIT, FACE[:20])
    values[:, mouth] = np.random.default_rng(0).random((FRAMES, 20)).round(6)
    (tmp_path / "wavs").mkdir()
    for clip in ("en_001", "zh_001"):
        write_curves(tmp_path / "in" / f"{clip}.csv", values)
        shutil.copy(DEMO / "wav" / f"{clip}.flac", tmp_path / "wavs")
    return tmp_path


def words(clips: Path, *more: object) -> list[object]:
    return ["--input", clips / "in", "--output", clips / "out", "--wav_path", clips / "wavs", *more]


def test_a_folder_comes_alive_and_its_mouths_stay(clips: Path, run_main: Main, capsys: pytest.CaptureFixture) -> None:
    run_main(script, *words(clips, "--seed", 3))
    assert capsys.readouterr().out == f"enlivened 2 files, {2 * FRAMES} frames: {clips / 'out'}\n"
    for clip in ("en_001", "zh_001"):
        before, after = read_csv(clips / "in" / f"{clip}.csv"), read_csv(clips / "out" / f"{clip}.csv")
        assert after.header == (*ARKIT, *HEAD)
        np.testing.assert_array_equal(after.select(FACE[:20]), before.select(FACE[:20]))
        face = living_face(DEMO / "wav" / f"{clip}.flac", Enlivener(3, clip, 30.0), FRAMES)
        np.testing.assert_allclose(after.select(EYE), face[:, indices(LIVING, EYE)], atol=6e-7)
        angles = read_recording(clips / "out" / f"{clip}.csv").angles
        np.testing.assert_allclose(angles["HeadPitch"], face[:, LIVING.index("HeadPitch")], atol=6e-7)


def test_a_face_that_lives_is_left_to_the_letter(clips: Path, run_main: Main) -> None:
    run_main(script, *words(clips))
    again = ["--input", clips / "out", "--output", clips / "again", "--wav_path", clips / "wavs", "--seed", 9]
    run_main(script, *again)
    for clip in ("en_001", "zh_001"):
        assert (clips / "again" / f"{clip}.csv").read_bytes() == (clips / "out" / f"{clip}.csv").read_bytes()


@needs_shared(CAPTURES)
def test_a_capture_keeps_its_columns_and_its_eyes_and_gets_a_head(clips: Path, run_main: Main) -> None:
    take = CAPTURES / "alex_rom_3.csv"
    run_main(script, "--input", take, "--output", clips / "a.csv", "--wav_path", clips / "wavs" / "en_001.flac")
    before, after = read_csv(take), read_csv(clips / "a.csv")
    assert after.header == before.header
    np.testing.assert_array_equal(after.values, before.values)
    assert after.cells("Timecode") == before.cells("Timecode")
    assert np.ptp(read_recording(clips / "a.csv").angles["HeadYaw"]) > 0.02


def test_as_a_step_of_a_chain_with_a_mood_and_transcripts(clips: Path) -> None:
    config = clips / "post.yml"
    sounds, said = (clips / "wavs").as_posix(), (DEMO / "tsv").as_posix()
    config.write_text(
        f"steps: [{{enliven: {{wav_path: {sounds}, transcript_path: {said}, mood: 'joy:0.5', head: 0.0}}}}]"
    )
    (step,) = read_chain(config)
    assert step.done == "enlivened" and step.turns == HEAD
    assert {file.stem for file in step.reads} >= {"en_001", "zh_001"}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--blinks", "-1"], "--blinks -1: must be from 0 to 4"),
        (["--head", "nan"], "--head nan: must be from 0 to 4"),
        (["--mood", "jo"], "--mood jo: no mood called jo; did you mean joy?"),
        (["--fps", "0"], "--fps 0: must be more than 0"),
    ],
)
def test_refusals(clips: Path, more: list[str], line: str, refusal: Callable[..., str]) -> None:
    assert refusal(script, *words(clips, *more)) == line


def test_a_clip_without_its_sound_or_transcript_is_named(clips: Path, refusal: Callable[..., str]) -> None:
    (clips / "tsv").mkdir()
    shutil.copy(DEMO / "tsv" / "zh_001.tsv", clips / "tsv")
    said = refusal(script, *words(clips, "--transcript_path", clips / "tsv"))
    assert said == f"{clips / 'tsv'}: no transcript called en_001, which goes with {clips / 'in' / 'en_001.csv'}"
    (clips / "wavs" / "zh_001.flac").unlink()
    said = refusal(script, *words(clips))
    assert said == f"{clips / 'wavs'}: no sound called zh_001, which goes with {clips / 'in' / 'zh_001.csv'}"
