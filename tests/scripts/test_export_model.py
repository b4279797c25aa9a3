import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import export_model

Refusal = Callable[..., str]


def test_a_file_that_says_what_goes_in_and_out(
    make_checkpoint: Callable[..., Path], tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra of requirements-onnx.txt is not installed")
    out = tmp_path / "model.onnx"
    run_main(export_model, "--ckpt_path", make_checkpoint(), "--out", out, "--domain", "b", "--fp16")
    model = onnx.load(out)
    assert capsys.readouterr().out == f"{out}: 0.1 MB, samples (samples,) → curves (frames, 37)\n"
    assert {one.key: one.value for one in model.metadata_props}["domain"] == "b"
    assert onnx.TensorProto.FLOAT16 in {array.data_type for array in model.graph.initializer}
    assert model.doc_string.startswith("Give samples, all 16 kHz mono ones")


def test_mistakes_are_told_before_anything_is_read(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "--out a.pt: is written as ONNX; call it a.onnx"
    assert refusal(export_model, "--ckpt_path", "none", "--out", "a.pt") == message
    message = "a.onnx: is a source too; write to another place with --out"
    assert refusal(export_model, "--ckpt_path", "a.onnx", "--out", "a.onnx") == message
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else object())
    message = "onnx: not installed; python -m pip install -r requirements-onnx.txt"
    assert refusal(export_model, "--ckpt_path", "none", "--out", "a.onnx") == message
