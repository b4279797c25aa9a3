"""A decoder that hears ahead no further than its delay, run with numpy alone: torch would take longer to import.

It computes what model.decoder.Decoder does in eval mode, frames of many streams at a time, and carries what a
convolution still needs of the frames before.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import erf

from config.errors import UserError
from dataset.blendshapes import ARKIT, indices
from model.header import AVERAGED, WEIGHTS, Header, parse_header, read_header, read_tensors
from model.hub import find_checkpoint
from model.lookahead import HEARD_STEPS, delays_of

NORM_EPSILON = 1e-5  # torch's, of a layer norm


@dataclass
class Layer:
    """A residual convolution: its norm's scale and offset (delays, W), its weight (kernel · W, W) and bias (W,)."""

    scale: np.ndarray
    offset: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray, before: np.ndarray, delays: list[int]) -> np.ndarray:
        """x: (S, T, W); before: (S, kernel - 1, W), the normed frames before, which become the last ones of x.

        delays: each stream's, counted from the lowest.
        """
        streams, frames, width = x.shape
        kernel = len(self.weight) // width
        normed = np.concatenate([before, layer_norm(x) * self.scale[delays, None] + self.offset[delays, None]], axis=1)
        before[:] = normed[:, frames:]
        by_stream, by_frame, by_value = normed.strides
        strides = (by_stream, by_frame, by_frame, by_value)
        taps = np.lib.stride_tricks.as_strided(normed, (streams, frames, kernel, width), strides)
        flat = taps.reshape(streams * frames, kernel * width)
        return x + gelu(flat @ self.weight + self.bias).reshape(x.shape)


@dataclass(frozen=True)
class Voice:
    """What a stream says of itself: the columns of its domain, and its delay in steps."""

    domain: np.ndarray  # (domain size,)
    delay: int


class CausalModel:
    """A streaming checkpoint's weights. Raises UserError for one that cannot be read or hears whole windows."""

    def __init__(self, header: Header, weights: Mapping[str, np.ndarray], name: str) -> None:
        """weights: by the decoder's names; name: of the checkpoint, for errors."""
        delays = delays_of(header.config, header.fps)
        if delays is None:
            raise UserError(f"{name}: hears whole windows; to stream, train one with model.lookahead_ms")
        self.header, self.delays, self.fps, self.channels = header, delays, header.fps, header.channels
        stats = header.stats.select(header.channels)
        self.mean, self.scale = stats.mean.astype(np.float32), stats.scale(header.config.model.curve_scale)
        self.places = indices(ARKIT, header.channels)
        self._take(weights, name)

    def _take(self, weights: Mapping[str, np.ndarray], name: str) -> None:
        model, size = self.header.config.model, self.header.feature_size
        width, kernel = model.width + self.header.config.domain_size, model.conv_kernel

        def of(part: str, *shape: int) -> np.ndarray:
            found = weights.get(part)
            if found is None or found.shape != shape or not np.isfinite(found).all():
                raise UserError(f"{name}: {part} is not {list(shape)} finite numbers; take another checkpoint")
            return found.astype(np.float32)

        steps = self.delays.grid.settings.steps_per_frame * self.delays.grid.settings.bands
        if size != steps:
            raise UserError(f"{name}: takes features of {size} values, but its config's have {steps}")
        normalises = model.normalise_features
        per_frame = self.delays.grid.settings.steps_per_frame
        means = of("normalise.mean", size) if normalises else np.zeros(size, np.float32)
        stds = of("normalise.std", size) if normalises else np.ones(size, np.float32)
        delays = range(self.delays.lowest, self.delays.highest + 1)
        places = [np.asarray(self.delays.heard(delay)) + self.delays.grid.settings.context_steps for delay in delays]
        self.step_means, self.step_stds = (
            np.stack([values.reshape(per_frame, -1)[place % per_frame].reshape(-1) for place in places])
            for values in (means, stds)
        )
        heard = HEARD_STEPS * self.delays.grid.settings.bands
        self.project = np.ascontiguousarray(of("project.linear.weight", model.width, heard).T)
        self.project_bias = of("project.linear.bias", model.width)
        self.delay_vectors = of("project.delay.weight", self.delays.count, model.width)
        domains, columns = len(self.header.config.data.domains), self.header.config.domain_size
        self.domain_vectors = of("domain.weight", domains, columns) if columns else np.zeros((domains, 0), np.float32)
        self.layers = [self._layer(of, f"front.{number}", width, kernel) for number in range(model.conv_layers)]
        self.head = of("head.linear.weight", len(self.channels), width).T
        self.head_bias = of("head.linear.bias", len(self.channels))

    def _layer(self, of: Callable[..., np.ndarray], name: str, width: int, kernel: int) -> Layer:
        by_delay, shift = np.split(of(f"{name}.film.weight", self.delays.count, 2 * width), 2, axis=1)
        scale, offset = of(f"{name}.norm.weight", width), of(f"{name}.norm.bias", width)
        weight = of(f"{name}.conv.weight", width, width, kernel).transpose(2, 1, 0).reshape(-1, width)
        by_delay = 1 + by_delay
        bias = of(f"{name}.conv.bias", width)
        return Layer(scale * by_delay, offset * by_delay + shift, np.ascontiguousarray(weight), bias)

    def voice(self, domain: str | None, lookahead_ms: float | None) -> Voice:
        """What a stream is run with: a domain's name, None the first; look-ahead in ms, None the largest.

        Raises UserError for a domain or a look-ahead that was not trained.
        """
        return Voice(self.domain_vectors[self.header.domain_number(domain)], self.delays.at(lookahead_ms))

    def memory(self) -> np.ndarray:
        """What a stream carries from frame to frame, before its first: (layers, kernel - 1, W)."""
        model = self.header.config.model
        return np.zeros((model.conv_layers, model.conv_kernel - 1, len(self.head)), np.float32)

    def curves(self, steps: np.ndarray, voices: list[Voice], memories: list[np.ndarray]) -> np.ndarray:
        """Curves (S, T, channels) of the next T frames of S streams, whose memories go on with them.

        steps: (S, T, HEARD_STEPS · bands), the newest log-mel steps that each stream hears for each frame.
        """
        delays = [voice.delay - self.delays.lowest for voice in voices]
        x = self._projected(steps, voices, delays)
        for number, layer in enumerate(self.layers):
            before = np.stack([memory[number] for memory in memories])
            x = layer(x, before, delays)
            for memory, carried in zip(memories, before, strict=True):
                memory[number] = carried
        normalised = x @ self.head + self.head_bias
        if self.header.config.model.output == "tanh":
            normalised = np.tanh(normalised)
        return normalised * self.scale + self.mean

    def _projected(self, steps: np.ndarray, voices: list[Voice], delays: list[int]) -> np.ndarray:
        """(S, T, HEARD_STEPS · bands) → (S, T, W): the projected steps, and each stream's domain."""
        normalised = (steps - self.step_means[delays, None]) / self.step_stds[delays, None]
        told = normalised @ self.project + (self.project_bias + self.delay_vectors[delays, None])
        domains = np.stack([voice.domain for voice in voices])[:, None].repeat(steps.shape[1], axis=1)
        return np.concatenate([told, domains], axis=2)


def load_causal(path: str | Path) -> CausalModel:
    """The streaming checkpoint of a file, a folder or a hub id. Raises UserError as CausalModel does."""
    path = find_checkpoint(path)
    tensors, metadata = read_tensors(path, "numpy")
    prefix = AVERAGED if any(name.startswith(AVERAGED) for name in tensors) else WEIGHTS
    weights = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return CausalModel(parse_header(path, metadata), weights, str(path))


def can_stream(path: Path) -> bool:
    """Whether a checkpoint is one that streams; an ensemble's folder is none. Raises UserError as load_causal does."""
    if path.is_dir():
        return False
    header = read_header(path)
    return delays_of(header.config, header.fps) is not None


def layer_norm(x: np.ndarray) -> np.ndarray:
    """(…, W) → the same shape, of mean 0 and variance 1 along W."""
    width = np.float32(x.shape[-1])  # mean() takes longer than all else here
    centred = x - np.add.reduce(x, axis=-1, keepdims=True) / width
    variance = np.add.reduce(np.square(centred), axis=-1, keepdims=True) / width
    return centred / np.sqrt(variance + np.float32(NORM_EPSILON))


def gelu(x: np.ndarray) -> np.ndarray:
    """x · Φ(x), exactly: Hendrycks & Gimpel, Gaussian Error Linear Units (2016); any shape."""
    return x * (0.5 * (1 + erf(x * np.float32(math.sqrt(0.5)))))
