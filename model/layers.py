"""Attention layers as torch has them, parameter for parameter, with dropout that costs less on a CPU.

There torch spends a fifth of a training step of config/default.yml on dropout's random numbers. On a GPU all is torch's
own, fused attention included.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Dropout):
    """nn.Dropout by masks of `drop`."""

    def forward(self, input: Tensor) -> Tensor:
        """input: any shape → the same shape."""
        return drop(input, self.p) if self.training else input


class EncoderLayer(nn.TransformerEncoderLayer):
    """nn.TransformerEncoderLayer(batch_first=True) without masks."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__(width, heads, feedforward, dropout, batch_first=True)
        self.dropout, self.dropout1, self.dropout2 = (Dropout(dropout) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no masks
        """x: (B, T, width) → (B, T, width)."""
        x = self.norm1(x + self.dropout1(_attend(self.self_attn, x, x)))
        return self.norm2(x + self.dropout2(_feed_forward(self, x)))


class DecoderLayer(nn.TransformerDecoderLayer):
    """nn.TransformerDecoderLayer(batch_first=True) without masks."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__(width, heads, feedforward, dropout, batch_first=True)
        self.dropout, self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:  # type: ignore[override]  # no masks
        """x: (B, T, width), memory: (B, T2, width) → (B, T, width)."""
        x = self.norm1(x + self.dropout1(_attend(self.self_attn, x, x)))
        x = self.norm2(x + self.dropout2(_attend(self.multihead_attn, x, memory)))
        return self.norm3(x + self.dropout3(_feed_forward(self, x)))


def drop(x: Tensor, p: float) -> Tensor:
    """x with each value zeroed with probability p < 1, the others scaled so that the mean stays; any shape.

    A function of torch's random state. p is rounded to a multiple of 2⁻¹⁶ where our own masks are cheaper than torch's.
    """
    if not p:
        return x
    if not _masks_are_ours(x):
        return functional.dropout(x, p)
    from model.dropout_kernel import LEVELS, fill_mask

    mask, dropped = torch.empty_like(x, memory_format=torch.contiguous_format, requires_grad=False), round(p * LEVELS)
    fill_mask(mask.view(-1).numpy(), int(torch.randint(2**63 - 1, ())), dropped, LEVELS / (LEVELS - dropped))
    return x * mask


def _masks_are_ours(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _feed_forward(layer: EncoderLayer | DecoderLayer, x: Tensor) -> Tensor:
    return layer.linear2(layer.dropout(layer.linear1(x).relu()))


def _attend(attention: nn.MultiheadAttention, x: Tensor, memory: Tensor) -> Tensor:
    """What x asks of memory, (B, T, width) and (B, T2, width) → (B, T, width)."""
    B, T, width = x.shape
    heads, p = attention.num_heads, attention.dropout if attention.training else 0.0
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if x is memory:
        query, key, value = functional.linear(x, weight, bias).chunk(3, dim=-1)
    else:
        query = functional.linear(x, weight[:width], bias[:width])
        key, value = functional.linear(memory, weight[width:], bias[width:]).chunk(2, dim=-1)
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    if p and _masks_are_ours(x):
        shares = (query * (width // heads) ** -0.5 @ key.transpose(2, 3)).softmax(dim=-1)
        mixed = drop(shares, p) @ value
    else:
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=p)
    return attention.out_proj(mixed.transpose(1, 2).reshape(B, T, width))


class ConvLayer(nn.Module):
    """A residual convolution over time: what a frame's neighbours say, in order. kernel: motion frames."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, padding="same")
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, width) → (B, T, width)."""
        y = self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.dropout(nn.functional.gelu(y))
