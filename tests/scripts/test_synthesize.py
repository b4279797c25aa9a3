import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import torch

from config.load import ROOT
from config.units import SAMPLE_RATE, frame_count
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, EYE, FACE, read_csv
from dataset.recordings.resample import resample_curves
from model import synthesis
from model.checkpoint import load_checkpoint, load_decoder, save_checkpoint
from model.encoders import build_encoder
from model.speech_encoder import encode_clip, encode_windows
from postprocess.life.enlivener import HEAD
from scripts import synthesize
from tests.helpers import posix_only

WINDOW = 20  # frames, as trained by the fixtures

Make = Callable[..., Path]
Speech = Callable[..., np.ndarray]


@pytest.fixture
def run(tmp_path: Path, run_main: Callable[..., None]) -> Callable[..., np.ndarray]:
    """Synthesize by the command; what its csv holds, (frames, 52)."""

    def command(checkpoint: Path, wav: Path, *words: object) -> np.ndarray:
        out = tmp_path / "out.csv"
        run_main(synthesize, "--ckpt_path", checkpoint, "--wav_path", wav, "--out_path", out, *words)
        table = read_csv(out)
        assert table.header == ARKIT
        return table.values

    return command


@pytest.mark.parametrize("seconds", [0.5, 1.6, 2.3])
@pytest.mark.parametrize("context", ["clip", "window"])
def test_no_overlap_is_plain_concatenation_of_windows(
    context: str, seconds: float, make_checkpoint: Make, speech: Speech, tmp_path: Path,
    run: Callable[..., np.ndarray], packed: Path,
) -> None:  # fmt: skip
    """By hand: the last window zero-padded, domain b, cut to the sound, denormalised, placed by name."""
    speech(tmp_path / "a.wav", seconds)
    checkpoint = make_checkpoint(f"features.context={context}")
    header, decoder = load_decoder(checkpoint)
    encoder, frames = build_encoder(header.config.features, 25), frame_count(round(seconds * SAMPLE_RATE), 25)
    count = -(-frames // WINDOW)
    samples = WINDOW * SAMPLE_RATE // 25
    audio = torch.from_numpy(read_audio(tmp_path / "a.wav"))
    audio = torch.nn.functional.pad(audio, (0, count * samples - len(audio)))
    if context == "window":
        features = encode_windows(encoder, audio.reshape(count, samples), WINDOW, 25)
    else:
        features = encode_clip(encoder, audio, 25).reshape(count, WINDOW, -1)
    normalised = decoder(features, torch.ones(count, dtype=torch.long)).reshape(-1, len(FACE))[:frames].numpy()
    stats = header.stats.select(FACE)
    written = run(checkpoint, tmp_path / "a.wav", "--overlap", 0, "--domain", "b", "--no_clamp")
    assert normalised.std() > 0.1
    columns = [ARKIT.index(name) for name in FACE]
    np.testing.assert_allclose(written[:, columns], normalised * stats.std + stats.mean, atol=2e-6)
    assert not np.delete(written, columns, axis=1).any(), "channels that are not trained are 0"


@pytest.mark.parametrize(("name", "domain"), [("hello", "a"), ("a7", "a"), ("b7", "b")])
def test_a_wavs_name_says_its_domain_and_the_first_is_the_default(
    name: str, domain: str, make_checkpoint: Make, speech: Speech, tmp_path: Path, run: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoint, wav = make_checkpoint(), tmp_path / f"{name}.wav"
    speech(wav, 1.0)
    chosen = {given: run(checkpoint, wav, "--domain", given) for given in ("a", "b")}
    assert np.abs(chosen["a"] - chosen["b"]).max() > 1e-3
    assert "domain by" not in capsys.readouterr().out
    np.testing.assert_array_equal(run(checkpoint, wav), chosen[domain])
    said = capsys.readouterr().out.splitlines()[:-1]
    line = f"domain by the name of the clip: {domain} (1); --domain says otherwise"
    assert said == ([] if name == "hello" else [line])


def test_one_domain_is_not_worth_a_word(
    make_checkpoint: Make, packed: Path, run: Callable[..., np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_checkpoint('data.domains=[{name: all, clips: ["*"], weight: 1.0}]')
    run(checkpoint, packed.parent / "wav" / "a1.wav")
    assert "domain by" not in capsys.readouterr().out


def test_the_old_name_of_out_fps(capsys: pytest.CaptureFixture[str], run_main: Callable[..., None]) -> None:
    with pytest.raises(SystemExit):
        run_main(synthesize, "--wav_path", "a.wav", "--fps", 60)
    assert "error: --fps is now --out_fps" in capsys.readouterr().err


def test_other_frame_rates_are_resampled_and_values_clamped(
    make_checkpoint: Make, speech: Speech, tmp_path: Path, run: Callable[..., np.ndarray]
) -> None:
    speech(tmp_path / "a.wav", 3.37)
    header, tensors, _ = load_checkpoint(make_checkpoint())
    tensors["model.head.linear.weight"] *= 20
    checkpoint = tmp_path / "loud.safetensors"
    save_checkpoint(checkpoint, header, tensors)
    plain = run(checkpoint, tmp_path / "a.wav", "--no_clamp")
    assert plain.min() < -0.1 and plain.max() > 1.1
    np.testing.assert_array_equal(run(checkpoint, tmp_path / "a.wav"), plain.clip(0, 1))
    for fps, frames in ((60, 202), (29.97, 101), (12.5, 42)):
        expected = resample_curves(plain, 25, fps, frames)
        got = run(checkpoint, tmp_path / "a.wav", "--no_clamp", "--out_fps", fps)
        np.testing.assert_allclose(got, expected, atol=2e-6)
        clamped = run(checkpoint, tmp_path / "a.wav", "--out_fps", fps)
        np.testing.assert_array_equal(clamped, got.clip(0, 1))


def test_a_living_face_keeps_its_mouth_and_turns_its_head(
    make_checkpoint: Make, speech: Speech, tmp_path: Path, run: Callable[..., np.ndarray], run_main: Callable[..., None]
) -> None:
    speech(tmp_path / "a.wav", 2.0)
    checkpoint = make_checkpoint()
    plain = run(checkpoint, tmp_path / "a.wav", "--out_fps", 50)
    words = ["--ckpt_path", checkpoint, "--wav_path", tmp_path / "a.wav", "--out_path", tmp_path / "b.csv", "--enliven"]
    run_main(synthesize, *words, "--out_fps", 50)
    living = read_csv(tmp_path / "b.csv")
    assert living.header == (*ARKIT, *HEAD)
    mouth = [name for name in FACE if not name.startswith("Brow")]
    np.testing.assert_array_equal(living.select(tuple(mouth)), plain[:, [ARKIT.index(name) for name in mouth]])
    assert np.ptp(living.select(EYE), axis=0).max() > 0.01
    assert np.ptp(np.array(living.cells("HeadPitch"), float)) > 1e-3
    run_main(synthesize, *words, "--out_fps", 50, "--seed", 0)
    np.testing.assert_array_equal(read_csv(tmp_path / "b.csv").values, living.values)
    run_main(synthesize, *words, "--out_fps", 50, "--seed", 3)
    assert np.abs(read_csv(tmp_path / "b.csv").select(EYE) - living.select(EYE)).max() > 0.01


def test_a_folder_with_one_bad_file_among_good_ones(
    make_checkpoint: Make, speech: Speech, tmp_path: Path, run_main: Callable[..., None],
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from config.errors import UserError

    wavs, checkpoint = tmp_path / "wavs", make_checkpoint()
    for name, seconds in (("a", 1.0), ("c", 2.0)):
        speech(wavs / f"{name}.wav", seconds)
    (wavs / "b.wav").write_bytes(b"RIFF no sound")
    (wavs / "notes.txt").write_text("not mine")
    loads = Mock(wraps=synthesis.build_encoder)
    monkeypatch.setattr(synthesis, "build_encoder", loads)
    with pytest.raises(UserError) as error:
        run_main(synthesize, "--ckpt_path", checkpoint, "--wav_path", wavs, "--out_path", tmp_path / "csvs")
    first, last = str(error.value).splitlines()
    assert first.startswith(f"{wavs}/b.wav: ") and last == "1 of 3 failed"
    assert sorted(path.name for path in (tmp_path / "csvs").iterdir()) == ["a.csv", "c.csv"]
    assert [len(read_csv(tmp_path / "csvs" / name).values) for name in ("a.csv", "c.csv")] == [25, 50]
    assert "c.csv: 50 frames at 25 fps, 0." in capsys.readouterr().out and loads.call_count == 1


def test_where_csvs_go(make_checkpoint: Make, speech: Speech, tmp_path: Path, run_main: Callable[..., None],
                       refusal: Callable[..., str]) -> None:  # fmt: skip
    checkpoint, wav = make_checkpoint(), tmp_path / "wavs" / "a.wav"
    speech(wav, 0.5)
    common = ("--ckpt_path", checkpoint, "--wav_path")
    run_main(synthesize, *common, wav)
    run_main(synthesize, *common, wav.parent)
    run_main(synthesize, *common, wav, "--out_path", tmp_path / "new" / "other.csv")
    run_main(synthesize, *common, wav, "--out_path", tmp_path / "new")
    run_main(synthesize, *common, wav, "--out_path", tmp_path / "newer")
    run_main(synthesize, *common, wav, "--out_path", tmp_path / "take_1.5")
    run_main(synthesize, *common, wav.parent, "--out_path", tmp_path / "newest")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")} == {
        "wavs/a.csv", "new/other.csv", "new/a.csv", "newer/a.csv", "take_1.5/a.csv", "newest/a.csv"}  # fmt: skip
    line = refusal(synthesize, *common, wav, "--out_path", tmp_path / "a.json")
    assert line == f"--out_path {tmp_path}/a.json: curves are written as csv; call it a.csv"
    line = refusal(synthesize, *common, wav.parent, "--out_path", tmp_path / "b.csv")
    assert line == f"--out_path {tmp_path}/b.csv: {wav.parent} is a folder, so this must be one too"
    soundfile.write(wav.with_suffix(".flac"), np.zeros(1600), SAMPLE_RATE)
    assert "has the same stem as" in refusal(synthesize, *common, wav.parent)


def test_transcripts(make_checkpoint: Make, speech: Speech, tmp_path: Path, run: Callable[..., np.ndarray],
                     run_main: Callable[..., None], refusal: Callable[..., str]) -> None:  # fmt: skip
    checkpoint, wav = make_checkpoint(), tmp_path / "wavs" / "a.wav"
    speech(wav, 2.0)
    own, others, late = (tmp_path / name / "a.tsv" for name in ("own", "none", "late"))
    for folder, text in ((own, "0.1\t0.5\t你\n0.5\t1.9\t好\n"), (late, "0.1\t0.5\t你\n2.5\t3\t好\n")):
        folder.parent.mkdir()
        folder.write_text(text, encoding="utf-8")
    without = run(checkpoint, wav)
    for given in (own, own.parent):
        np.testing.assert_array_equal(run(checkpoint, wav, "--transcript_path", given), without)
    common = ("--ckpt_path", checkpoint, "--transcript_path")
    run_main(synthesize, *common, own.parent, "--wav_path", wav.parent)
    line = refusal(synthesize, *common, late, "--wav_path", wav)
    assert 'late/a.tsv: "好" starts at 2.5 s, but the sound ends at 2.00 s; is this another recording' in line
    others.parent.mkdir()
    assert "none: no .tsv file in this folder" in refusal(synthesize, *common, others.parent, "--wav_path", wav)
    (others.parent / "b.tsv").write_text("0\t1\tb\n")
    for sound in (wav, wav.parent):
        assert f"none: no a.tsv for {wav}" in refusal(synthesize, *common, others.parent, "--wav_path", sound)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--ckpt_path", "none.safetensors"), "none.safetensors: no such checkpoint"),
        (("--wav_path", "none.wav"), "none.wav: no such file or folder"),
        (("--wav_path", "."), ".: no .wav or .flac or .ogg or .mp3 file in this folder"),
        (("--wav_path", "click.flac"), "click.flac: 0.010 s of sound is less than one frame"),
        (("--domain", "c"), "--domain c: the checkpoint knows a, b"),
        (("--seed", "7"), "--seed: is of the face that --enliven gives"),
        (("--overlap", "20"), "--overlap 20: must be from 0 to 19 frames"),
        (("--overlap", "-1"), "--overlap -1: must be from 0 to 19 frames"),
        (("--out_fps", "0"), "--out_fps 0: must be above 0 and at most 240"),
        (("--out_fps", "nan"), "--out_fps nan: must be above 0 and at most 240"),
        (("--out_fps", "1000"), "--out_fps 1000: must be above 0 and at most 240"),
        (("--device", "abacus"), "--device abacus: there is none here; --device cpu always works"),
        (("--device", "cuda:99"), "--device cuda:99: there is none here; --device cpu always works"),
    ],
)
def test_refusals(words: tuple[str, str], reason: str, make_checkpoint: Make, packed: Path, tmp_path: Path,
                  refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if "click.flac" in words:
        soundfile.write("click.flac", np.zeros(160), SAMPLE_RATE)
    standard = {"--ckpt_path": str(make_checkpoint()), "--wav_path": str(packed.parent / "wav" / "a1.wav")}
    arguments = standard | {"--out_path": "out.csv"} | dict([words])
    if arguments["--wav_path"] == ".":
        del arguments["--out_path"]
    assert refusal(synthesize, *(word for pair in arguments.items() for word in pair)) == reason
    assert not Path("out.csv").exists()


def test_a_wrong_option_is_said_once_for_a_folder(
    make_checkpoint: Make, speech: Speech, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    for name in "abc":
        speech(tmp_path / "wavs" / f"{name}.wav", 0.2)
    line = refusal(synthesize, "--ckpt_path", make_checkpoint(), "--wav_path", tmp_path / "wavs", "--domain", "c")
    assert line == "--domain c: the checkpoint knows a, b"


MEASURE = """
import json, resource, sys
from postprocess.life.enlivener import HEAD
from scripts import synthesize
checkpoint, *wavs = sys.argv[1:]
peaks = []
for wav in wavs:
    sys.argv = ["synthesize", "--ckpt_path", checkpoint, "--wav_path", wav, "--device", "cpu"]
    synthesize.main()
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps(peaks))
"""


@posix_only
def test_memory_does_not_grow_with_the_sound(make_checkpoint: Make, speech: Speech, tmp_path: Path) -> None:
    """Twenty minutes after one: 77 MB of samples, 125 MB of features or 100 MB of csv cells would show."""
    full_size = "features.logmel={bands: 80, steps_per_frame: 3, context_steps: 6}"
    checkpoint = make_checkpoint(full_size, "features.chunk_s=2.0")  # small pieces, so that the peak shows the rest
    speech(tmp_path / "short.wav", 60.0)
    with soundfile.SoundFile(tmp_path / "long.wav", "w", SAMPLE_RATE, 1) as file:
        minute = read_audio(tmp_path / "short.wav")
        for _ in range(20):
            file.write(minute)
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, str(checkpoint), str(tmp_path / "short.wav"), str(tmp_path / "long.wav")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    short, long = json.loads(ended.stdout.splitlines()[-1])
    assert len(read_csv(tmp_path / "long.csv").values) == 30000
    assert long - short < 24 * 1024, f"{(long - short) / 1024:.0f} MB more"  # ru_maxrss is in KB
