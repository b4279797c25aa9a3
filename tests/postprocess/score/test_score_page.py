import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from dataset.blendshapes import ARKIT
from dataset.stats import compute_stats, save_stats
from postprocess.score.matching import ClipRates, CurvePair
from postprocess.score.metrics import CurveScores, clip_scores, intervals, mean_scores
from postprocess.score.score_pictures import BARS, PAGE, SLIDE, draw_channels, draw_clip, worst_stretch
from scripts import evaluate

NAMES = ("JawOpen", "MouthFunnel")


def pair(prediction: np.ndarray, target: np.ndarray, fps: float = 30) -> CurvePair:
    return CurvePair(prediction, target, NAMES, ClipRates(fps, fps))


def test_every_row_of_a_clip_leads_to_its_picture(
    tmp_path: Path, random_csv: Callable, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    clips = ["a1", "b 2#é", "你好"]
    for seed, clip in enumerate(clips):
        random_csv(tmp_path / "t" / f"{clip}.csv", 40, seed)
        random_csv(tmp_path / "p" / f"{clip}.csv", 40, seed + 9)
    save_stats(tmp_path / "stats.json", compute_stats([np.full((2, 52), 0.3)], ["z"]))
    words = ["--predictions", tmp_path / "p", "--targets", tmp_path / "t", "--stats", tmp_path / "stats.json"]
    plots = tmp_path / "plots"
    run_main(evaluate, *words, "--plots", plots)
    assert capsys.readouterr().out.endswith(f"scored 3 clips, 120 frames: {plots / 'index.html'}\n")

    page = (plots / "index.html").read_text(encoding="utf-8")
    table = page[page.index("<table") : page.index("</table>")]
    links = dict(re.findall(r'<a href="#([^"]*)">([^<]*)</a>', table))
    assert sorted(links.values()) == sorted(clips)
    for anchor, clip in links.items():
        section = page[page.index(f'id="{unquote(anchor)}"') :]
        source, again = re.findall(r'(?:href|src)="([^"]*)"', section)[:2]
        assert source == again
        assert unquote(source) == f"clips/{clip}.png"
        assert imread(plots / unquote(source)).shape[1] == 1330  # pixels, for a projector
    assert 'src="channels.png"' in page
    assert imread(plots / "channels.png").shape[1] == 1330
    assert {path.name for path in plots.rglob("*") if path.is_file()} == {
        "index.html", "channels.png", *(f"{clip}.png" for clip in clips),
    }  # fmt: skip


def test_plots_where_a_file_is_are_refused(tmp_path: Path, random_csv: Callable, refusal: Callable[..., str]) -> None:
    random_csv(tmp_path / "a.csv", 20)
    words = ["--predictions", tmp_path / "a.csv", "--targets", tmp_path / "a.csv", "--plots", tmp_path / "a.csv"]
    assert refusal(evaluate, *words).startswith(f"{tmp_path / 'a.csv' / 'channels.png'}: cannot be written")


def test_a_clips_curves_stand_at_their_times() -> None:
    random = np.random.default_rng(0)
    curves = pair(random.random((50, 2)), random.random((48, 2)), 25)
    figure = draw_clip(curves, ["MouthFunnel", "JawOpen"], SLIDE)
    funnel, jaw = figure.axes
    assert (funnel.get_ylabel(), jaw.get_ylabel()) == ("MouthFunnel", "JawOpen")
    (line,) = jaw.get_lines()
    expected = np.stack([np.arange(50) / 25, curves.prediction[:, 0]], axis=1)
    np.testing.assert_allclose(np.asarray(line.get_xydata(), float), expected)
    corners = np.asarray(jaw.collections[0].get_paths()[0].vertices)
    for frame, value in enumerate(curves.target[:, 0]):
        assert np.isclose(corners, [frame / 25, value]).all(axis=1).any()


def test_a_long_clip_shows_its_worst_stretch_and_where_that_is() -> None:
    target = np.zeros((900, 2))
    prediction = target.copy()
    prediction[250:270, 0] = 1
    figure = draw_clip(pair(prediction, target), NAMES, PAGE)
    whole, jaw, _ = figure.axes
    start, stop = 0, 600  # the first of the stretches that hold all of it
    assert whole.get_xlim() == (0, 899 / 30)
    assert jaw.get_xlim() == (start / 30, (stop - 1) / 30)


def test_the_pictured_stretch_is_the_worst() -> None:
    target = np.zeros((50, 2))
    prediction = target.copy()
    prediction[30:35, 1] = 1
    prediction[5:25, 0] = 9  # not a channel that is pictured
    curves = pair(prediction, target)
    shown = worst_stretch(curves, ["MouthFunnel"], 5)
    assert (shown.start, shown.stop) == (30, 35)
    assert worst_stretch(curves, ["MouthFunnel"], 50) == slice(0, 50)


@pytest.fixture
def clips() -> list[CurveScores]:
    """Two clips' scores; channel i of three swings by i + 1 tenths, the last prediction by thrice too much."""
    names = (*ARKIT,)
    swing = np.sin(np.arange(60) / 3)[:, None] * np.isin(names, NAMES) * 0.1
    swing[:, names.index("JawOpen")] *= 2
    gains = [np.where(np.isin(names, "MouthFunnel"), 3.0, 0.5) * gain for gain in (1.0, 1.2)]
    return [clip_scores(swing * gain + 0.01, swing, names, 30) for gain in gains]


def test_the_bars_are_the_scores_of_the_channels_that_move(clips: list[CurveScores]) -> None:
    mean, ends = mean_scores(clips), intervals(clips)
    figure = draw_channels(mean, ends, None, SLIDE)
    for axes, score in zip(figure.axes, BARS, strict=True):
        lengths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]  # from the bottom up
        assert lengths == [mean["channels"][name][score] for name in ("MouthFunnel", "JawOpen")]
        whiskers = [np.asarray(line.get_xdata(), float).tolist() for line in axes.get_lines()[:2]]
        assert whiskers == [ends[f"channels.{name}.{score}"] for name in ("MouthFunnel", "JawOpen")]
    amplitudes = figure.axes[2]
    assert [text.get_text() for text in amplitudes.texts] == ["3.3 →"]
    assert amplitudes.get_xlim() == (0, 2.5)


def test_bars_with_the_mean_face_and_where_nothing_moves(clips: list[CurveScores], tmp_path: Path) -> None:
    still = clip_scores(np.zeros((9, 52)), np.zeros((9, 52)), ARKIT, 30)
    floor = clip_scores(np.full((9, 52), 0.25), np.zeros((9, 52)), ARKIT, 30)
    marks = draw_channels(clips[0], intervals(clips[:1]), floor, SLIDE).axes[1].get_lines()
    assert [np.asarray(mark.get_xdata(), float).tolist() for mark in marks] == [[0.25, 0.25]]
    draw_channels(still, intervals([still]), floor, SLIDE).savefig(tmp_path / "still.png")
