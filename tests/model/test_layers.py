"""The layers are torch's own without dropout; with it, they compute what dropout is, on masks of the right odds."""

import pytest
import torch
from torch import Tensor, nn

from model import layers
from model.layers import DecoderLayer, Dropout, EncoderLayer, drop

WIDTH, HEADS, WIDE, P = 6, 2, 40, 0.25


def pair(kind: str, dropout: float) -> tuple[nn.Module, nn.Module, tuple[Tensor, ...]]:
    """(our layer, torch's with the same weights, its inputs), in float64."""
    torch.manual_seed(0)
    ours = EncoderLayer if kind == "encoder" else DecoderLayer
    theirs = nn.TransformerEncoderLayer if kind == "encoder" else nn.TransformerDecoderLayer
    layer, plain = ours(WIDTH, HEADS, WIDE, dropout), theirs(WIDTH, HEADS, WIDE, dropout, batch_first=True)
    for weight in plain.parameters():
        nn.init.normal_(weight)  # biases too, which torch begins with zeros
    layer.load_state_dict(plain.state_dict())
    inputs = (torch.randn(3, 7, WIDTH), torch.randn(3, 9, WIDTH))
    count = 1 if kind == "encoder" else 2
    return layer.double(), plain.double(), tuple(x.double().requires_grad_() for x in inputs[:count])


def output_and_gradients(layer: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    output = layer(*inputs)
    weigh = torch.arange(output.numel()).view_as(output).double().cos()
    return [output, *torch.autograd.grad((output * weigh).sum(), (*inputs, *layer.parameters()))]


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("training", [True, False])
def test_without_dropout_a_layer_is_torchs(kind: str, training: bool) -> None:
    layer, plain, inputs = pair(kind, dropout=0.0)
    got = output_and_gradients(layer.train(training), inputs)
    torch.testing.assert_close(got, output_and_gradients(plain.train(training), inputs))


def draw(x: Tensor) -> Tensor:
    """The same for the same shape, whatever was drawn before, so that neither side's order of draws matters."""
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(x.numel())).to(x) >= P


def dropped(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return x * draw(x) / (1 - P) if training and p else x


def attend(q: Tensor, k: Tensor, v: Tensor, mask: None = None, dropout_p: float = 0.0, *_: bool) -> Tensor:
    shares = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return dropped(shares, dropout_p) @ v


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("ours", [True, False], ids=["our masks", "torch's masks"])
def test_with_dropout_a_layer_is_torchs_under_the_same_masks(
    kind: str, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, plain, inputs = pair(kind, dropout=P)
    monkeypatch.setattr(nn.functional, "dropout", dropped)
    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", attend)
    expected = output_and_gradients(plain, inputs)
    if ours:
        monkeypatch.setattr(layers, "drop", dropped)
        monkeypatch.setattr(layers, "_masks_are_ours", lambda x: True)
        monkeypatch.delattr(nn.functional, "scaled_dot_product_attention")
    torch.testing.assert_close(output_and_gradients(layer, inputs), expected)
    monkeypatch.undo()
    assert not torch.allclose(layer(*inputs), layer.eval()(*inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_each_value_is_dropped_with_the_odds_given(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    repeats, size = 4000, 23  # a size with a tail that fills no whole draw
    kept = torch.stack([drop(torch.ones(size, dtype=dtype), p) for _ in range(repeats)])
    (nothing, scaled) = kept.unique().tolist()
    assert nothing == 0 and scaled == pytest.approx(1 / (1 - p), rel=2**-16 / (1 - p))
    masks = (kept > 0).double()
    error = (p * (1 - p) / repeats) ** 0.5
    assert ((masks.mean(dim=0) - (1 - p)).abs() < 5 * error).all(), "every place alike, the tail's too"
    together = (masks.T @ masks) / repeats - (1 - p) ** 2
    assert (together.fill_diagonal_(0).abs() < 6 * error).all(), "no two places together"


def test_masks_are_a_function_of_torchs_random_state() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, second = (drop(torch.ones(1000), 0.5) for _ in range(2))
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert all(torch.equal(drop(torch.ones(1000), 0.5), mask) for mask in (first, second))


def test_what_is_kept_is_scaled_and_has_the_gradient() -> None:
    values = torch.randn(101, requires_grad=True)
    thinned = drop(values, 0.5)
    (gradient,) = torch.autograd.grad(thinned.sum(), values)
    kept = thinned != 0
    assert torch.equal(thinned[kept], 2 * values[kept]) and 20 < kept.sum() < 80
    assert torch.equal(gradient, 2.0 * kept)


def test_dropout_is_for_training_alone() -> None:
    values = torch.randn(101)
    assert torch.equal(Dropout(0.5).eval()(values), values) and torch.equal(Dropout(0.0)(values), values)
    assert not torch.equal(Dropout(0.5)(values), values)
