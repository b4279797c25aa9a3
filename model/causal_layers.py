"""Layers that do not hear what comes after: a frame's curves are told from the past and a look-ahead that is drawn."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, pad

from model.layers import ConvLayer
from model.lookahead import Delays


class HeardSteps(nn.Module):
    """A projection of the steps around each frame, those of them that are heard at its delay, and of the delay itself.

    What is not heard yet is 0, which is the mean of normalised features. So whatever the delay, a step at a given
    distance from the frame meets the same weights, and one projection serves all delays.
    """

    heard: Tensor

    def __init__(self, delays: Delays, feature_size: int, width: int) -> None:
        super().__init__()
        self.lowest, self.highest, self.frames = delays.lowest, delays.highest, delays.frames
        self.linear = nn.Linear(delays.frames * feature_size, width)
        self.delay = nn.Embedding.from_pretrained(torch.zeros(delays.count, width), freeze=False)
        steps = torch.arange(delays.steps) + delays.first_step
        allowed = torch.arange(delays.lowest, delays.highest + 1)
        self.register_buffer("heard", (steps <= allowed[:, None]).float(), persistent=False)  # (delays, steps)

    def forward(self, features: Tensor, delay: Tensor | None) -> Tensor:
        """features: (B, T + frames - 1, size), FRAMES_BEFORE frames early; delay: (B,) int64 steps → (B, T, width).

        delay None: drawn for each example in training, else the highest.
        """
        if delay is None:
            delay = self._drawn(features) if self.training else features.new_full((len(features),), self.highest).long()
        number = delay - self.lowest
        stacked = features.unfold(1, self.frames, 1).transpose(2, 3)  # (B, T, frames, size)
        heard = self.heard[number].view(len(features), 1, self.frames, -1, 1)
        steps = stacked.unflatten(3, (heard.shape[3], -1)) * heard  # (B, T, frames, steps a frame, bands)
        return self.linear(steps.flatten(2)) + self.delay(number)[:, None]

    def _drawn(self, features: Tensor) -> Tensor:
        return torch.randint(self.lowest, self.highest + 1, (len(features),), device=features.device)


class CausalConvLayer(ConvLayer):
    """A residual convolution over a frame and those before it."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, width) → (B, T, width)."""
        weight = self.conv.weight
        before = pad(self.norm(x).transpose(1, 2), (weight.shape[2] - 1, 0))
        return x + self.dropout(gelu(conv1d(before, weight, self.conv.bias).transpose(1, 2)))
