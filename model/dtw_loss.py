"""Dynamic time warping as a loss that a model is trained on.

The cost of a pair of frames is the mean over channels of their squared difference; a warping path's cost is the sum
over its pairs of frames, not divided by its length.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dataset import dtw_kernels
from dataset.dtw import check_radius
from model.dtw_wavefront import wavefront_loss

Mode = Literal["exact", "fastdtw"]


def dtw_loss(
    prediction: Tensor, target: Tensor, *, mode: Mode = "exact", band: int | None = None, radius: int = 1
) -> Tensor:
    """Mean over the batch of the cost of the cheapest warping path (Sakoe & Chiba 1978).

    prediction: (B, T, channels), target: (B, T2, channels), of any float type → a scalar, float64 when one of them is,
    else float32. The gradient flows to both through the costs along the path; the path itself is held constant, which
    is the true gradient wherever the cheapest path is unique.

    mode: "exact", or "fastdtw" for the path that FastDTW (Salvador & Chan 2007) finds with `radius`.
    band: in exact mode, how far a path may stray from the diagonal, in frames of the shorter sequence; None: anywhere.

    On the CPU, compiled kernels do it on torch.get_num_threads() threads. For tensors of another device, mode exact
    stays there and the host need not wait (model/dtw_wavefront.py); mode fastdtw copies to the CPU and back, and waits.
    Raises ValueError for shapes that do not match, an empty batch or sequence, or options that make no sense.
    """
    _check_tensors(prediction, target)
    _check_options(mode, band, radius)
    dtype = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
    if mode == "exact" and prediction.device.type != "cpu":
        return wavefront_loss(prediction.to(dtype), target.to(prediction.device, dtype), band)
    on_cpu = (prediction.to("cpu", dtype), target.to("cpu", dtype))
    return _WarpingCost.apply(*on_cpu, _path_finder(mode, band, radius)).to(prediction.device)


ItemsFunction = Callable[..., None]
"""(x, y, scale, totals, x_gradient, y_gradient, start, stop): one of the kernels, its own options bound."""


class _WarpingCost(torch.autograd.Function):
    """Cost and gradient are found in one go, while an item is in the cache; backward only scales the gradient."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor, finder: Callable[[int, int], ItemsFunction]) -> Tensor:
        batch, frames, channels = prediction.shape
        x, y = prediction.detach().contiguous(), target.detach().contiguous()
        gradients = [
            torch.empty_like(tensor if needed else tensor[:, :0])  # no rows: the kernel leaves this gradient out
            for tensor, needed in zip((x, y), ctx.needs_input_grad, strict=False)
        ]
        totals = np.empty(batch)
        arrays = [tensor.numpy() for tensor in (x, y, *gradients)]
        scale = arrays[0].dtype.type(2 / (channels * batch))
        items = finder(frames, target.shape[1])
        _split(partial(items, *arrays[:2], scale, totals, *arrays[2:]), batch)
        ctx.save_for_backward(*gradients)
        return x.new_tensor(totals.mean() / channels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        # In numpy, on one thread: for so small a product torch's threads cost more in waiting than they save.
        scaled = (torch.from_numpy(gradient.numpy() * incoming.numpy()) for gradient in ctx.saved_tensors)
        return (*(g if needed else None for g, needed in zip(scaled, ctx.needs_input_grad, strict=False)), None)


def _path_finder(mode: Mode, band: int | None, radius: int) -> Callable[[int, int], ItemsFunction]:
    """The kernel for these options, once it knows both lengths."""
    if mode == "fastdtw":
        return lambda *_: partial(dtw_kernels.fastdtw_items, radius)
    if band is None:
        return lambda frames, others: partial(dtw_kernels.exact_items, *dtw_kernels.full_window(frames, others))
    return lambda frames, others: partial(dtw_kernels.exact_items, *dtw_kernels.band_window(frames, others, band))


def _split(work: Callable[[int, int], None], count: int) -> None:
    """work(start, stop) over 0 … count, one part a thread; the kernels let go of Python's lock.

    Plain threads and not numba's parallel loops: those wait in a spin, which starves torch's own threads, and abort
    when two threads of a program enter them.
    """
    threads = min(torch.get_num_threads(), count)
    first, *rest = pairwise(count * part // threads for part in range(threads + 1))
    others = [_pool(os.getpid(), threads - 1).submit(work, *part) for part in rest]
    work(*first)
    for other in others:
        other.result()


@lru_cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Kept for the next call; a forked process (its id tells it apart) does not inherit the threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="dtw")


def _check_tensors(prediction: Tensor, target: Tensor) -> None:
    shapes = f"prediction {tuple(prediction.shape)}, target {tuple(target.shape)}"
    if prediction.ndim != 3 or target.ndim != 3:
        raise ValueError(f"{shapes}: both must be (batch, frames, channels)")
    if prediction.shape[0] != target.shape[0] or prediction.shape[2] != target.shape[2]:
        raise ValueError(f"{shapes}: batch and channels must be the same")
    if 0 in prediction.shape or 0 in target.shape:
        raise ValueError(f"{shapes}: there must be at least one item, frame and channel")
    if not (prediction.is_floating_point() and target.is_floating_point()):
        raise ValueError(f"prediction {prediction.dtype}, target {target.dtype}: both must be floating point")


def _check_options(mode: Mode, band: int | None, radius: int) -> None:
    if mode not in get_args(Mode):
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(get_args(Mode))}")
    if mode == "fastdtw":
        if band is not None:
            raise ValueError("a band goes with mode exact; fastdtw has a radius")
        check_radius(radius)
    if band is not None and band < 0:
        raise ValueError(f"band is {band}; it must be 0 or more frames")
