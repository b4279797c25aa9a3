"""The layers are torch's own without dropout; with it, they compute what dropout is, on masks of the right odds."""

import pytest
import torch
from torch import Tensor, nn

from model import layers
from model.layers import DecoderLayer, EncoderLayer, thin_

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


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_with_dropout_a_layer_is_torchs_under_the_same_masks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(x: Tensor) -> Tensor:
        """The same for the same shape, whatever was drawn before, so that neither side's order of draws matters."""
        return torch.rand(x.shape, generator=torch.Generator().manual_seed(x.numel()), dtype=x.dtype) >= P

    def dropped(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return x * draw(x) / (1 - P) if training and p else x

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: None, p: float, *_: bool) -> Tensor:
        shares = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
        return dropped(shares, p) @ v

    layer, plain, inputs = pair(kind, dropout=P)
    monkeypatch.setattr(layers, "thin_", lambda x, p: (x.mul_(draw(x)), 1 - p)[1])
    got = output_and_gradients(layer, inputs)
    monkeypatch.setattr(nn.functional, "dropout", dropped)
    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", attend)
    torch.testing.assert_close(got, output_and_gradients(plain, inputs))
    monkeypatch.undo()
    assert not torch.allclose(got[0], layer.eval()(*inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_each_value_is_dropped_with_the_odds_given(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    repeats, size = 4000, 23  # a size with a tail that fills no whole draw
    masks = torch.ones(repeats, size, dtype=dtype)
    shares = {thin_(row, p) for row in masks}
    assert set(masks.unique().tolist()) == {0, 1} and shares.pop() == pytest.approx(1 - p, abs=1e-5) and not shares
    error = (p * (1 - p) / repeats) ** 0.5
    assert ((masks.mean(dim=0) - (1 - p)).abs() < 5 * error).all(), "every place alike, the tail's too"
    together = (masks.double().T @ masks.double()) / repeats - (1 - p) ** 2
    assert (together.fill_diagonal_(0).abs() < 6 * error).all(), "no two places together"


def test_masks_are_a_function_of_torchs_random_state() -> None:
    def masks() -> list[Tensor]:
        drawn = [torch.ones(1000), torch.ones(1000)]
        assert [thin_(mask, 0.5) for mask in drawn] == [0.5, 0.5]
        return drawn

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, second = masks()
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert all(map(torch.equal, masks(), (first, second)))


def test_what_is_kept_is_not_touched() -> None:
    values = torch.randn(101)
    thinned = values.clone()
    thin_(thinned, 0.5)
    assert torch.equal(thinned[thinned != 0], values[thinned != 0]) and 20 < (thinned == 0).sum() < 80
