import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, read_csv, write_curves
from dataset.stats import compute_stats, save_stats
from postprocess import deflate as script
from postprocess.deflate import deflate


def by_the_formula(x: float, low: float, high: float, ceiling: float) -> float:
    """The issue's formula, one value at a time."""

    def sigma(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    lo, hi = 0.995 * low, high + 0.001 * (ceiling - high)
    z = (x - (low + high) / 2) / (high - low)
    return lo + (hi - lo) * (sigma(z) - sigma(-0.5)) / (sigma(0.5) - sigma(-0.5))


@pytest.mark.parametrize("ceiling", [1.0, 0.7, 0.2])
def test_equals_the_formula(ceiling: float) -> None:
    curves = np.random.default_rng(0).random((40, 3)) * [1, 0.5, 0.01] + [0, 0.2, -0.1]
    expected = [
        [by_the_formula(x, curves[:, c].min(), curves[:, c].max(), ceiling) for c, x in enumerate(row)]
        for row in curves
    ]
    np.testing.assert_allclose(deflate(curves, ceiling), expected, rtol=1e-12, atol=1e-15)


def test_the_ends_of_the_range_by_hand() -> None:
    curves = np.array([[0.2], [0.4], [0.6]])
    assert deflate(curves)[:, 0] == pytest.approx([0.199, (0.199 + 0.6004) / 2, 0.6004])


def test_each_channel_has_its_own_ceiling() -> None:
    curves = np.array([[0.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(deflate(curves, np.array([1.0, 0.3]))[1], [0.5005, 0.4998])


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_channel_passes_through(level: float) -> None:
    curves = np.stack([np.full(9, level), np.linspace(0, 1, 9)], axis=1)
    np.testing.assert_array_equal(deflate(curves)[:, 0], curves[:, 0])
    np.testing.assert_array_equal(deflate(curves[:1]), curves[:1])  # one frame: every channel is flat


def test_order_is_kept_and_the_middle_gets_steeper() -> None:
    ramp = np.linspace(0, 1, 101)[:, None]
    steps = np.diff(deflate(ramp)[:, 0])
    assert (steps > 0).all()
    assert steps[50] > 1.05 * steps[0]


def stats_file(folder: Path, name: str) -> Path:
    stats = compute_stats([np.linspace(0, np.linspace(0.4, 0.9, 52), 30)], ["a"])
    save_stats(folder / "stats.json", stats)
    return folder / name


@pytest.mark.parametrize("name", ["stats.json", "best.safetensors"])
def test_ceilings_are_the_training_maxima(tmp_path: Path, run_main: Callable[..., None], name: str) -> None:
    write_curves(tmp_path / "a.csv", np.linspace(0, np.full(52, 0.1), 30))
    run_main(
        script, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--ceilings", stats_file(tmp_path, name)
    )
    after = read_csv(tmp_path / "b.csv").values
    ceilings = np.linspace(0.4, 0.9, 52)
    for index, channel in enumerate(ARKIT):
        expected = 0.1 + 0.001 * (ceilings[index] - 0.1) if channel in FACE else 0.1
        assert after[-1, index] == pytest.approx(expected, abs=6e-7)


def test_a_folder_with_the_default_ceiling(
    tmp_path: Path,
    run_main: Callable[..., None],
    random_csv: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = random_csv(tmp_path / "in" / "a.csv", 30)
    run_main(script, "--input", tmp_path / "in", "--output", tmp_path / "out")
    after = read_csv(tmp_path / "out" / "a.csv").values
    np.testing.assert_allclose(after[:, 14:51], deflate(before[:, 14:51]), atol=6e-7)
    np.testing.assert_array_equal(np.delete(after, np.s_[14:51], 1), np.delete(before, np.s_[14:51], 1))
    assert capsys.readouterr().out == f"deflated 1 file, 30 frames: {tmp_path / 'out'}\n"


def test_refusals(tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]) -> None:
    random_csv(tmp_path / "a.csv", 5)
    words = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--ceilings"]
    assert refusal(script, *words, tmp_path / "none.json") == f"{tmp_path / 'none.json'}: no such file"
    few = tmp_path / "few.json"
    save_stats(few, compute_stats([np.zeros((2, 52))], ["a"]).select(("JawOpen", "JawLeft")))
    message = f"{few}: no training maximum for JawForward; leave it out with --channels"
    assert refusal(script, *words, few) == message
