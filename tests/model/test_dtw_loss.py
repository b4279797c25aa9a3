"""The DTW loss against a naive DTW, numerical gradients and the fastdtw package."""

import threading

import fastdtw as package
import numpy as np
import pytest
import torch
from torch import Tensor

from dataset.dtw import exact_dtw
from model.dtw_loss import Mode, dtw_loss
from tests.dtw_references import LENGTHS, allowed_in_band, mean_squared_error, naive_dtw, random_walk


def random_pair(n: int, m: int, batch: int = 3, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = np.random.default_rng(n * 1000 + m)
    pair = (np.stack([random_walk(generator, frames) for _ in range(batch)]) for frames in (n, m))
    x, y = (torch.from_numpy(array).to(dtype) for array in pair)
    return x, y


@pytest.mark.parametrize(("n", "m"), LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_is_the_batch_mean_of_naive_dtw(n: int, m: int, dtype: torch.dtype) -> None:
    x, y = random_pair(n, m, batch=5, dtype=dtype)
    expected = np.mean([naive_dtw(a, b) for a, b in zip(x.numpy(), y.numpy(), strict=True)])
    loss = dtw_loss(x, y)
    assert loss.shape == () and loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, rel=1e-6 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("band", [0, 1, 3, 20, 1000])
@pytest.mark.parametrize(("n", "m"), [*LENGTHS, (55, 55), (100, 100), (3, 80), (80, 3)])
def test_banded_loss_is_naive_banded_dtw(n: int, m: int, band: int) -> None:
    x, y = random_pair(n, m, dtype=torch.float64)
    allowed = allowed_in_band(n, m, band)
    expected = np.mean([naive_dtw(a, b, allowed) for a, b in zip(x.numpy(), y.numpy(), strict=True)])
    assert np.isfinite(expected)
    assert dtw_loss(x, y, band=band).item() == pytest.approx(expected, rel=1e-12)


def test_band_0_is_the_sum_over_frames_of_the_mean_squared_error() -> None:
    x, y = random_pair(55, 55)
    expected = ((x - y) ** 2).mean(dim=2).sum(dim=1).mean()
    assert dtw_loss(x, y, band=0).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"band": 2}, {"mode": "fastdtw"}])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (7, 7), (5, 9), (18, 17)])
def test_gradient_is_the_numerical_one(n: int, m: int, options: dict) -> None:
    x, y = random_pair(n, m, batch=2, dtype=torch.float64)
    x, y = x[..., :3].clone().requires_grad_(), y[..., :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: dtw_loss(a, b, **options), (x, y))
    assert torch.autograd.gradcheck(lambda a: dtw_loss(a, y.detach(), **options), (x,))
    assert torch.autograd.gradcheck(lambda b: dtw_loss(x.detach(), b, **options), (y,))


@pytest.mark.parametrize("few_values", [False, True])
def test_gradient_is_that_of_the_cost_along_the_path_and_is_scaled(few_values: bool) -> None:
    x, y = random_pair(40, 45)
    if few_values:  # costs without rounding errors, of which a great many tie
        x, y = (x[..., :4] > 0).float(), (y[..., :4] > 0).float()
    x.requires_grad_()
    (3 * dtw_loss(x, y)).backward()
    paths = [exact_dtw(a.detach().numpy(), b.numpy())[1] for a, b in zip(x, y, strict=True)]
    plain = x.detach().clone().requires_grad_()
    costs = [((plain[b, i] - y[b, j]) ** 2).mean() for b, path in enumerate(paths) for i, j in path]
    (3 * torch.stack(costs).sum() / len(paths)).backward()
    torch.testing.assert_close(x.grad, plain.grad)


def test_fastdtw_mode_is_the_package() -> None:
    x, y = random_pair(55, 48, batch=4)
    pairs = zip(x.double().numpy(), y.double().numpy(), strict=True)
    expected = np.mean([package.fastdtw(a, b, radius=2, dist=mean_squared_error)[0] for a, b in pairs])
    assert dtw_loss(x, y, mode="fastdtw", radius=2).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"band": 4}, {"mode": "fastdtw"}])
def test_views_with_any_strides_are_fine(options: dict) -> None:
    x, y = random_pair(20, 30, batch=4)
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    loss = dtw_loss(x, y, **options)
    loss.backward()
    strided = x.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0).requires_grad_()
    wide = torch.stack([y.detach(), y.detach()], dim=-1)[..., 0].requires_grad_()
    assert not strided.is_contiguous() and not wide.is_contiguous()
    again = dtw_loss(strided, wide, **options)
    again.backward()
    assert again.item() == loss.item()
    torch.testing.assert_close(strided.grad, x.grad, rtol=0, atol=0)
    torch.testing.assert_close(wide.grad, y.grad, rtol=0, atol=0)


def test_every_thread_count_gives_the_same() -> None:
    x, y = random_pair(30, 30, batch=7)
    threads, losses = torch.get_num_threads(), set()
    try:
        for count in (1, 2, 5, 16):
            torch.set_num_threads(count)
            losses.add(dtw_loss(x, y).item())
    finally:
        torch.set_num_threads(threads)
    assert len(losses) == 1


def test_two_python_threads_may_use_it_at_once() -> None:
    x, y = random_pair(55, 55, batch=16)
    expected, losses = dtw_loss(x, y).item(), []
    workers = [threading.Thread(target=lambda: losses.append(dtw_loss(x, y).item())) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert losses == [expected] * 4


def test_an_offset_shared_by_both_costs_no_accuracy() -> None:
    x, y = random_pair(55, 55, dtype=torch.float64)
    x, y = (x * 1e-2 + 100).float(), (y * 1e-2 + 100).float()
    expected = np.mean([naive_dtw(a, b) for a, b in zip(x.numpy(), y.numpy(), strict=True)])
    assert dtw_loss(x, y).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 8, 52, 130])
def test_any_number_of_channels(channels: int) -> None:
    generator = np.random.default_rng(channels)
    x, y = random_walk(generator, 23, channels), random_walk(generator, 31, channels)
    expected = naive_dtw(x, y)
    assert dtw_loss(torch.from_numpy(x)[None], torch.from_numpy(y)[None]).item() == pytest.approx(expected, rel=1e-12)
    assert exact_dtw(x, y)[0] == pytest.approx(expected, rel=1e-12)


def test_long_sequences() -> None:
    generator = np.random.default_rng(0)
    x, y = random_walk(generator, 1100), random_walk(generator, 1000)
    loss = dtw_loss(torch.from_numpy(x)[None], torch.from_numpy(y)[None])
    assert loss.item() == pytest.approx(exact_dtw(x, y)[0], rel=1e-12)


@pytest.mark.parametrize("mode", ["exact", "fastdtw"])
def test_identical_sequences_cost_nothing(mode: Mode) -> None:
    x = random_pair(55, 55)[0].requires_grad_()
    loss = dtw_loss(x, x.detach().clone(), mode=mode)
    (gradient,) = torch.autograd.grad(loss, x)
    assert loss.item() == 0 and not gradient.any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("options", [{}, {"band": 4}, {"mode": "fastdtw"}])
def test_what_is_not_finite_shows_in_the_loss(bad: float, options: dict) -> None:
    x, y = random_pair(40, 33)
    x[1] = bad
    assert not torch.isfinite(dtw_loss(x, y, **options))


def test_half_precision_is_computed_in_float32() -> None:
    x, y = random_pair(20, 20)
    half = x.bfloat16().requires_grad_()
    loss = dtw_loss(half, y)
    (gradient,) = torch.autograd.grad(loss, half)
    assert [loss.dtype, gradient.dtype] == [torch.float32, torch.bfloat16]
    assert loss.item() == dtw_loss(x.bfloat16().float(), y).item()
    assert dtw_loss(x, y.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("prediction", "target", "options", "message"),
    [
        ((2, 5), (2, 5), {}, "batch, frames, channels"),
        ((2, 5, 3), (5, 3), {}, "batch, frames, channels"),
        ((2, 5, 3), (3, 5, 3), {}, "batch and channels"),
        ((2, 5, 3), (2, 5, 4), {}, "batch and channels"),
        ((0, 5, 3), (0, 5, 3), {}, "at least one"),
        ((2, 0, 3), (2, 5, 3), {}, "at least one"),
        ((2, 5, 3), (2, 0, 3), {}, "at least one"),
        ((2, 5, 0), (2, 5, 0), {}, "at least one"),
        ((2, 5, 3), (2, 5, 3), {"mode": "soft"}, "mode is 'soft'"),
        ((2, 5, 3), (2, 5, 3), {"band": -1}, "band is -1"),
        ((2, 5, 3), (2, 5, 3), {"band": 2, "mode": "fastdtw"}, "band goes with mode exact"),
        ((2, 5, 3), (2, 5, 3), {"radius": 0, "mode": "fastdtw"}, "radius is 0"),
    ],
)
def test_loss_refuses(prediction: tuple, target: tuple, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dtw_loss(torch.zeros(prediction), torch.zeros(target), **options)


def test_loss_refuses_integers() -> None:
    with pytest.raises(ValueError, match="floating point"):
        dtw_loss(torch.zeros(1, 2, 3, dtype=torch.int64), torch.zeros(1, 2, 3))
