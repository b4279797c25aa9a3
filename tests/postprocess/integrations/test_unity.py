"""The Unity example agrees with the files that it loads: Unity itself is not here, an ONNX runtime and mono may be."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.places import LIVE, SHIPPED
from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from model.causal_model import load_causal
from model.streaming import stream_curves
from tests.helpers import DEMO, ROOT

EXAMPLE = ROOT / "postprocess" / "integrations" / "unity"
SOURCES = sorted(EXAMPLE.rglob("*.cs"))
STUBS = Path(__file__).with_name("unity_stubs.cs")
MCS = shutil.which("mcs")
# The operators of model/graph, each of them looked up in "Supported ONNX operators" of com.unity.ai.inference 2.2 and
# 2.3: there for its CPU, with floats and, where we have whole numbers, with those. A new one has to be looked up too.
SUPPORTED = {
    "Add", "Cast", "Clip", "Concat", "Conv", "Div", "Equal", "Erf", "Gather", "Identity", "LayerNormalization", "Log",
    "MatMul", "Max", "Min", "Mod", "Mul", "Pad", "Range", "Relu", "Reshape", "Shape", "Slice", "Softmax", "Squeeze",
    "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip


def source(name: str) -> str:
    return next(path for path in SOURCES if path.name == name).read_text(encoding="utf-8")


def constants(text: str) -> dict[str, str]:
    """The strings that it declares as const, by name."""
    declared = re.findall(r"const string ([^;]*);", text)
    return dict(re.findall(r'(\w+) = "([^"]*)"', ", ".join(declared)))


@pytest.fixture(scope="module")
def exported() -> Any:
    """The weights that stream, as scripts/export_model.py writes them."""
    pytest.importorskip("onnx", reason="the extra of requirements-onnx.txt is not installed")
    from model.graph.export import onnx_model

    return onnx_model(LIVE, None, None, False)


def test_it_compiles(tmp_path: Path) -> None:
    """Against what unity_stubs.cs says of Unity."""
    if MCS is None:
        pytest.skip("needs mcs of mono (mono-mcs), which is not there")
    options = "-target:library", f"-out:{tmp_path / 'a.dll'}", "-nowarn:0649", "-warnaserror"  # 0649: stubs set nothing
    done = subprocess.run([MCS, *options, STUBS, *SOURCES], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_file_has_its_class_s_name_as_unity_wants(path: Path) -> None:
    assert f"class {path.stem}" in path.read_text(encoding="utf-8")


def test_the_tensors_have_the_file_s_names(exported: Any) -> None:
    names = constants(source("SpeechModel.cs"))
    samples, *states = [one.name for one in exported.graph.input]
    assert samples == names["Samples"]
    assert [one.name for one in exported.graph.output] == [names["Curves"], *(names["Next"] + name for name in states)]


def test_the_facts_are_the_metadata(exported: Any) -> None:
    text = source("ModelFactsImporter.cs")
    names = re.findall(r'"(\w+)"', re.search(r"Names = \{(.*?)\}", text)[1])  # type: ignore[index]
    metadata = {one.key: one.value for one in exported.metadata_props}
    facts = {name: type(json.loads(metadata[name])) for name in names}
    kinds = {"string[]": list, "float": float, "int": int}
    fields = re.findall(r"public ([\w\[\]]+) (\w+);", source("ModelFacts.cs"))
    assert facts == {name: kinds[kind] for kind, name in fields}
    assert constants(text)["Producer"] == exported.producer_name


def test_sentis_has_the_operators(exported: Any) -> None:
    from model.graph.export import onnx_model

    graphs = exported, onnx_model(LIVE, None, None, True), onnx_model(SHIPPED, None, None, False)
    assert {node.op_type for model in graphs for node in model.graph.node} <= SUPPORTED


def in_32_bits(model: Any) -> Any:
    """The graph as Sentis has it, whose whole numbers are int32; ONNX itself wants int64 for shapes and axes."""
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    short = ModelProto.FromString(model.SerializeToString())
    graph = short.graph
    long = {name for node in graph.node if node.op_type in ("Reshape", "Unsqueeze") for name in node.input[1:]}
    bounds = np.iinfo(np.int32)
    for array in graph.initializer:
        if array.data_type == TensorProto.INT64 and array.name not in long:
            values = numpy_helper.to_array(array).clip(bounds.min, bounds.max).astype(np.int32)
            array.CopyFrom(numpy_helper.from_array(values, array.name))
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.INT64:
            value.type.tensor_type.elem_type = TensorProto.INT32
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Shape":
            (name,) = node.output
            node.output[0] = f"{name}_long"
            nodes.append(helper.make_node("Cast", [f"{name}_long"], [name], to=TensorProto.INT32))
    del graph.node[:]
    graph.node.extend(nodes)
    return short


def test_each_of_its_calls_tells_a_frame(exported: Any) -> None:
    """By SpeechFace's rule when to call no tensor is ever empty, and the curves are Python's, in 32 bits."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra of requirements-onnx.txt is not installed")
    content = in_32_bits(exported).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    metadata = {one.key: one.value for one in exported.metadata_props}
    frame, flush = math.ceil(SAMPLE_RATE / float(metadata["fps"])), int(metadata["flush_samples"])
    sound = read_audio(DEMO / "hello.flac")
    kinds = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
    states = {one.name: np.zeros(one.shape, kinds[one.type]) for one in session.get_inputs()[1:]}
    read, told = 0, list[np.ndarray]()
    while read + frame <= len(sound):
        block = sound[read : read + frame + (0 if told else flush)]
        curves, *carried = session.run(None, {"samples": block, **states})
        assert len(curves) > 0
        told.append(curves)
        states = dict(zip(states, carried, strict=True))
        read += len(block)
    model = load_causal(LIVE)
    expected = stream_curves(model, [sound], model.header.domains[0], model.delays.usual_ms)[:, model.places]
    curves = np.concatenate(told)
    assert len(curves) > 0.97 * len(expected)
    np.testing.assert_allclose(curves, expected[: len(curves)].clip(0, 1), atol=1e-4)
