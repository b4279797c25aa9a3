from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import read_csv, write_curves
from postprocess import ensemble as script
from postprocess.ensemble import check_weights, ensemble, fit_weights


def test_the_weighted_mean_by_hand() -> None:
    one, two = np.array([[0.0, 1.0]]), np.array([[1.0, 0.5]])
    np.testing.assert_allclose(ensemble([one, two], [0.3, 0.7]), [[0.7, 0.65]])
    np.testing.assert_array_equal(ensemble([one], [1.0]), one)


def test_default_weights_are_equal_and_normalise_divides_by_the_sum() -> None:
    assert check_weights(None, 4, False) == [0.25] * 4
    assert check_weights([1, 3], 2, True) == [0.25, 0.75]
    assert check_weights([0.3, 0.7 + 9e-7], 2, False) == [0.3, 0.7 + 9e-7]


@pytest.fixture
def folders(tmp_path: Path, random_csv: Callable[..., np.ndarray]) -> tuple[list[Path], list[dict[str, np.ndarray]]]:
    """Three models' predictions of the clips a and b."""
    paths = [tmp_path / name for name in ("one", "two", "three")]
    values = [
        {"a": random_csv(path / "a.csv", 12, seed), "b": random_csv(path / "b.csv", 7, seed + 9)}
        for seed, path in enumerate(paths)
    ]
    return paths, values


def test_folders_are_matched_by_stem(
    tmp_path: Path, folders: tuple, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, values = folders
    weights = [0.2, 0.3, 0.5]
    run_main(script, "--input", *paths, "--weights", *weights, "--output", tmp_path / "out")
    for stem in ("a", "b"):
        mixed = read_csv(tmp_path / "out" / f"{stem}.csv").values
        expected = sum(weight * clips[stem] for weight, clips in zip(weights, values, strict=True))
        np.testing.assert_allclose(mixed[:, 14:51], expected[:, 14:51], atol=6e-7)
        np.testing.assert_array_equal(np.delete(mixed, np.s_[14:51], 1), np.delete(values[0][stem], np.s_[14:51], 1))
    assert capsys.readouterr().out == f"mixed 2 files, 19 frames: {tmp_path / 'out'}\n"


def test_all_channels_and_equal_weights(tmp_path: Path, folders: tuple, run_main: Callable[..., None]) -> None:
    paths, values = folders
    run_main(script, "--input", *paths[:2], "--output", tmp_path / "out", "--channels", "all")
    mixed = read_csv(tmp_path / "out" / "a.csv").values
    np.testing.assert_allclose(mixed, (values[0]["a"] + values[1]["a"]) / 2, atol=6e-7)


def test_columns_are_matched_by_name(tmp_path: Path, run_main: Callable[..., None]) -> None:
    (tmp_path / "a.csv").write_text("JawOpen,MouthLeft,Timecode\n0.2,0.4,00:00:00:07\n")
    (tmp_path / "b.csv").write_text("mouth_left,jawOpen\n0.8,0.6\n")
    run_main(script, "--input", tmp_path / "a.csv", tmp_path / "b.csv", "--output", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text() == "JawOpen,MouthLeft,Timecode\n0.400000,0.600000,00:00:00:07\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "1"], "--weights: 1 given for 2 inputs; give one an input"),
        (["--weights", "0.3", "0.6"], "--weights: they sum to 0.9, not 1; mend them or add --normalise"),
        (["--weights", "-0.5", "1.5"], "--weights: -0.5 is not a weight; give numbers from 0 up"),
        (["--weights", "nan", "1"], "--weights: nan is not a weight; give numbers from 0 up"),
        (["--weights", "0", "0", "--normalise"], "--weights: all are 0; nothing would be left"),
    ],
)
def test_refusals_of_weights(
    tmp_path: Path, folders: tuple, refusal: Callable[..., str], words: list[str], message: str
) -> None:
    assert refusal(script, "--input", *folders[0][:2], "--output", tmp_path / "out", *words) == message


def test_what_does_not_match_is_refused_naming_both(
    tmp_path: Path, folders: tuple, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]
) -> None:
    one, two, three = folders[0]
    words = ["--input", one, two, three, "--output", tmp_path / "out"]
    random_csv(three / "b.csv", 8)
    assert refusal(script, *words) == f"{three / 'b.csv'}: 8 frames, but {one / 'b.csv'} has 7"
    (three / "b.csv").unlink()
    assert refusal(script, *words) == f"{three}: no curves of b, which {one} has; mix folders of the same clips"
    random_csv(three / "b.csv", 7)
    random_csv(two / "c.csv", 7)
    assert refusal(script, *words) == f"{one}: no curves of c, which {two} has; mix folders of the same clips"


@pytest.mark.parametrize("swapped", [False, True])
def test_different_columns_are_refused_naming_both(tmp_path: Path, refusal: Callable[..., str], swapped: bool) -> None:
    more, less = tmp_path / "more.csv", tmp_path / "less.csv"
    more.write_text("JawOpen,MouthLeft\n0,0\n")
    less.write_text("JawOpen\n0\n")
    inputs = [less, more] if swapped else [more, less]
    message = refusal(script, "--input", *inputs, "--output", tmp_path / "out.csv")
    assert message == f"{less}: no column for MouthLeft, which {more} has"


def mixtures(weights: list[float], noise: float, seed: int = 0) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Two clips of three models' curves and a target that is their mixture plus noise."""
    random = np.random.default_rng(seed)
    clips = []
    for frames in (40, 25):
        curves = [random.random((frames, 4)) for _ in weights]
        clips.append((curves, ensemble(curves, weights) + noise * random.standard_normal((frames, 4))))
    return clips


def squared_error(clips: list[tuple[list[np.ndarray], np.ndarray]], weights: np.ndarray) -> float:
    return sum(float(((ensemble(curves, list(weights)) - target) ** 2).sum()) for curves, target in clips)


@pytest.mark.parametrize("weights", [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.4, 0.6]])
def test_fitted_weights_find_the_mixture(weights: list[float]) -> None:
    np.testing.assert_allclose(fit_weights(mixtures(weights, 1e-9)), weights, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [[0.2, 0.3, 0.5], [0.9, 0.4, -0.3], [2.0, -0.5, -0.5]])
def test_no_weights_on_the_simplex_fit_better(weights: list[float], seed: int) -> None:
    """Against every point of a fine grid, also where the best mixture without constraints lies outside."""
    clips = mixtures(weights, 0.3, seed)
    fitted = np.array(fit_weights(clips))
    assert (fitted >= 0).all() and fitted.sum() == pytest.approx(1)
    steps = 50
    grid = [(a, b, steps - a - b) for a in range(steps + 1) for b in range(steps + 1 - a)]
    least = min(squared_error(clips, np.array(point) / steps) for point in grid)
    assert squared_error(clips, fitted) <= least * (1 + 1e-12)


def test_auto_weights_are_fitted_to_the_clips_that_have_targets(
    tmp_path: Path, folders: tuple, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, values = folders
    target = 0.25 * values[0]["a"] + 0.75 * values[2]["a"]
    write_curves(tmp_path / "bs" / "a.csv", target[:10])  # b has no target, a's is two frames shorter
    words = ["--input", *paths, "--weights", "auto", "--targets", tmp_path / "bs", "--output", tmp_path / "out"]
    run_main(script, *words)
    lines = [f"  {path}: {share}" for path, share in zip(paths, ("0.2500", "0.0000", "0.7500"), strict=True)]
    assert capsys.readouterr().out.splitlines()[:4] == ["weights:", *lines]
    for stem in ("a", "b"):
        mixed = read_csv(tmp_path / "out" / f"{stem}.csv").values[:, 14:51]
        expected = (0.25 * values[0][stem] + 0.75 * values[2][stem])[:, 14:51]
        np.testing.assert_allclose(mixed, expected, atol=2e-6)


def test_refusals_of_auto_weights(tmp_path: Path, folders: tuple, refusal: Callable[..., str]) -> None:
    one, two, _ = folders[0]
    words = ["--input", one, two, "--output", tmp_path / "out"]
    together = "--weights auto and --targets go together: recorded curves of clips that no model has seen"
    assert refusal(script, *words, "--weights", "auto") == together
    assert refusal(script, *words, "--targets", one) == together
    assert refusal(script, *words, "--weights", "auto", "1") == "--weights: auto stands alone, without numbers"
    words += ["--weights", "auto", "--targets"]
    write_curves(tmp_path / "bs" / "other.csv", np.zeros((3, 52)))
    message = f"{tmp_path / 'bs'}: no curves of any of the clips to mix; they match by file name"
    assert refusal(script, *words, tmp_path / "bs") == message
    same = ["--input", one, one, "--output", tmp_path / "out", "--weights", "auto", "--targets", one]
    assert refusal(script, *same) == f"{one}: every input equals these curves; there is nothing to fit"
