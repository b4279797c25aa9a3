"""The stages: which are run, how often, and that their baselines are what they say."""

import fastdtw as package
import numpy as np
import pytest
import torch

from model.bench import timed_stages, workloads
from model.bench.per_cell import per_cell_fastdtw, per_cell_loss
from model.bench.stopwatch import seconds
from model.bench.timed_stages import chosen
from model.bench.timings import Effort, Timing
from model.dtw_loss import dtw_loss


def test_quick_leaves_the_long_windows_out() -> None:
    left_out = {"dtw_loss_110", "dtw_loss_220", "dtw_loss_1000"}
    everything, quick = (chosen(None, Effort(quick)) for quick in (False, True))
    assert everything == list(timed_stages.STAGES)
    assert left_out <= set(everything) - set(quick) and {"dtw_loss", "train_step"} <= set(quick)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (13, 11), (30, 41)])
def test_the_baseline_is_fastdtw_with_a_gradient(n: int, m: int) -> None:
    generator = torch.Generator().manual_seed(n)
    x, y = (torch.randn(frames, 5, generator=generator, dtype=torch.float64) for frames in (n, m))
    x.requires_grad_()
    cost, path = per_cell_fastdtw(list(x), list(y))
    expected, expected_path = package.fastdtw(x.detach().numpy(), y.numpy(), dist=lambda a, b: np.mean((a - b) ** 2))
    assert cost.item() == pytest.approx(expected, rel=1e-12)
    assert path == expected_path
    ours = torch.autograd.grad(dtw_loss(x[None], y[None], mode="fastdtw"), x)
    torch.testing.assert_close(torch.autograd.grad(cost, x), ours)


def test_the_baseline_loss_is_the_mean_over_a_batch() -> None:
    x, y = torch.randn(2, 3, 9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(per_cell_loss(x, y), dtw_loss(x, y, mode="fastdtw"))


def test_warm_up_does_not_count() -> None:
    calls: list[None] = []
    assert len(seconds(lambda: calls.append(None), repeats=5, warm_up=2)) == 5
    assert len(calls) == 7


def test_quick_repeats_less_but_enough_for_a_median() -> None:
    assert Effort(quick=False).repeats(200) == 200
    assert Effort(quick=True).repeats(200) == 20
    assert Effort(quick=True).repeats(5) == 3
    assert Effort(quick=False).part(32) == 32 and Effort(quick=True).part(32) == 8


def test_the_ratio_is_how_many_times_as_long_the_baseline_takes() -> None:
    assert Timing(0.5, 3, "nap").ratio is None and Timing(0.5, 3, "nap", 2.0).ratio == 4.0


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_encoder_is_timed_over_a_clip(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
            "conv_dim": (8,) * 7, "num_conv_pos_embedding_groups": 2}  # fmt: skip
    monkeypatch.setattr(workloads, "HUBERT_LARGE", tiny)
    monkeypatch.setattr(timed_stages, "ENCODED_S", 3)
    timing = timed_stages.STAGES[f"encoder_{precision}"](Effort(quick=True))
    assert timing.figures["rtf"] == pytest.approx(timing.median_s / 3)
    assert timing.baseline_s and "3 windows" in timing.baseline
    assert f"encoder_{precision}" not in chosen(None, Effort(quick=True))
