"""The graph of a checkpoint that hears whole windows: windows, decoder and cross-fade, as model.synthesis has them."""

from collections.abc import Mapping

import numpy as np
import torch

from config.units import samples_per
from dataset.text_units import NONE
from dataset.windows import fade_weights
from model.decoder import Decoder, SinusoidalPosition
from model.graph.layers import attend, finished, gelu, layer_norm, linear, log_mel, step_starts, whole_shift
from model.graph.values import Graph, Value
from model.header import Header
from model.mel import StepGrid

Weights = Mapping[str, np.ndarray]
OF_SOUND = (
    "Give samples, all 16 kHz mono ones of a sound in [-1, 1], half a frame or more: curves are those of the whole,"
    " its windows cross-faded. All of it is in memory at a time: minutes, not hours."
)
OF_FEATURES = (
    "Give features, of windows of window_frames frames that begin hop_frames apart, as the encoder has them at motion"
    " rate; silence fills the last one. curves are those of all frames, the windows cross-faded; keep the sound's."
)


def windows_graph(header: Header, decoder: Decoder, domain: int, half: bool) -> Graph:
    """Curves (frames, channels) in [0, 1] of a whole sound.

    From samples (samples,) where features are log-mels of the whole sound, else from features (windows, window_frames,
    size). domain: its number. half: weights are kept in float16.
    """
    weights = {name: tensor.cpu().numpy() for name, tensor in decoder.state_dict().items()}
    graph, window, size = Graph(half), header.config.windows.window_frames, header.feature_size
    hop = hop_frames(window)
    if hears_sound(header):
        samples = graph.input("samples", "samples")
        frames = _frame_count(graph.length(samples), header.fps)
        windows = ((frames - window // 2).at_least(1) + (hop - 1)) // hop
        grid = StepGrid(header.fps, header.config.features.logmel)
        rows = graph.count((windows - 1) * hop + window)
        x = _projected(_stacked_steps(samples, rows, grid), header, weights, domain)
        x = x.take((graph.count(windows) * hop).column() + np.arange(window))
    else:
        features = graph.input("features", "windows", window, size)
        frames = (graph.length(features) - 1) * hop + window
        x = _projected(features, header, weights, domain)
    curves = _cross_faded(_decoded(x, header, decoder, weights), frames, window, len(header.channels))
    stats = header.stats.select(header.channels)
    scale = stats.scale(header.config.model.curve_scale)
    graph.output("curves", finished(curves, "linear", scale, stats.mean), "frames", len(header.channels))
    return graph


def hears_sound(header: Header) -> bool:
    """Whether the features are made in the graph."""
    return header.config.features.encoder == "logmel" and header.config.features.context == "clip"


def hop_frames(window: int) -> int:
    """From one window's first frame to the next one's, as Synthesizer has it unless told otherwise."""
    return window - window // 2


def _frame_count(samples: Value, fps: float) -> Value:
    """config.units.frame_count of (1,) samples."""
    spacing = samples_per(fps)
    up, down = spacing.numerator, spacing.denominator
    return (samples * (2 * down) + up) // (2 * up)


def _stacked_steps(samples: Value, frames: Value, grid: StepGrid) -> Value:
    """Sound (samples,) → (frames, size), as model.logmel.LogMelEncoder has them, for frames 0 to the last."""
    graph, around, per_frame = samples.graph, grid.settings.context_steps, grid.settings.steps_per_frame
    silence = -grid.start(-around)
    sound = graph.concat(np.zeros(silence), samples, np.zeros(1))
    steps = graph.count((graph.length(frames) - 1) * per_frame + (2 * around + 1)) - around
    starts = step_starts(steps, grid, whole_shift(grid.spacing, around)) + silence
    places = (starts.column() + np.arange(grid.window_size)).at_most(graph.length(sound) - 1)
    stacked = log_mel(sound.take(places), grid).take((frames * per_frame).column() + np.arange(2 * around + 1))
    return stacked.reshape(-1, (2 * around + 1) * grid.settings.bands)


def _projected(features: Value, header: Header, weights: Weights, domain: int) -> Value:
    """(…, size) → (…, W): the projected features, the domain and the text stream of a sound without a transcript."""
    told = [weights["project.bias"]]
    if "domain.weight" in weights:
        told.append(weights["domain.weight"][domain])
    if "text.units.weight" in weights:
        told += [weights["text.units.weight"][NONE], np.zeros(1, np.float32)]
    if header.config.model.normalise_features:
        features = (features - weights["normalise.mean"]) / weights["normalise.std"]
    bias = np.concatenate(told)
    project = weights["project.weight"].T
    return linear(features, np.pad(project, ((0, 0), (0, len(bias) - project.shape[1]))), bias)


def _decoded(x: Value, header: Header, decoder: Decoder, weights: Weights) -> Value:
    """(windows, window, W) → (windows, window, channels), normalised."""
    model = header.config.model
    for number in range(model.conv_layers):
        x = _convolved(x, part(weights, f"front.{number}."))
    if isinstance(decoder.position, SinusoidalPosition):
        at_rest = torch.zeros(1, header.config.windows.window_frames, decoder.head.linear.in_features)
        x = x + decoder.position(at_rest).numpy()
    memory = x
    for number in range(model.encoder_layers):
        layer = part(weights, f"encoder.{number}.")
        x = _normed(x + attend(x, x, part(layer, "self_attn."), model.heads), layer, 1)
        x = _normed(x + _fed_forward(x, layer), layer, 2)
    for number in range(model.decoder_layers):
        layer = part(weights, f"decoder.{number}.")
        x = _normed(x + attend(x, x, part(layer, "self_attn."), model.heads), layer, 1)
        x = _normed(x + attend(x, memory, part(layer, "multihead_attn."), model.heads), layer, 2)
        x = _normed(x + _fed_forward(x, layer), layer, 3)
    x = linear(x, weights["head.linear.weight"].T, weights["head.linear.bias"])
    return x.graph.op("Tanh", x) if model.output == "tanh" else x


def part(weights: Weights, name: str) -> dict[str, np.ndarray]:
    """The weights, of any shape, of a part of a module by its name with a dot, without it."""
    return {key.removeprefix(name): weight for key, weight in weights.items() if key.startswith(name)}


def _convolved(x: Value, layer: Weights) -> Value:
    """model.layers.ConvLayer."""
    normed = layer_norm(x, layer["norm.weight"], layer["norm.bias"]).transpose(0, 2, 1)
    before = (layer["conv.weight"].shape[2] - 1) // 2
    after = layer["conv.weight"].shape[2] - 1 - before
    weight = x.graph.weight(layer["conv.weight"])
    return x + gelu(x.graph.op("Conv", normed, weight, layer["conv.bias"], pads=[before, after]).transpose(0, 2, 1))


def _normed(x: Value, layer: Weights, number: int) -> Value:
    return layer_norm(x, layer[f"norm{number}.weight"], layer[f"norm{number}.bias"])


def _fed_forward(x: Value, layer: Weights) -> Value:
    hidden = x.graph.op("Relu", linear(x, layer["linear1.weight"].T, layer["linear1.bias"]))
    return linear(hidden, layer["linear2.weight"].T, layer["linear2.bias"])


def _cross_faded(curves: Value, frames: Value, window: int, channels: int) -> Value:
    """Curves (windows, window, channels), hop_frames apart → those of frames (1,) frames, (frames, channels).

    A frame is in two windows at most: in the first hop of one, and in what is left of the one before. A column of ones
    goes with them, and becomes the sum of their weights.
    """
    graph, hop, overlap = curves.graph, hop_frames(window), window // 2
    weighted = graph.op("Pad", curves, np.array([0, 0, 0, 0, 0, 1]), 1.0) * fade_weights(window, overlap)[:, None]
    halves = graph.op("Pad", weighted, np.array([0, 0, 0, 0, hop - overlap, 0])).reshape(-1, 2, hop, channels + 1)
    nothing = np.zeros((1, hop, channels + 1))
    mixed = graph.concat(halves.take(0, axis=1), nothing) + graph.concat(nothing, halves.take(1, axis=1))
    mixed = mixed.reshape(-1, channels + 1).rows(0, frames)
    return mixed.take(np.arange(channels), axis=1) / mixed.take(np.array([channels]), axis=1)
