import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from matplotlib.font_manager import fontManager

from config.look import font_for
from dataset.blendshapes import ARKIT, FACE, write_curves
from dataset.recordings.recording import Recording
from dataset.transcript import Word
from postprocess.score.curve_plot import draw, draw_words, envelope, liveliest, token_points
from scripts import plot as script

FPS = 30.0


def recording(frames: int = 60, fps: float = FPS) -> Recording:
    """Channel i of the 52 swings by i/100, so that the last are the liveliest."""
    swing = np.sin(np.arange(frames) / 3)[:, None] * np.arange(52) / 100
    return Recording(ARKIT, swing, None, fps, {}, "arkit")


@pytest.fixture
def clip(tmp_path: Path) -> list[object]:
    """Two seconds of curves and sound, as arguments."""
    write_curves(tmp_path / "a.csv", recording().values)
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(32_000) / 20) * 0.5, 16_000)
    return ["--csv", tmp_path / "a.csv", "--wav", tmp_path / "a.wav"]


def test_the_liveliest_come_first() -> None:
    values = recording().values
    assert liveliest(values, ARKIT, ARKIT) == tuple(reversed(ARKIT[-6:]))
    assert liveliest(values, ARKIT, FACE, 2) == ("NoseSneerRight", "NoseSneerLeft")
    assert liveliest(values, ARKIT, ("JawOpen", "JawLeft")) == ("JawOpen", "JawLeft")


def test_the_envelope_meets_every_extreme() -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, 16_001).astype(np.float32)
    time_s, lowest, highest = envelope(audio, 100)
    assert len(time_s) == len(lowest) == len(highest) == 100
    assert (lowest.min(), highest.max()) == (audio.min(), audio.max())
    assert time_s[0] == 0
    assert time_s[50] == pytest.approx(0.5, abs=1e-3)
    assert (lowest[1], highest[1]) == (audio[160:320].min(), audio[160:320].max())


def test_a_sound_shorter_than_the_columns_is_drawn_sample_by_sample() -> None:
    audio = np.array([0.1, -0.2, 0.3], np.float32)
    time_s, lowest, highest = envelope(audio)
    np.testing.assert_array_equal(lowest, audio)
    np.testing.assert_array_equal(highest, audio)
    np.testing.assert_allclose(time_s, np.arange(3) / 16_000)


def test_the_figure_has_one_time_axis_units_and_a_dashed_target() -> None:
    channels = ("JawOpen", "MouthFunnel")
    figure = draw(np.zeros(32_000, np.float32), recording(60), channels, recording(55, 25))
    wave, *panels = figure.axes
    assert wave.get_xlim() == panels[-1].get_xlim() == (0, 2)
    assert panels[-1].get_xlabel() == "time (s)"
    assert figure.get_supylabel().startswith("coefficient")
    for axes, channel in zip(panels, channels, strict=True):
        assert axes.get_legend_handles_labels()[1] == ["target", channel]
        target, prediction = axes.get_lines()
        assert (target.get_linestyle(), prediction.get_linestyle()) == ("--", "-")
        np.testing.assert_allclose(np.asarray(prediction.get_xdata(), float), np.arange(60) / FPS)
        np.testing.assert_allclose(np.asarray(target.get_xdata(), float), np.arange(55) / 25)
        np.testing.assert_array_equal(prediction.get_ydata(), recording(60).select((channel,))[:, 0])
        np.testing.assert_array_equal(target.get_ydata(), recording(55).select((channel,))[:, 0])
    assert panels[0].get_ylim() == panels[1].get_ylim()


def words(*texts: str, every_s: float) -> list[Word]:
    return [Word(text, i * every_s, (i + 1) * every_s) for i, text in enumerate(texts)]


def test_tokens_shrink_to_fit_and_vanish_when_they_would_not_be_read() -> None:
    assert token_points(words("a", "b", "c", every_s=0.5), 2, 10) == 14
    # Every second token has 0.2 s of 2 s on 10 inches, 72 points, for 10 letters of 0.6 em each.
    assert token_points(words(*["long-word"] * 20, every_s=0.1), 2, 10) == pytest.approx(72 / 6)
    assert token_points(words(*["字"] * 20, every_s=0.1), 2, 1) is None


def test_tokens_stand_at_their_times() -> None:
    axes = draw(np.zeros(32_000, np.float32), recording(), ("JawOpen",), None).axes[0]
    assert draw_words(axes, words("good", "day", every_s=0.8), 2) is None
    assert [(text.get_text(), text.get_position()[0]) for text in axes.texts] == [("good", 0), ("day", 0.8)]
    assert [float(np.asarray(line.get_xdata())[0]) for line in axes.lines] == [0, 0.8]


def test_no_hanzi_becomes_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    latin = [font for font in fontManager.ttflist if font.name.startswith(("DejaVu", "Last Resort"))]
    monkeypatch.setattr(fontManager, "ttflist", latin)
    assert font_for("good dày") is not None
    assert font_for("你好") is None
    axes = draw(np.zeros(32_000, np.float32), recording(), ("JawOpen",), None).axes[0]
    note = draw_words(axes, words("你", "好", every_s=0.5), 2)
    assert note == "no installed font has all the transcript's characters, so only the tokens' starts are marked"
    assert not axes.texts
    assert len(axes.lines) == 2


def test_an_installed_cjk_font_is_found() -> None:
    font = font_for("你好 a")
    if font is None:
        pytest.skip("no CJK font is installed")
    from matplotlib.font_manager import get_font

    assert get_font(str(font.get_file())).get_char_index(ord("你"))


def test_a_png_is_written_beside_the_csv(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tsv").write_text("0.1\t0.5\tgood\n0.5\t0.9\tday\n")
    run_main(script, *clip, "--target", tmp_path / "a.csv", "--transcript_path", tmp_path / "a.tsv")
    pixels = matplotlib.image.imread(tmp_path / "a.png")
    assert pixels.shape == (1080, 1596, 4)
    colours = {tuple(colour) for colour in (pixels[..., :3] * 255).round().astype(int).reshape(-1, 3)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x33, 0x33, 0x33)} <= colours
    assert capsys.readouterr().out == f"plotted 6 channels over 2.0 s: {tmp_path / 'a.png'}\n"


@pytest.mark.parametrize(("name", "magic"), [("b.pdf", b"%PDF"), ("b.SVG", b"<?xml")])
def test_other_formats(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], name: str, magic: bytes
) -> None:
    run_main(script, *clip, "--channels", "JawOpen", "--out_path", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_wrong_frame_rate_is_noticed(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *clip, "--fps", "25")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{clip[1]} lasts 2.40 s at 25 fps, {clip[3]} 2.00 s: is --fps right?"


def test_refusals(tmp_path: Path, clip: list[object], refusal: Callable[..., str]) -> None:
    out = tmp_path / "a.jpg"
    assert refusal(script, *clip, "--out_path", out) == f"{out}: plots are .png, .pdf, .svg files"
    assert refusal(script, *clip, "--fps", "0") == "--fps 0: must be more than 0"
    few = tmp_path / "few.csv"
    few.write_text("JawOpen\n0\n")
    assert refusal(script, *clip, "--target", few).startswith(f"{few}, line 1: no column for ")
    assert refusal(script, "--csv", few, *clip[2:], "--channels", "brow") == f"{few}: has none of the channels brow"
    assert refusal(script, *clip[:2], "--wav", tmp_path / "no.wav") == f"{tmp_path / 'no.wav'}: no such file"


def test_curves_go_by_their_own_clock(
    tmp_path: Path, clip: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"names": ARKIT, "fps": 50, "frames": recording(100).values.tolist()}
    (tmp_path / "b.json").write_text(json.dumps(document))
    run_main(script, "--csv", tmp_path / "b.json", *clip[2:], "--target", tmp_path / "a.csv")
    assert capsys.readouterr().out == f"plotted 6 channels over 2.0 s: {tmp_path / 'b.png'}\n"  # not "is --fps right?"
