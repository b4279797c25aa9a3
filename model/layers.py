"""Attention layers as torch has them, parameter for parameter, that train faster: the same sums, cheaper dropout.

On a CPU, torch spends more of a training step on dropout's random numbers, its masks and the copies of biases over a
wide feed-forward than on the matrix products.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class EncoderLayer(nn.TransformerEncoderLayer):
    """nn.TransformerEncoderLayer(batch_first=True) without masks; (B, T, width) → (B, T, width)."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__(width, heads, feedforward, dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no masks
        x = self.norm1(x + dropout(_attend(self.self_attn, x, x), self.dropout1))
        return self.norm2(x + dropout(_feed_forward(self, x), self.dropout2))


class DecoderLayer(nn.TransformerDecoderLayer):
    """nn.TransformerDecoderLayer(batch_first=True) without masks; (B, T, width), (B, T2, width) → (B, T, width)."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__(width, heads, feedforward, dropout, batch_first=True)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:  # type: ignore[override]
        x = self.norm1(x + dropout(_attend(self.self_attn, x, x), self.dropout1))
        x = self.norm2(x + dropout(_attend(self.multihead_attn, x, memory), self.dropout2))
        return self.norm3(x + dropout(_feed_forward(self, x), self.dropout3))


def dropout(x: Tensor, layer: nn.Dropout) -> Tensor:
    """What the layer does to x."""
    return _thinned(x, layer.p) if layer.training and layer.p else x


def thin_(x: Tensor, p: float) -> float:
    """Zero each value with probability p, in place; the share that is left on average.

    Reproducible from torch's random state. The share is 1 - p to within 2⁻¹⁷ on a CPU.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32:
        x.mul_(torch.rand_like(x) >= p)
        return 1 - p
    from model.dropout_kernel import LEVELS, zero_some

    dropped = round(p * LEVELS)
    zero_some(x.view(-1).numpy(), int(torch.randint(2**63 - 1, ())), dropped)
    return 1 - dropped / LEVELS


def _thinned(x: Tensor, p: float) -> Tensor:
    mask = torch.ones_like(x, memory_format=torch.contiguous_format, requires_grad=False)
    return x * mask.div_(thin_(mask, p))


def _feed_forward(layer: EncoderLayer | DecoderLayer, x: Tensor) -> Tensor:
    # The bias is one more input's weight: a pass over the widest tensor less, forward and backward.
    weight = torch.cat([layer.linear1.weight, layer.linear1.bias[:, None]], dim=1)
    hidden = functional.linear(functional.pad(x, (0, 1), value=1.0), weight)
    weight = layer.linear2.weight
    if layer.training and layer.dropout.p:
        # What is zero before the relu has no gradient through it: the relu's own mask is the dropout's too.
        weight = weight / thin_(hidden.detach(), layer.dropout.p)
    return functional.linear(hidden.relu_(), weight, layer.linear2.bias)


def _attend(attention: nn.MultiheadAttention, x: Tensor, memory: Tensor) -> Tensor:
    """What x asks of memory, (B, T, width) and (B, T2, width) → (B, T, width)."""
    B, T, width = x.shape
    heads = attention.num_heads
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if x is memory:
        query, key, value = functional.linear(x, weight, bias).chunk(3, dim=-1)
    else:
        query = functional.linear(x, weight[:width], bias[:width])
        key, value = functional.linear(memory, weight[width:], bias[width:]).chunk(2, dim=-1)
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    if attention.training and attention.dropout:
        shares = (query * (width // heads) ** -0.5 @ key.transpose(2, 3)).softmax(dim=-1)
        mixed = _thinned(shares, attention.dropout) @ value
    else:
        mixed = functional.scaled_dot_product_attention(query, key, value)
    return attention.out_proj(mixed.transpose(1, 2).reshape(B, T, width))
