"""The graph of a checkpoint that streams: the next samples and what it carries in, the frames that can be told out."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from onnx import TensorProto

from model.causal_model import CausalModel, Layer, Voice
from model.graph.layers import finished, gelu, layer_norm, linear, log_mel, step_starts, whole_shift
from model.graph.values import Graph, Value
from model.lookahead import HEARD_STEPS, Delays
from model.streaming import Ear

DESCRIPTION = (
    "Give samples, any number of 16 kHz mono ones in [-1, 1], and the states: zeros of their shapes at first, then what"
    " the call before gave as next_sound, next_heard and next_memory. curves are the frames that can be told by now,"
    " none or more, in order from 0 s on. At the end of the sound give flush_samples zeros, and keep as many frames in"
    " all as samples * fps / sample_rate, rounded, says."
)


@dataclass(frozen=True)
class Clock:
    """Which frames can be told once how many samples are heard, in whole numbers above 0.

    So both are counted from before the sound: from `frames` frames, which last `samples` samples exactly.
    """

    delays: Delays
    delay: int  # in steps

    @property
    def frames(self) -> int:
        steps_heard_late = abs(self.delay) + HEARD_STEPS + math.ceil(self.window_size / self.delays.grid.spacing)
        late = math.ceil(steps_heard_late / self.per_frame) + 1
        return whole_shift(self.frame_samples, self.delays.ahead + late)

    @property
    def samples(self) -> int:
        return int(self.frames * self.frame_samples)

    @property
    def frame_samples(self) -> Fraction:
        return self.delays.grid.spacing * self.per_frame

    @property
    def per_frame(self) -> int:
        return self.delays.grid.settings.steps_per_frame

    @property
    def window_size(self) -> int:
        return self.delays.grid.window_size

    @property
    def kept_samples(self) -> int:
        """Of those heard, how many of the last the next frame may need; the first waits a step more for its own 0 s."""
        return self.window_size + math.ceil(HEARD_STEPS * self.delays.grid.spacing) + 1

    @property
    def flush_samples(self) -> int:
        """Silence after the sound until its last frame, which may begin half a frame before the end, can be told."""
        ahead = self.delay * self.delays.grid.spacing + self.window_size - self.window_size // 2
        return max(1, math.ceil(ahead - self.frame_samples / 2) + 2)

    def due(self, heard: Value) -> Value:
        """Samples heard (1,) → the first frame that cannot be told yet (1,)."""
        up, down = self.delays.grid.spacing.numerator, self.delays.grid.spacing.denominator
        centre = heard - (self.window_size - self.window_size // 2)  # the last that a step may have to be whole
        newest = ((centre * 2 + 1) * down - 1) // (2 * up)
        return ((newest - self.delay) // self.per_frame + 1).at_least(self.frames - self.delays.ahead)

    def wrapped(self, heard: Value) -> Value:
        """Samples heard (1,) → as few as tell the same from here on (1,): fewer than two times `samples`.

        So that 32 bits, all that some programs have for them, never run out at a whole number of frames a second.
        """
        return heard - ((heard // self.samples).at_least(1) - 1) * self.samples


def stream_graph(model: CausalModel, voice: Voice, half: bool) -> Graph:
    """Samples (samples,) → curves (frames, channels) in [0, 1], and the states of DESCRIPTION.

    half: weights are kept in float16.
    """
    graph, clock, primed = Graph(half), Clock(model.delays, voice.delay), primed_memory(model, voice)
    samples = graph.input("samples", "samples")
    kept = graph.input("sound", clock.kept_samples)
    heard = graph.input("heard", 1, kind=TensorProto.INT64)
    memory = graph.input("memory", *primed.shape)
    at_first = graph.op("Equal", heard, 0)
    memory = graph.op("Where", at_first, primed, memory)
    before, sound = heard + clock.samples, graph.concat(kept, samples)
    told = clock.due(before)
    first = graph.op("Where", at_first, told.at_most(clock.frames), told)
    frames = graph.count(clock.due(before + graph.length(samples)) - first) + first
    x = _projected(model, voice, _heard_steps(clock, sound, frames, before - clock.kept_samples))
    carried = []
    for number, layer in enumerate(model.layers):
        x, last = _convolved(layer, voice.delay - model.delays.lowest, x, memory.take(number))
        carried.append(graph.op("Unsqueeze", last, np.array([0])))
    x = x.rows((first * -1 + clock.frames).at_least(0))  # those before the sound are told to nobody
    curves = finished(linear(x, model.head, model.head_bias), model.header.config.model.output, model.scale, model.mean)
    graph.output("curves", curves, "frames", len(model.channels))
    graph.output("next_sound", sound.rows(-clock.kept_samples), clock.kept_samples)
    graph.output("next_heard", clock.wrapped(heard + graph.length(samples)), 1, kind=TensorProto.INT64)
    graph.output("next_memory", graph.concat(*carried), *primed.shape)
    return graph


def primed_memory(model: CausalModel, voice: Voice) -> np.ndarray:
    """What a stream carries when its sound begins, of the silence before: (layers, kernel - 1, W)."""
    ear = Ear(model, voice)
    ear.hear(np.zeros(0, np.float32))
    if frames := min(ear.due, model.delays.ahead):
        model.curves(ear.take(frames)[None], [voice], [ear.memory])
    return ear.memory


def _heard_steps(clock: Clock, sound: Value, frames: Value, first_sample: Value) -> Value:
    """(frames, HEARD_STEPS · bands) of frames (frames,), from sound (samples,) that begins at first_sample (1,)."""
    grid = clock.delays.grid
    steps = (frames * clock.per_frame).column() + np.array(clock.delays.heard(clock.delay))
    starts = step_starts(steps, grid, 0) - first_sample
    windows = sound.take(starts.column() + np.arange(grid.window_size))
    return log_mel(windows, grid).reshape(-1, HEARD_STEPS * grid.settings.bands)


def _projected(model: CausalModel, voice: Voice, steps: Value) -> Value:
    """(frames, HEARD_STEPS · bands) → (frames, W): the projected steps, and the domain."""
    delay = voice.delay - model.delays.lowest
    normalised = (steps - model.step_means[delay]) / model.step_stds[delay]
    bias = np.concatenate([model.project_bias + model.delay_vectors[delay], voice.domain])
    return linear(normalised, np.pad(model.project, ((0, 0), (0, len(voice.domain)))), bias)


def _convolved(layer: Layer, delay: int, x: Value, before: Value) -> tuple[Value, Value]:
    """(frames, W) and (kernel - 1, W) → the same; as Layer's call of one stream. delay: counted from the lowest."""
    graph, width = x.graph, len(layer.bias)
    kernel = len(layer.weight) // width
    normed = graph.concat(before, layer_norm(x, layer.scale[delay], layer.offset[delay]))
    frames = graph.length(x)
    taps = normed.take(graph.count(frames).column() + np.arange(kernel)).reshape(-1, kernel * width)
    return x + gelu(linear(taps, layer.weight, layer.bias)), normed.rows(frames)
