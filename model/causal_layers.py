"""Layers that do not hear what comes after: at any of several delays, from what has been heard by then."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, pad

from model.layers import ConvLayer
from model.lookahead import HEARD_STEPS, Delays


class HeardSteps(nn.Module):
    """A projection of the newest steps that have been heard when a frame is told at its delay, and of the delay itself.

    So whatever the delay, the newest step meets the same weights: what lies ahead of a frame passes all that follows,
    as what lies behind it does.
    """

    def __init__(self, delays: Delays, feature_size: int, width: int) -> None:
        super().__init__()
        self.delays = delays
        self.linear = nn.Linear(HEARD_STEPS * feature_size // delays.grid.settings.steps_per_frame, width)
        self.delay = nn.Embedding.from_pretrained(torch.zeros(delays.count, width), freeze=False)

    def forward(self, features: Tensor, number: Tensor) -> Tensor:
        """features: (B, T + frames - 1, size); number: (B,), of a delay → (B, T, width)."""
        per_frame, frames = self.delays.grid.settings.steps_per_frame, features.shape[1] - self.delays.frames + 1
        steps = features.unflatten(2, (per_frame, -1)).flatten(1, 2)
        first = number + (self.delays.heard(self.delays.lowest)[0] - self.delays.first_step)
        heard = torch.arange(frames)[:, None] * per_frame + torch.arange(HEARD_STEPS)
        places = (first[:, None, None] + heard.to(first)).flatten(1)
        taken = steps.gather(1, places[..., None].expand(-1, -1, steps.shape[2]))
        return self.linear(taken.unflatten(1, (frames, -1)).flatten(2)) + self.delay(number)[:, None]


class CausalConvLayer(ConvLayer):
    """A residual convolution over a frame and those before it, which scales and shifts its input by the delay.

    The scale and shift (Perez et al. 2018, FiLM: Visual Reasoning with a General Conditioning Layer) begin as nothing.
    """

    def __init__(self, width: int, kernel: int, dropout: float, delays: int) -> None:
        super().__init__(width, kernel, dropout)
        self.film = nn.Embedding.from_pretrained(torch.zeros(delays, 2 * width), freeze=False)

    def forward(self, x: Tensor, number: Tensor) -> Tensor:  # type: ignore[override]  # a layer of its own
        """x: (B, T, width); number: (B,) of a delay → (B, T, width)."""
        scale, shift = self.film(number)[:, None].chunk(2, dim=-1)
        weight = self.conv.weight
        before = pad((self.norm(x) * (1 + scale) + shift).transpose(1, 2), (weight.shape[2] - 1, 0))
        return x + self.dropout(gelu(conv1d(before, weight, self.conv.bias).transpose(1, 2)))


class CausalFront(nn.ModuleList):
    """Causal convolutions, one after the other, of which the first `ahead` frames are for those that follow."""

    def __init__(self, layers: Iterable[CausalConvLayer], ahead: int) -> None:
        super().__init__(layers)
        self.ahead = ahead

    def forward(self, x: Tensor, number: Tensor) -> Tensor:
        """x: (B, ahead + T, width); number: (B,) of a delay → (B, T, width)."""
        for layer in self:
            x = layer(x, number)
        return x[:, self.ahead :]
