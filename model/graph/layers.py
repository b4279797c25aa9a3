"""What sounds and decoders are made of, as parts of an ONNX graph."""

import math
from fractions import Fraction

import numpy as np

from model.causal_model import NORM_EPSILON
from model.graph.values import Value
from model.mel import FLOOR, StepGrid


def log_mel(windows: Value, grid: StepGrid) -> Value:
    """Samples (…, window_size) → (…, bands), as StepGrid.log_mel has them.

    The Fourier transform is a product, for not every runtime has another; its matrices are looked up in a turn of a
    cosine when the graph is loaded, so that the file is no larger for them.
    """
    graph, size = windows.graph, grid.fft_size
    turn = graph.op("Identity", np.cos(2 * np.pi * np.arange(size) / size))
    steps = graph.op("Identity", np.arange(grid.window_size)[:, None]) * np.arange(size // 2 + 1)[None]
    windows = windows * grid.window
    real, imaginary = windows @ turn.take(steps % size), windows @ turn.take((steps + size // 4) % size)
    power = real * real + imaginary * imaginary
    return graph.op("Log", power @ grid.filters + FLOOR)


def step_starts(steps: Value, grid: StepGrid, shift: int) -> Value:
    """StepGrid.start of int64 steps, of any shape, all of them above 0 once shift is added.

    shift: steps that are a whole number of samples together.
    """
    up, down = grid.spacing.numerator, grid.spacing.denominator
    return ((steps + shift) * (2 * up) + down) // (2 * down) - (int(shift * grid.spacing) + grid.window_size // 2)


def whole_shift(spacing: Fraction, least: int) -> int:
    """As few steps, but no fewer than that, as are a whole number of samples together."""
    return math.ceil(least / spacing.denominator) * spacing.denominator


def layer_norm(x: Value, scale: np.ndarray, offset: np.ndarray) -> Value:
    """x: (…, W), scale and offset (W,) → (…, W)."""
    return x.graph.op("LayerNormalization", x, scale, offset, axis=-1, epsilon=NORM_EPSILON)


def linear(x: Value, weight: np.ndarray, bias: np.ndarray) -> Value:
    """x: (…, inputs), weight (inputs, outputs), bias (outputs,) → (…, outputs)."""
    return x @ x.graph.weight(weight) + bias


def gelu(x: Value) -> Value:
    """Of any shape; as model.causal_model has it."""
    return x * (x.graph.op("Erf", x * math.sqrt(0.5)) + 1.0) * 0.5


def attend(x: Value, memory: Value, weights: dict[str, np.ndarray], heads: int) -> Value:
    """What x asks of memory, each (B, T, width), by torch's weights of nn.MultiheadAttention → (B, T, width)."""
    graph, width = x.graph, weights["out_proj.bias"].size

    def part(number: int, of: Value) -> Value:
        rows = slice(number * width, (number + 1) * width)
        told = linear(of, weights["in_proj_weight"][rows].T, weights["in_proj_bias"][rows])
        shape = graph.op("Reshape", told, np.array([0, 0, heads, width // heads]))
        return shape.transpose(0, 2, 1, 3)

    query, key, value = part(0, x), part(1, memory), part(2, memory)
    asked = query @ key.transpose(0, 1, 3, 2) * (width // heads) ** -0.5
    mixed = graph.op("Softmax", asked, axis=-1) @ value
    flat = graph.op("Reshape", mixed.transpose(0, 2, 1, 3), np.array([0, 0, width]))
    return linear(flat, weights["out_proj.weight"].T, weights["out_proj.bias"])


def finished(x: Value, output: str, scale: np.ndarray, mean: np.ndarray) -> Value:
    """What a head says, (…, channels), denormalised and clamped to [0, 1]; output: as model.output."""
    x = x.graph.op("Tanh", x) if output == "tanh" else x
    return x.graph.op("Clip", x * scale + mean, 0.0, 1.0)
