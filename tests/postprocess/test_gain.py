import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, EYE, FACE, indices, read_csv
from postprocess import gain as script
from postprocess.gain import Gain, gain


def test_by_hand() -> None:
    curves = np.array([[0.2, 0.5], [0.9, 0.1]])
    gains = [Gain(gain=1.5, offset=-0.1), Gain(gain=0.5, low=0.1, high=0.2)]
    np.testing.assert_allclose(gain(curves, gains), [[0.2, 0.2], [1.0, 0.1]])


def test_the_later_line_counts_and_the_others_pass_to_the_letter(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Callable[..., np.ndarray]
) -> None:
    values = random_csv(tmp_path / "a.csv", 20)
    (tmp_path / "gains.yml").write_text("jaw: {gain: 0.5}\njaw_open: {offset: 0.25, high: 0.75}\n")
    run_main(script, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--table", tmp_path / "gains.yml")
    expected = values.copy()
    expected[:, 14:17] *= 0.5
    expected[:, ARKIT.index("JawOpen")] = np.minimum(values[:, ARKIT.index("JawOpen")] + 0.25, 0.75)
    np.testing.assert_allclose(read_csv(tmp_path / "b.csv").values, expected, atol=6e-7)


def test_about_the_training_mean(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Callable[..., np.ndarray], refusal: Callable[..., str]
) -> None:
    values = random_csv(tmp_path / "a.csv", 20)
    row = [0.3] * len(FACE)
    stats = {"channels": FACE, "mean": row, "std": row, "min": row, "max": row, "frames": 9, "clips": ["x"]}
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    (tmp_path / "gains.yml").write_text("face: {gain: 1.5, offset: 0.01}\n")
    words = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--around", tmp_path / "stats.json"]
    run_main(script, *words, "--table", tmp_path / "gains.yml")
    found = read_csv(tmp_path / "b.csv")
    expected = np.clip(0.3 + 1.5 * (values - 0.3) + 0.01, 0, 1)
    np.testing.assert_allclose(found.select(FACE), expected[:, indices(ARKIT, FACE)], atol=6e-7)
    np.testing.assert_array_equal(found.select(EYE), values[:, indices(ARKIT, EYE)])
    (tmp_path / "gains.yml").write_text("EyeBlinkLeft: {gain: 1.5}\n")
    line = refusal(script, *words, "--table", tmp_path / "gains.yml")
    assert line == f"{tmp_path / 'stats.json'}: no training mean for EyeBlinkLeft; take it out of the table"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("JawOpen: {gian: 2}", "{}: table.JawOpen.gian: unknown key"),
        ("JawOpn: {gain: 2}", 'table: "JawOpn" is no group and no ARKit blendshape; did you mean JawOpen?'),
        ("JawOpen: {gain: loud}", "{}: table.JawOpen.gain: input should be a valid number, not 'loud'"),
        ("JawOpen: {low: 1, high: 0}", "table.JawOpen: low 1 is above high 0"),
        ("JawOpen: {gain: .nan}", "{}: table.JawOpen.gain: input should be a valid number, not '.nan'"),
        ("JawOpen: {}\nJawOpen: {}", "{}, line 2: JawOpen stands twice; keep one"),
        ("{}", "table: names no channel; give it lines such as `JawOpen: {gain: 1.1}`"),
        ("JawOpen: [", "{}, line 1: not YAML: expected the node content, but found '<stream end>'"),
        ("[1]", "{}: table: input should be a valid dictionary, not [1]"),
    ],
)
def test_refusals(
    text: str, line: str, tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]
) -> None:
    random_csv(tmp_path / "a.csv", 2)
    table = tmp_path / "g.yml"
    table.write_text(text)
    found = refusal(script, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--table", table)
    assert found == line.replace("{}", str(table), 1) if line.startswith("{}") else found == line
