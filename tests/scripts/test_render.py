from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import matplotlib.image
import numpy as np
import PIL.Image
import pytest
import soundfile

from dataset.blendshapes import ARKIT, write_curves
from dataset.recordings.layout_writers import write_json, write_livelink
from dataset.recordings.layouts import read_recording
from postprocess.face.gltf import write_head
from postprocess.face.mesh import Head, Part
from postprocess.film.stills import CAPTION, GAP
from scripts import render as script

FPS, RATE = 25, 16_000
STEP = 20  # the frame at which the jaw opens and the click sounds
FRAMES = 40


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright card whose dark flap comes down as the jaw opens."""

    def card(name: str, half: float, z: float, shade: float, offsets: dict[str, np.ndarray]) -> Part:
        corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)
        colours = np.full((4, 3), shade, np.float32)
        return Part(name, corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), colours, offsets=offsets)

    falls = {"JawOpen": np.full((4, 3), (0, -0.05, 0), np.float32)}
    path = tmp_path_factory.mktemp("head") / "card.glb"
    write_head(path, Head((card("face", 0.1, 0, 0.5, {}), card("jaw", 0.04, 0.005, 0.02, falls))))
    return path


@pytest.fixture
def clip(tmp_path: Path, head: Path) -> list[object]:
    """Curves and sound as arguments: the jaw opens at frame STEP, and a click sounds where that frame begins."""
    values = np.zeros((FRAMES, len(ARKIT)))
    values[STEP:, ARKIT.index("JawOpen")] = 1
    write_curves(tmp_path / "a.csv", values)
    sound = np.zeros(FRAMES * RATE // FPS)
    sound[STEP * RATE // FPS] = 0.9
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    return ["--csv", tmp_path / "a.csv", "--wav", tmp_path / "a.wav", "--fps", FPS, "--head", head, "--size", 64]


@dataclass
class Movie:
    """An mp4 as a player sees it."""

    pictures: np.ndarray  # (frames, height, width, 3)
    times_s: list[float]
    sound: np.ndarray  # (samples,)
    sound_start_s: float
    sound_rate: int
    duration_s: float
    codecs: tuple[str, ...]
    pixels: str | None


def play(path: Path) -> Movie:
    with av.open(str(path)) as movie:
        video = movie.streams.video[0]
        frames = list(movie.decode(video))
        codecs = tuple(stream.codec_context.name for stream in movie.streams)
        times_s = [float(frame.time) for frame in frames if frame.time is not None]
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
        duration_s = (movie.duration or 0) / av.time_base
        pixels = video.codec_context.pix_fmt
    pieces, start_s, rate = [np.zeros(0, np.float32)], 0.0, 1
    with av.open(str(path)) as movie:
        if movie.streams.audio:
            heard = list(movie.decode(movie.streams.audio[0]))
            start_s, rate = float(heard[0].time or 0), heard[0].sample_rate
            pieces = [frame.to_ndarray()[0] for frame in heard]
    return Movie(pictures, times_s, np.concatenate(pieces), start_s, rate, duration_s, codecs, pixels)


def jump(movie: Movie) -> float:
    """When the picture changes most, in seconds."""
    change = np.abs(np.diff(movie.pictures.astype(int), axis=0)).mean(axis=(1, 2, 3))
    return movie.times_s[int(change.argmax()) + 1]


def test_a_movie_has_every_frame_and_its_sound_in_time(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "a.mp4"
    run_main(script, *clip, "--out", out)
    movie = play(out)
    assert movie.pictures.shape == (FRAMES, 64, 64, 3)
    assert movie.codecs == ("h264", "aac")
    assert movie.pixels == "yuv420p"
    np.testing.assert_allclose(movie.times_s, np.arange(FRAMES) / FPS, atol=1e-4)
    assert movie.duration_s == pytest.approx(FRAMES / FPS, abs=1 / FPS)
    click_s = movie.sound_start_s + float(np.abs(movie.sound).argmax()) / movie.sound_rate
    assert jump(movie) == pytest.approx(STEP / FPS, abs=1e-4)
    assert click_s == pytest.approx(STEP / FPS, abs=0.005)  # an eighth of a frame
    line = capsys.readouterr().out
    start = f"{out}: {FRAMES} frames of 64×64 at 25 fps, 1.60 s with {clip[3]}; drawn and encoded at "
    assert line.startswith(start)
    assert line.endswith(" frames a second\n")
    assert [path.name for path in out.parent.iterdir()] == ["a.mp4"]
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # so that a browser begins before the end has come


def test_colours_come_through(tmp_path: Path, clip: list[object], run_main: Callable[..., None]) -> None:
    """A player that takes BT.709 at its word shows what the contact sheet shows."""
    run_main(script, *clip, "--out", tmp_path / "a.mp4", "--sheet", tmp_path / "a.png", "--times", "0")
    with av.open(str(tmp_path / "a.mp4")) as movie:
        frame = next(movie.decode(movie.streams.video[0]))
        assert int(frame.colorspace) == 1
        shown = frame.reformat(format="rgb24", src_colorspace="itu709").to_ndarray().astype(int)
    sheet = (matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round().astype(int)
    assert np.abs(shown[:, 6:58] - sheet[GAP : GAP + 64, GAP : GAP + 52]).mean() < 3


@pytest.mark.parametrize(("layout", "frames", "rate"), [("json", 48, 30.0), ("livelink", 32, 20.0)])
def test_any_layout_and_rate_becomes_a_constant_one(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], layout: str, frames: int, rate: float
) -> None:
    source = tmp_path / ("b.json" if layout == "json" else "b.csv")
    write = write_json if layout == "json" else write_livelink
    write(source, replace(read_recording(tmp_path / "a.csv"), fps=FPS, times_s=np.arange(FRAMES) / FPS))
    run_main(script, "--csv", source, *clip[2:4], *clip[6:], "--out", tmp_path / "b.mp4", "--out_fps", rate)
    movie = play(tmp_path / "b.mp4")
    assert len(movie.pictures) == frames
    np.testing.assert_allclose(movie.times_s, np.arange(frames) / rate, atol=1e-4)
    assert jump(movie) == pytest.approx(STEP / FPS, abs=1 / rate)


def test_curves_stand_side_by_side_below_their_names(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None]
) -> None:
    still = tmp_path / "still.csv"
    write_curves(still, np.zeros((FRAMES, len(ARKIT))))
    common = [*clip[4:8], "--size", "97", "--out"]
    run_main(script, *clip[:2], "--csv", still, "--label", "target", "prediction", *common, tmp_path / "a.mp4")
    run_main(script, *clip[:2], still, *common, tmp_path / "b.mp4")
    labelled, plain = play(tmp_path / "a.mp4"), play(tmp_path / "b.mp4")
    assert labelled.pictures.shape == plain.pictures.shape == (FRAMES, 98, 196, 3)  # even, as yuv420p must be
    assert labelled.codecs == ("h264",)
    left, right = plain.pictures[..., :98, :].astype(int), plain.pictures[..., 98:, :].astype(int)
    assert np.abs(left - right)[: STEP - 1].mean() < 2
    assert np.abs(left - right)[STEP:].mean() > 4
    written = np.abs(labelled.pictures[0].astype(int) - plain.pictures[0]).max(axis=2) > 60
    assert written[80:, :98].any()
    assert written[80:, 98:].any()
    assert not written[:80].any()


def test_the_last_pose_is_held_until_the_sound_ends(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(2 * RATE), RATE)
    run_main(script, *clip, "--wav", tmp_path / "long.wav", "--out", tmp_path / "a.mp4")
    movie = play(tmp_path / "a.mp4")
    assert len(movie.pictures) == 50
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{clip[1]} lasts 1.60 s at 25 fps, {tmp_path / 'long.wav'} 2.00 s: is --fps right?"


def test_what_the_head_lacks_is_named(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.zeros((5, len(ARKIT)))
    values[:, ARKIT.index("BrowInnerUp")] = 0.4
    values[:, ARKIT.index("CheekPuff")] = 0.05  # not seen on any head
    write_curves(tmp_path / "brow.csv", values)
    run_main(script, "--csv", tmp_path / "brow.csv", *clip[6:], "--sheet", tmp_path / "a.png")
    note, line = capsys.readouterr().out.splitlines()
    assert note == f"{clip[7]}: has no BrowInnerUp, so what moves there is not seen"
    assert line == f"{tmp_path / 'a.png'}: 12 moments of 0.17 s"


def test_a_sheet_shows_the_moments_and_the_token_being_said(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None]
) -> None:
    (tmp_path / "a.tsv").write_text("0.1\t0.5\tgood\n0.9\t1.3\tday\n")
    sheet = [*clip, "--sheet", tmp_path / "a.png", "--times", "0.2", "1.2"]
    run_main(script, *sheet, "--size", "120", "--transcript_path", tmp_path / "a.tsv")
    spoken = matplotlib.image.imread(tmp_path / "a.png")[..., :3]
    run_main(script, *sheet, "--size", "120")
    plain = matplotlib.image.imread(tmp_path / "a.png")[..., :3]
    assert spoken.shape == (GAP + 120 + CAPTION + GAP, GAP + 2 * (96 + GAP), 3)
    closed, opened = plain[GAP : GAP + 120, GAP : GAP + 96], plain[GAP : GAP + 120, 2 * GAP + 96 : -GAP]
    assert np.abs(closed - opened).max() > 0.2
    differs = (spoken != plain).any(axis=2)
    assert differs[GAP + 120 :].any()
    assert not differs[: GAP + 120].any()


def test_what_no_font_can_write_is_said(
    tmp_path: Path,
    clip: list[object],
    run_main: Callable[..., None],
    refusal: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("footage", "releases"):
        monkeypatch.setattr(f"postprocess.film.{module}.can_write", str.isascii)
    (tmp_path / "a.tsv").write_text("0.1\t0.5\t你\n", encoding="utf-8")
    run_main(script, *clip, "--sheet", tmp_path / "a.png", "--transcript_path", tmp_path / "a.tsv")
    line = capsys.readouterr().out
    assert line.endswith("1.60 s; without the tokens, for no installed font has all their characters\n")
    said = refusal(script, *clip, "--label", "你", "--out", tmp_path / "a.mp4")
    assert said == "--label 你: no installed font has all its characters"


def test_a_gif_loops_over_the_whole_clip(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *clip, "--gif", tmp_path / "a.gif")
    with PIL.Image.open(tmp_path / "a.gif") as loop:
        loop.seek(1)  # frames that stay the same are one
        assert loop.size == (52, 64)
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'a.gif'}: 20 frames at 12.5 fps, ")


def test_every_target_is_on_the_sheet(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *clip[6:], "--targets", tmp_path / "a.png")
    sheet = matplotlib.image.imread(tmp_path / "a.png")
    assert sheet.shape[:2] == (GAP + 64 + CAPTION + GAP, GAP + 2 * (52 + GAP))  # at rest, JawOpen
    line = capsys.readouterr().out
    assert line.startswith(f"{tmp_path / 'a.png'}: 1 blendshapes; the head has no EyeBlinkLeft, ")


def test_a_movie_that_cannot_be_drawn_leaves_the_old_one(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("postprocess.film.film.Film.picture", stop)
    with pytest.raises(KeyboardInterrupt):
        run_main(script, *clip, "--out", tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.mp4", "a.wav"]


def test_refusals(tmp_path: Path, clip: list[object], refusal: Callable[..., str]) -> None:
    csv, wav, out = clip[1], clip[3], tmp_path / "a.mp4"
    assert refusal(script, "--csv", csv) == "nothing to draw: give --out, --sheet, --gif or --targets"
    assert refusal(script, "--out", out) == "--out needs curves: give --csv"
    assert (
        refusal(script, *clip, "--out", tmp_path / "a.avi")
        == f"--out {tmp_path / 'a.avi'}: is a .mp4 file; name it a.mp4"
    )
    two = ["--label", "target", "prediction"]
    assert refusal(script, *clip, *two, "--out", out) == "2 --label for 1 --csv: give one for each"
    assert refusal(script, *clip, "--size", 8, "--out", out) == "--size 8: must be from 64 to 2160"
    assert refusal(script, *clip, "--fps", 0, "--out", out) == "--fps 0: must be from 1 to 240"
    assert refusal(script, *clip, "--out_fps", 1e9, "--out", out) == "--out_fps 1e+09: must be from 1 to 240"
    sheet = ["--sheet", tmp_path / "a.png", "--times"]
    assert refusal(script, *clip, *sheet, "9") == "--times 9: must be from 0 to 1.60 s, where the curves end"
    absent = tmp_path / "no"
    assert refusal(script, *clip, "--csv", f"{absent}.csv", "--out", out) == f"{absent}.csv: No such file or directory"
    assert refusal(script, *clip, "--wav", f"{absent}.wav", "--out", out) == f"{absent}.wav: no such file"
    assert refusal(script, *clip, "--head", f"{absent}.glb", "--out", out) == f"{absent}.glb: no such file or folder"
    other = tmp_path / "other.tsv"
    other.write_text("5.0\t5.5\tlate\n")
    assert refusal(script, *clip, *sheet, "1", "--transcript_path", other).startswith(f'{other}: "late" starts at 5 s')
    assert refusal(script, "--csv", wav, "--out", out).startswith(
        f'{wav}: curves come as .csv, .json, .npy, not as ".wav"'
    )
    assert not list(tmp_path.glob("*.mp4"))
