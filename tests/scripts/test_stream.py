"""The command that sends a face as its voice is heard."""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.places import SHIPPED
from dataset.blendshapes import FACE, read_curves, write_curves
from dataset.recordings.layouts import read_recording
from model.streaming import StreamingSynthesizer
from postprocess.smooth import smooth
from scripts import stream
from tests.helpers import CAPTURES, CAUSAL, DEMO, ROOT, needs_shared, posix_only, random_curves, write_speech
from tests.receivers import UdpEar, read_live_link
from tests.sound_devices import SoundDevices

Main = Callable[..., None]
Refusal = Callable[..., str]
Said = pytest.CaptureFixture[str]
STREAM: tuple[str, ...] = (sys.executable, str(ROOT / "scripts" / "stream.py"))


def test_a_wav_as_fast_as_it_goes_has_the_curves_of_synthesize(tmp_path: Path, run_main: Main) -> None:
    from model.synthesis import Synthesizer

    wav, out = DEMO / "wav" / "en_001.flac", tmp_path / "out.csv"
    run_main(stream, "--wav_path", wav, "--ckpt_path", SHIPPED, "--no_pace", "--to", f"csv:{out}")
    synthesizer = Synthesizer()
    expected = synthesizer.synthesize(wav).clip(0, 1)
    np.testing.assert_allclose(read_curves(out, synthesizer.channels), expected, atol=1e-6)
    assert read_recording(out).fps == 30


@pytest.fixture
def live(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint(*CAUSAL)


@pytest.mark.parametrize("lookahead_ms", ["40", None])
def test_a_stream_tells_the_curves_of_the_whole_file(
    lookahead_ms: str | None, live: Path, tmp_path: Path, run_main: Main
) -> None:
    from model.synthesis import Synthesizer

    wav, out, asked = tmp_path / "a.wav", tmp_path / "out.jsonl", ("--lookahead_ms", lookahead_ms)
    write_speech(wav, 1.0)
    words = ("--wav_path", wav, "--ckpt_path", live, *(asked if lookahead_ms else ()), "--no_pace")
    run_main(stream, *words, "--to", f"jsonl:{out}", "--to", f"csv:{tmp_path / 'out.csv'}")
    synthesizer, ms = Synthesizer(live), float(lookahead_ms or 100)
    expected = synthesizer.synthesize(wav, lookahead_ms=ms).clip(0, 1)
    sent = read_recording(tmp_path / "out.csv").at_rate(synthesizer.fps)
    assert abs(sent.frames - len(expected)) <= 1
    header = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert ms - 20 < header["lookahead_ms"] <= ms


@pytest.mark.parametrize("source", ["--mic", "--pcm=-"])
def test_live_sound_wants_a_checkpoint_that_streams(source: str, refusal: Refusal) -> None:
    said = refusal(stream, source, "--ckpt_path", SHIPPED, "--to", "csv:a.csv")
    assert said == f"{SHIPPED}: hears whole windows, which only a --wav_path has; one of config/live.yml streams"


def test_pcm_says_the_same_as_its_wav(live: Path, tmp_path: Path, run_main: Main) -> None:
    import soundfile

    wav, pcm = tmp_path / "a.wav", tmp_path / "a.pcm"
    write_speech(wav, 1.0)
    pcm.write_bytes(soundfile.read(wav, dtype="int16")[0].astype("<i2").tobytes())
    for source, place in ((("--wav_path", wav), "wav.csv"), (("--pcm", pcm), "pcm.csv")):
        run_main(stream, *source, "--ckpt_path", live, "--no_pace", "--to", f"csv:{tmp_path / place}")
    assert (tmp_path / "wav.csv").read_bytes() == (tmp_path / "pcm.csv").read_bytes()


@pytest.mark.parametrize(("rate", "more_ms"), [(16_000, 0), (24_000, 4), (4_000, 8)])
def test_what_resampling_waits_for_is_in_the_lookahead(
    rate: int, more_ms: int, live: Path, tmp_path: Path, run_main: Main, capsys: Said
) -> None:
    pcm, out = tmp_path / "a.pcm", tmp_path / "out.jsonl"
    pcm.write_bytes(bytes(rate))  # half a second
    run_main(stream, "--pcm", pcm, "--rate", rate, "--ckpt_path", live, "--no_pace", "--to", f"jsonl:{out}")
    alone_ms = StreamingSynthesizer(live, lookahead_ms=100).lookahead_ms
    header = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert header["lookahead_ms"] == alone_ms + more_ms
    added = f", {more_ms} ms of it by bringing the sound to 16 kHz" if more_ms else ""
    assert capsys.readouterr().err.splitlines()[0] == f"look-ahead {alone_ms + more_ms:.0f} ms{added}"


@pytest.mark.parametrize(("source", "more_ms"), [({"serve": "ws://127.0.0.1:1"}, 4), ({"mic": ""}, 4), ({}, 0)])
def test_an_agent_and_a_microphone_wait_for_resampling_too_and_no_file(
    source: dict[str, str], more_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    SoundDevices(rate=48_000).install(monkeypatch)
    given: dict[str, str | None] = {"serve": None, "mic": None, "pcm": None, **source}
    assert stream.resampling_ms_of(argparse.Namespace(**given)) == more_ms


def test_recorded_curves_when_their_sound_is_heard(tmp_path: Path, run_main: Main, capsys: Said) -> None:
    """Paced, to several places; a csv has each frame once, whatever was held before and after."""
    curves, ear = random_curves(12), UdpEar()
    write_curves(tmp_path / "take.csv", curves)
    write_speech(tmp_path / "take.wav", 0.4)
    out, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    places = ("--to", f"livelink://127.0.0.1:{ear.port}", "--to", f"csv:{out}", "--to", f"jsonl:{lines}")
    words = ("--csv", tmp_path / "take.csv", "--wav_path", tmp_path / "take.wav", "--subject", "ada", *places)
    run_main(stream, *words)
    np.testing.assert_allclose(read_curves(out), curves, atol=1e-6)
    heard = list(map(read_live_link, ear.packets()))
    assert {packet.subject for packet in heard} == {"ada"}
    assert any(np.allclose(packet.values[:52], curves[11], atol=1e-6) for packet in heard)  # a busy machine skips some
    assert not heard[-1].values.any()
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > len(heard)
    assert "frames in" in capsys.readouterr().err


def test_a_stream_is_post_processed_as_its_file_is(live: Path, tmp_path: Path, run_main: Main, capsys: Said) -> None:
    wav, config = tmp_path / "a.wav", tmp_path / "post.yml"
    write_speech(wav, 1.0)
    config.write_text("steps: [deflate, {smooth: {window: 5, order: 2}}, enliven]")
    words = ("--wav_path", wav, "--ckpt_path", live, "--lookahead_ms", 200, "--no_pace", "--to")
    run_main(stream, *words, f"csv:{tmp_path / 'plain.csv'}")
    capsys.readouterr()
    run_main(stream, *words, f"csv:{tmp_path / 'out.csv'}", "--config", config, "--seed", 5)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"{config}, step 1: is left out of a live face: deflate takes the range")
    assert told[1] == f"look-ahead 279 ms, 80 ms of it by {config}"  # two frames at 25 a second
    plain, changed = read_recording(tmp_path / "plain.csv"), read_recording(tmp_path / "out.csv")
    mouth = FACE[:20]
    expected = smooth(plain.at_rate(25).select(mouth), 5, 2).clip(0, 1)
    np.testing.assert_allclose(changed.at_rate(25).select(mouth)[2:-2], expected[2:-2], atol=0.02)
    assert np.ptp(changed.angles["HeadYaw"]) > 0


@needs_shared(CAPTURES)
def test_a_capture_keeps_its_angles(tmp_path: Path, run_main: Main) -> None:
    whole = sorted(CAPTURES.glob("*.csv"))[0].read_text(encoding="utf-8")
    capture = tmp_path / "capture.csv"
    capture.write_text("".join(whole.splitlines(keepends=True)[:301]), encoding="utf-8")
    run_main(stream, "--csv", capture, "--no_pace", "--to", f"csv:{tmp_path / 'out.csv'}")
    sent, source = read_recording(tmp_path / "out.csv"), read_recording(capture)
    even = source.at_rate(30.0)
    assert abs(sent.frames - even.frames) <= 1
    frames = min(sent.frames, even.frames) - 1
    for name, angle in even.angles.items():
        np.testing.assert_allclose(sent.angles[name][:frames], angle[:frames], atol=0.02)


@posix_only
def test_ctrl_c_keeps_a_whole_csv(tmp_path: Path) -> None:
    write_curves(tmp_path / "long.csv", random_curves(3000))
    command = [
        sys.executable,
        str(ROOT / "scripts" / "stream.py"),
        "--csv",
        "long.csv",
        "--to",
        "csv:out.csv",
        "--to",
        "jsonl:-",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    heard = list(itertools.islice((line for line in process.stdout if '"values":[0.0,0.0,' not in line), 5))
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=20)
    assert process.returncode == 130 and said == "stopped\n"
    assert json.loads((heard + rest.splitlines())[-1])["values"] == [0.0] * 52  # at rest
    assert 3 <= read_recording(tmp_path / "out.csv").frames < 3000


@posix_only
def test_a_reader_that_goes_away_ends_it(tmp_path: Path) -> None:
    write_curves(tmp_path / "long.csv", random_curves(3000))
    command = [*STREAM, "--csv", "long.csv", "--no_pace", "--to", "jsonl:-"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_source_that_fails_midway_says_so(tmp_path: Path, refusal: Refusal) -> None:
    assert (
        refusal(stream, "--csv", "none.csv", "--to", f"csv:{tmp_path / 'a.csv'}")
        == "none.csv: No such file or directory"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "",
            "no source: give one of --wav_path, --mic, --pcm, --serve and --csv (which may have",
        ),
        ("--mic --pcm -", "--mic and --pcm: give only one of --wav_path, --mic, --pcm, --serve and --csv"),
        ("--csv a.csv --audio_delay_ms -1", "--audio_delay_ms -1: must be from 0 to 5000"),
        ("--csv a.csv --config a.yml", "--config: changes what is made of sound; python -m postprocess.chain changes"),
        ("--mic --seed 3", "--seed: is of a step that --config lists, such as enliven"),
        ("--csv a.csv --to csv:a.csv", "a.csv: is a source too; write to another place with --to"),
        ("--csv a.csv --to jsonl:b --to csv:b", "b: would be written twice, by --to; give each a name of its own"),
        ("--csv a.csv --to b.csv", "--to b.csv: no place that frames go to"),
    ],
)
def test_what_makes_no_sense(words: str, line: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(stream, *words.split(), "--to", "vmc://127.0.0.1").startswith(line)


def test_listening_to_other_machines_is_said(run_main: Main, capsys: Said, tmp_path: Path) -> None:
    write_curves(tmp_path / "a.csv", random_curves(3))
    run_main(stream, "--csv", tmp_path / "a.csv", "--no_pace", "--host", "0.0.0.0", "--to", f"jsonl:{os.devnull}")
    assert "--host 0.0.0.0: other machines may reach what listens here\n" in capsys.readouterr().err
