"""From speech features to normalised curves: a projection, attention over a window, and a head."""

import math

import torch
from torch import Tensor, nn

from config.schema import Config, Model, Text
from dataset.text_units import NONE, UNITS
from model.causal_layers import CausalConvLayer, CausalFront, HeardSteps
from model.layers import ConvLayer, DecoderLayer, Dropout, EncoderLayer
from model.lookahead import Delays, delays_of


class Decoder(nn.Module):
    """Speech features of a window, what is said and the clip's domain → curves normalised by the training stats.

    A domain is a vector, at first its one-hot, which is concatenated to the projected features.
    The reference decoder is projection → one-hot → one encoder layer → one decoder layer (target: the encoder's output,
    memory: the encoder's input) → head; the rest of `model:` in the config adds to it.
    With delays, a frame depends on the past and a look-ahead alone, and features have the delays' margin around T.
    """

    def __init__(
        self,
        config: Model,
        feature_size: int,
        domains: int,
        domain_size: int,
        channels: int,
        text: Text | None = None,
        delays: Delays | None = None,
    ) -> None:
        super().__init__()
        self.delays = delays
        width = config.width + domain_size + (text.embedding if text else 0)
        self.normalise = FeatureNorm(feature_size) if config.normalise_features else nn.Identity()
        self.project = (
            HeardSteps(delays, feature_size, config.width) if delays else nn.Linear(feature_size, config.width)
        )
        self.domain = domain_vectors(domains, domain_size) if domain_size else None
        self.text = TextEmbedding(text.embedding, text.drop) if text else None
        shape = width, config.conv_kernel, config.dropout
        self.front = (
            CausalFront((CausalConvLayer(*shape, delays.count) for _ in range(config.conv_layers)), delays.ahead)
            if delays
            else nn.Sequential(*(ConvLayer(*shape) for _ in range(config.conv_layers)))
        )
        self.position = SinusoidalPosition(width) if config.positional == "sinusoidal" else nn.Identity()
        self.encoder = nn.ModuleList(_layers(EncoderLayer, config.encoder_layers, width, config))
        self.decoder = nn.ModuleList(_layers(DecoderLayer, config.decoder_layers, width, config))
        self.head = CurveHead(width, channels, config.head_dropout, config.output)

    def forward(
        self,
        features: Tensor,
        domain: Tensor,
        unit: Tensor | None = None,
        position: Tensor | None = None,
        delay: Tensor | None = None,
    ) -> Tensor:
        """features: (B, T, feature size), at motion rate; domain: (B,) int64 → (B, T, channels), normalised.

        The others as `hidden` has them.
        """
        return self.head(self.hidden(features, domain, unit, position, delay))

    def hidden(
        self,
        features: Tensor,
        domain: Tensor,
        unit: Tensor | None = None,
        position: Tensor | None = None,
        delay: Tensor | None = None,
    ) -> Tensor:
        """What the head sees: (B, T, width), from features (B, T, feature size) at motion rate; domain: (B,) int64.

        domain: its number, or a vector in its place, (B, domain size) float32, which may be none of those trained.
        unit, position: (B, T), a text stream as dataset.text_stream gives it; None: without a transcript.
        delay: (B,) int64, steps as model.lookahead counts them; None: drawn in training, else the highest.
        """
        told = () if self.delays is None else (self._number(self.delays, features, delay),)
        x = self.project(self.normalise(features), *told)
        B, T, _ = x.shape
        if self.domain:
            vector = domain if domain.is_floating_point() else self.domain(domain)
            x = torch.cat([x, vector[:, None].expand(B, T, -1)], dim=-1)
        if self.text:
            if unit is None or position is None:
                unit, position = features.new_full((B, T), NONE), features.new_zeros(B, T)
            x = torch.cat([x, self.text(unit, position)], dim=-1)
        memory = encoded = self.position(self.front(x, *told))
        for layer in self.encoder:
            encoded = layer(encoded)
        decoded = encoded
        for layer in self.decoder:
            decoded = layer(decoded, memory)
        return decoded

    def _number(self, delays: Delays, features: Tensor, delay: Tensor | None) -> Tensor:
        """(B,) int64: which of the delays each example is told at."""
        if delay is not None:
            return delay - delays.lowest
        examples = (len(features),)
        if self.training:
            return torch.randint(delays.count, examples, device=features.device)
        return torch.full(examples, delays.count - 1, device=features.device)


def _layers(kind: type[EncoderLayer | DecoderLayer], count: int, width: int, config: Model) -> list[nn.Module]:
    return [kind(width, config.heads, config.feedforward, config.dropout) for _ in range(count)]


def domain_vectors(domains: int, size: int) -> nn.Embedding:
    """The vector of each domain, (domains, size): one-hots where there are columns enough, else random directions."""
    vectors = torch.eye(domains, size) if domains <= size else torch.randn(domains, size) * size**-0.5
    return nn.Embedding.from_pretrained(vectors, freeze=False)


class CurveHead(nn.Module):
    """What the decoder ends in: a linear layer to the channels; tanh bounds normalised curves to mean ± 1 std."""

    def __init__(self, width: int, channels: int, dropout: float, output: str) -> None:
        super().__init__()
        self.linear = nn.Linear(width, channels)
        self.dropout = Dropout(dropout)
        self.is_bounded = output == "tanh"
        self.bound = nn.Tanh() if self.is_bounded else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, width) → (B, T, channels)."""
        return self.bound(self.dropout(self.linear(x)))


class FeatureNorm(nn.Module):
    """Features normalised by the training clips' mean and std, size by size; never per clip, so that they stream."""

    mean: Tensor
    std: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def forward(self, features: Tensor) -> Tensor:
        """features: (…, size) → the same shape, of mean 0 and std 1 over the training clips."""
        return (features - self.mean) / self.std


class TextEmbedding(nn.Module):
    """What is said at a frame: its unit's embedding, and in the last column how far the unit has come.

    In training the text of a share `drop` of the examples is hidden, so that the model knows the sound alone as well.
    """

    def __init__(self, size: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.units = nn.Embedding(len(UNITS), size - 1)

    def forward(self, unit: Tensor, position: Tensor) -> Tensor:
        """unit: (B, T) numbers in dataset.text_units.UNITS; position: (B, T) within it, 0 to 1 → (B, T, size)."""
        if self.training and self.drop:
            hidden = torch.rand(len(unit), 1, device=unit.device) < self.drop
            unit, position = unit.masked_fill(hidden, NONE), position.masked_fill(hidden, 0)
        return torch.cat([self.units(unit.long()), position[..., None]], dim=-1)


class SinusoidalPosition(nn.Module):
    """Adds the frame's position in the window as sines and cosines (Vaswani et al. 2017, section 3.5)."""

    rates: Tensor

    def __init__(self, width: int, longest_period: float = 10_000.0) -> None:
        super().__init__()
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(longest_period) / width))
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, width) → (B, T, width)."""
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * self.rates
        waves = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, : x.shape[2]]
        return x + waves.to(x.dtype)


def build_decoder(config: Config, feature_size: int, channels: int) -> Decoder:
    """The decoder that the config's `model:` and `text:` describe, with random weights.

    feature_size: values a frame of speech features; channels: curves to predict.
    """
    text = config.text if config.text_size else None
    domains, delays = len(config.data.domains), delays_of(config, config.data.fps)
    return Decoder(config.model, feature_size, domains, config.domain_size, channels, text, delays)
