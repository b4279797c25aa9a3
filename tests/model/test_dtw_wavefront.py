"""The device's road of the DTW loss against the CPU's kernel; it runs on CPU tensors here, called by its own name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from model import dtw_wavefront
from model.dtw_loss import dtw_loss
from model.dtw_wavefront import wavefront_loss

LENGTHS = [(1, 1), (1, 6), (6, 1), (2, 3), (16, 16), (17, 15), (40, 55), (55, 40), (3, 80), (80, 3)]
BANDS = [None, 0, 1, 3, 1000]


def curves(n: int, m: int, batch: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n * 1000 + m)
    x, y = (torch.randn(batch, frames, 37, generator=generator).cumsum(1).to(dtype) for frames in (n, m))
    return x, y


def few_values(n: int, m: int, batch: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Integers, whose costs have no rounding error, so that a great many paths tie."""
    generator = torch.Generator().manual_seed(n * 1000 + m)
    x, y = (torch.randint(0, 2, (batch, frames, 3), generator=generator).to(dtype) for frames in (n, m))
    return x, y


def with_gradients(loss: Callable[..., Tensor], x: Tensor, y: Tensor, band: int | None) -> tuple[Tensor, ...]:
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    value = loss(x, y, band=band)
    return value.detach(), *torch.autograd.grad(3 * value, (x, y))


def assert_is_the_kernel(x: Tensor, y: Tensor, band: int | None = None) -> None:
    ours, kernel = (with_gradients(loss, x, y, band) for loss in (wavefront_loss, dtw_loss))
    tolerance = 1e-5 if x.dtype == torch.float32 else 1e-12
    for result, expected in zip(ours, kernel, strict=True):
        torch.testing.assert_close(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize(("n", "m"), LENGTHS)
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("make", [curves, few_values])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradients_are_those_of_the_kernel(
    n: int, m: int, band: int | None, batch: int, make: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype
) -> None:
    assert_is_the_kernel(*make(n, m, batch, dtype), band)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_where_everything_ties(value: float) -> None:
    assert_is_the_kernel(torch.full((2, 20, 4), value), torch.zeros(2, 31, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_of_training(dtype: torch.dtype) -> None:
    assert_is_the_kernel(*curves(55, 55, 128, dtype))


def test_costs_may_be_summed_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = curves(20, 31, 4, torch.float64)
    expected = with_gradients(wavefront_loss, x, y, None)
    for chunk in (1, 20 * 4 * 37 * 7, 20 * 4 * 37 * 50):
        monkeypatch.setattr(dtw_wavefront, "CHUNK", chunk)
        torch.testing.assert_close(with_gradients(wavefront_loss, x, y, None), expected, rtol=0, atol=0)


@pytest.mark.parametrize("band", [None, 2])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (7, 7), (5, 9), (18, 17)])
def test_gradient_is_the_numerical_one(n: int, m: int, band: int | None) -> None:
    x, y = (tensor[..., :3].clone().requires_grad_() for tensor in curves(n, m, 2, torch.float64))
    assert torch.autograd.gradcheck(lambda a, b: wavefront_loss(a, b, band), (x, y))


def test_views_with_any_strides_are_fine() -> None:
    x, y = curves(20, 30, 4, torch.float64)
    expected = with_gradients(wavefront_loss, x, y, None)
    strided = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    wide = torch.stack([y, y], dim=-1)[..., 0]
    torch.testing.assert_close(with_gradients(wavefront_loss, strided, wide, None), expected, rtol=0, atol=0)


def test_an_offset_shared_by_both_costs_no_accuracy() -> None:
    x, y = ((tensor * 1e-2 + 100).float() for tensor in curves(55, 55, 4, torch.float64))
    assert wavefront_loss(x, y).item() == pytest.approx(dtw_loss(x.double(), y.double()).item(), rel=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("frames", [slice(None), slice(0, 1), slice(39, 40)])
@pytest.mark.parametrize("band", [None, 4])
def test_what_is_not_finite_shows_in_the_loss(bad: float, frames: slice, band: int | None) -> None:
    x, y = curves(40, 33, 3, torch.float32)
    x[1, frames] = bad
    value, x_gradient, y_gradient = with_gradients(wavefront_loss, x, y, band)
    assert not value.isfinite()
    for gradient in (x_gradient, y_gradient):
        assert gradient[[0, 2]].isfinite().all()


# ---- the host never waits ----

WAITS = {"_local_scalar_dense", "item", "nonzero", "masked_select", "equal", "is_nonzero", "unique2", "_to_copy"}


class NoWaiting(TorchDispatchMode):
    """Fails at operations that read a value of the device, or whose shape depends on one, or that may move data."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert function.overloadpacket.__name__ not in WAITS
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("band", [None, 3])
def test_no_value_is_read_and_nothing_is_moved(band: int | None) -> None:
    x, y = curves(20, 30, 4, torch.float32)
    x.requires_grad_()
    with NoWaiting():
        wavefront_loss(x, y, band).backward()
    assert x.grad is not None
    with NoWaiting(), pytest.raises(AssertionError):
        x.sum().item()


@pytest.mark.parametrize("band", [None, 3])
def test_a_tensor_of_another_device_stays_there(band: int | None) -> None:
    """On the device `meta`, which has shapes and no values, whatever reads a value fails."""
    prediction = torch.empty(4, 20, 37, device="meta", dtype=torch.bfloat16, requires_grad=True)
    target = torch.empty(4, 30, 37, device="meta")
    loss = dtw_loss(prediction, target, band=band)
    loss.backward()
    assert loss.shape == () and loss.dtype == torch.float32 and loss.is_meta
    assert prediction.grad is not None and prediction.grad.is_meta


def test_options_are_checked_on_any_device() -> None:
    x = torch.empty(2, 5, 3, device="meta")
    with pytest.raises(ValueError, match="band is -1"):
        dtw_loss(x, x, band=-1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("make", [curves, few_values])
def test_on_a_gpu(band: int | None, make: Callable[..., tuple[Tensor, Tensor]]) -> None:
    x, y = make(40, 55, 16, torch.float64)
    expected = with_gradients(dtw_loss, x, y, band)
    x, y = x.cuda(), y.cuda()
    with_gradients(dtw_loss, x, y, band)
    torch.cuda.set_sync_debug_mode("error")
    try:
        results = with_gradients(dtw_loss, x, y, band)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.cpu(), value, rtol=1e-12, atol=1e-12)
