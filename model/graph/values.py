"""An ONNX graph put together by hand: values that are added, multiplied and read by as numpy's are."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the first with layer norms; every runtime of the last years has it
IR_VERSION = 8  # of that opset's time
Operand: TypeAlias = "Value | np.ndarray | float"  # arrays become float32, int64 or bool
TO_THE_END = np.iinfo(np.int64).max


class Value:
    """A tensor of a graph, by its name; int64 ones are never divided where they are below 0."""

    def __init__(self, graph: "Graph", name: str) -> None:
        self.graph, self.name = graph, name

    def __add__(self, other: Operand) -> "Value":
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Operand) -> "Value":
        return self.graph.op("Sub", self, other)

    def __mul__(self, other: Operand) -> "Value":
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Operand) -> "Value":
        return self.graph.op("Div", self, other)

    def __floordiv__(self, other: Operand) -> "Value":
        return self.graph.op("Div", self, other)

    def __mod__(self, other: Operand) -> "Value":
        return self.graph.op("Mod", self, other)

    def __matmul__(self, other: Operand) -> "Value":
        return self.graph.op("MatMul", self, other)

    def at_least(self, other: Operand) -> "Value":
        return self.graph.op("Max", self, other)

    def at_most(self, other: Operand) -> "Value":
        return self.graph.op("Min", self, other)

    def take(self, places: Operand, axis: int = 0) -> "Value":
        """numpy's of that name: the places' shape stands where the axis was."""
        return self.graph.op("Gather", self, places, axis=axis)

    def rows(self, first: Operand, end: Operand = TO_THE_END) -> "Value":
        """Those of axis 0 from first on, before end; each an int or of shape (1,)."""
        return self.graph.op(
            "Slice", self, *(np.array([edge]) if isinstance(edge, int) else edge for edge in (first, end))
        )

    def reshape(self, *shape: int) -> "Value":
        """One of them may be -1."""
        return self.graph.op("Reshape", self, np.array(shape))

    def transpose(self, *axes: int) -> "Value":
        return self.graph.op("Transpose", self, perm=list(axes))

    def column(self) -> "Value":
        """Any shape → the same and one axis more, of 1, at its end."""
        return self.graph.op("Unsqueeze", self, np.array([-1]))


class Graph:
    """Nodes in the order in which they are added.

    half: keep what `weight` is given in float16, made float32 again when the graph is loaded.
    """

    def __init__(self, half: bool = False) -> None:
        self.half = half
        self._nodes: list[onnx.NodeProto] = []
        self._arrays: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def op(self, kind: str, *operands: Operand, **attributes: Any) -> Value:
        """A node of one output."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        inputs = [self._value(operand).name for operand in operands]
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return Value(self, name)

    def concat(self, *operands: Operand, axis: int = 0) -> Value:
        """numpy's concatenate."""
        return self.op("Concat", *operands, axis=axis)

    def count(self, end: Value) -> Value:
        """0, 1, … before end, which is of shape (1,): (end,) int64."""
        return self.op("Range", np.array(0), self.op("Squeeze", end), np.array(1))

    def length(self, value: Value) -> Value:
        """How many there are along axis 0: (1,) int64."""
        return self.op("Shape", value, start=0, end=1)

    def weight(self, array: np.ndarray) -> Value:
        """Of any shape: something learned."""
        if not self.half:
            return self._value(array)
        return self.op("Cast", self._array(array.astype(np.float16)), to=TensorProto.FLOAT)

    def input(self, name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Value:
        """shape: a string is a size that is told when it is run."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return Value(self, name)

    def output(self, name: str, value: Value, *shape: int | str, kind: int = TensorProto.FLOAT) -> None:
        """shape: as of an input."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def model(self, description: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """The whole, checked."""
        graph = helper.make_graph(self._nodes, "curves", self._inputs, self._outputs, self._arrays)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="speech-driven-expressions",
            doc_string=description,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _value(self, operand: Operand) -> Value:
        if isinstance(operand, Value):
            return operand
        array = np.asarray(operand)
        return self._array(array.astype({"f": np.float32, "b": np.bool_}.get(array.dtype.kind, np.int64)))

    def _array(self, array: np.ndarray) -> Value:
        name = f"array_{len(self._arrays)}"
        self._arrays.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return Value(self, name)
