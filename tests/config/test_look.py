"""What is written in pictures stands there as it was given."""

import io
from pathlib import Path

import numpy as np
import pytest

from config import look, pages
from dataset.blendshapes import ARKIT
from dataset.recordings.recording import Recording
from dataset.transcript import Word
from postprocess.score.curve_plot import write_plot

NAMES = (r"$\frac{$", "$x^$", r"$5 and \$6", "a_b^c")


@pytest.mark.parametrize("name", NAMES)
def test_a_dollar_begins_no_formula_anywhere_in_a_picture(name: str) -> None:
    figure, axes = pages.figure_of(3, 2)
    axes.plot([0, 1], label=name)
    axes.set(title=name, xlabel=name)
    axes.set_xticks([0, 1], [name, name])
    axes.text(0, 0, name)
    axes.legend()
    figure.suptitle(name)
    look.save(figure, io.BytesIO(), format="png")
    assert pages.svg(figure, "a").count(f">{name}</text>") == 7


def test_so_may_a_token_over_a_waveform(tmp_path: Path) -> None:
    words = [Word(name, n, n + 1) for n, name in enumerate(NAMES)]
    curves = Recording(ARKIT, np.zeros((120, 52)), None, 30.0, {}, "arkit")
    sound = np.zeros(64_000, np.float32)
    assert write_plot(tmp_path / "a.png", sound, curves, ("JawOpen",), words=words) is None
    assert (tmp_path / "a.png").is_file()
