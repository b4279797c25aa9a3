from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, indices, read_csv
from postprocess import chain as script
from postprocess.chain import ROOT, STEPS, read_chain
from postprocess.deflate import deflate
from postprocess.gain import Gain, gain
from postprocess.smooth import smooth
from postprocess.symmetrise import symmetrise

Csv = Callable[..., np.ndarray]


def write(folder: Path, text: str) -> Path:
    path = folder / "post.yml"
    path.write_text(text)
    return path


def test_the_steps_run_in_order_and_files_are_written_once(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Csv, capsys: pytest.CaptureFixture[str]
) -> None:
    values = random_csv(tmp_path / "in" / "a.csv", 40)
    config = write(
        tmp_path,
        "steps:\n  - gain: {table: {JawOpen: {gain: 1.5}}}\n  - smooth: {window: 5, order: 2}\n  - symmetrise\n",
    )
    run_main(script, "--config", config, "--input", tmp_path / "in", "--output", tmp_path / "out")
    face, jaw = values[:, indices(ARKIT, FACE)], FACE.index("JawOpen")
    face[:, jaw] = gain(face[:, [jaw]], [Gain(gain=1.5)])[:, 0]
    written = read_csv(tmp_path / "out" / "a.csv")
    np.testing.assert_allclose(written.select(FACE), symmetrise(smooth(face, 5, 2), FACE), atol=6e-7)
    np.testing.assert_array_equal(written.values[:, :14], values[:, :14])
    assert capsys.readouterr().out == f"scaled, smoothed, symmetrised 1 file, 40 frames: {tmp_path / 'out'}\n"


def test_the_shipped_chain(tmp_path: Path, run_main: Callable[..., None], random_csv: Csv) -> None:
    values = random_csv(tmp_path / "a.csv", 20)
    words = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv"]
    run_main(script, "--config", ROOT / "config" / "post.yml", *words)
    expected = symmetrise(deflate(values[:, indices(ARKIT, FACE)]), FACE)
    np.testing.assert_allclose(read_csv(tmp_path / "b.csv").select(FACE), expected, atol=6e-7)


def test_what_the_shipped_chain_offers_besides_can_be_read(tmp_path: Path) -> None:
    lines = (ROOT / "config" / "post.yml").read_text(encoding="utf-8").splitlines()
    offered = [line[1:].split("  #")[0] for line in lines if line.startswith("#  - ")]
    offered = [line.replace("data/mine", "dataset/demo") for line in offered]
    steps = read_chain(write(tmp_path, "\n".join(["steps:", *offered])))
    assert [step.done for step in steps] == [
        "smoothed", "steadied", "gated", "scaled", "closed lips in", "added eyes to", "enlivened"
    ]  # fmt: skip
    assert {line.split("-")[1].split(":")[0].strip() for line in offered} | {"deflate", "symmetrise"} == set(STEPS)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": expected `steps:` with a list such as `- smooth: {window: 9}`"),
        ("steps: []", ": expected `steps:` with a list such as `- smooth: {window: 9}`"),
        ("step:\n- smooth\nsteps: [smooth]", ": step: unknown key; did you mean steps?"),
        ("steps: [smoth]", ", step 1: smoth: unknown step; did you mean smooth?"),
        ("steps: [smooth, {ensemble: {}}]", ", step 2: ensemble: unknown step; did you mean enliven?"),
        ("steps: [3]", ", step 1: expected one name, with its settings below it, found 3"),
        ("steps: [{smooth: 9}]", ", step 1 (smooth): expected settings such as `key: value`, found 9"),
        ("steps: [{smooth: {windw: 9}}]", ", step 1 (smooth): windw: unknown key; did you mean window?"),
        ("steps: [{smooth: {1: 9}}]", ", line 1: 1: a key must be text, such as a name; put it in quotes"),
        ("steps: [{smooth: {window: 8}}]", ", step 1 (smooth): window 8: must be an odd number of frames"),
        ("steps: [{smooth: {order: 4.5}}]", ", step 1 (smooth): order: input should be a valid integer, not 4.5"),
        ("steps: [{smooth: {window: '9'}}]", ", step 1 (smooth): window: input should be a valid integer, not '9'"),
        ("steps: [smooth, {symmetrise: {by: min}}]", ", step 2 (symmetrise): by: input should be 'mean' or 'max', "
         "not 'min'"),
        ("steps: [{gain: {table: {JawOpn: {}}}}]", ', step 1 (gain): table: "JawOpn" is no group and no ARKit '
         "blendshape; did you mean JawOpen?"),
        ("steps: [gain]", ", step 1 (gain): table: missing"),
        ("steps: [{close_lips: {transcript_path: no/such}}]",
         f", step 1 (close_lips): {ROOT}/no/such: no such file or folder"),
        ("steps: [{close_lips: {words: a}}]", ", step 1 (close_lips): words: is now transcript_path"),
        ("steps: [{smooth: {window: 9, window: 7}}]", ", line 1: steps.0.smooth.window stands twice; keep one"),
    ],
)  # fmt: skip
def test_refusals_name_file_step_and_key(
    text: str, line: str, tmp_path: Path, random_csv: Csv, refusal: Callable[..., str]
) -> None:
    random_csv(tmp_path / "a.csv", 3)
    config = write(tmp_path, text)
    found = refusal(script, "--config", config, "--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv")
    assert found == f"{config}{line}"
    assert not (tmp_path / "b.csv").exists()
