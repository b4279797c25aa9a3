"""The benchmark's baseline is what it says, and the command writes what it measured."""

import json
from collections.abc import Callable
from pathlib import Path

import fastdtw as package
import numpy as np
import pytest
import torch

from model.bench import workloads
from model.dtw_loss import dtw_loss
from scripts import benchmark
from scripts.benchmark import Effort, Timing

MACHINE = {"cpu": "abacus", "cores": 2, "threads": 2, "torch": "2.0", "sgemm_gflop_per_s": 100.0, "copy_gb_per_s": 30.0}
STAGES = ["dtw_loss", "dtw_loss_fastdtw", "contest_score", "train_step", "loader", "synthesis_logmel"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "BATCH", 2)
    monkeypatch.setattr(benchmark, "FRAMES", 8)
    monkeypatch.setattr(benchmark, "CLIPS", 4)
    monkeypatch.setattr(benchmark, "CLIP_FRAMES", 20)
    monkeypatch.setattr(benchmark, "CORPUS_CLIPS", 8)
    monkeypatch.setattr(benchmark, "CORPUS_CLIP_S", 5.0)
    monkeypatch.setattr(benchmark, "SPEECH_S", 3.0)
    monkeypatch.setattr(benchmark, "describe_machine", lambda effort: MACHINE)


def test_quick_leaves_the_long_windows_out() -> None:
    left_out = {"dtw_loss_110", "dtw_loss_220", "dtw_loss_1000"}
    everything, quick = (benchmark.default_stages(Effort(quick)) for quick in (False, True))
    assert everything == list(benchmark.STAGES)
    assert left_out <= set(everything) - set(quick) and {"dtw_loss", "train_step"} <= set(quick)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (13, 11), (30, 41)])
def test_the_baseline_is_fastdtw_with_a_gradient(n: int, m: int) -> None:
    generator = torch.Generator().manual_seed(n)
    x, y = (torch.randn(frames, 5, generator=generator, dtype=torch.float64) for frames in (n, m))
    x.requires_grad_()
    cost, path = benchmark.per_cell_fastdtw(list(x), list(y))
    expected, expected_path = package.fastdtw(x.detach().numpy(), y.numpy(), dist=lambda a, b: np.mean((a - b) ** 2))
    assert cost.item() == pytest.approx(expected, rel=1e-12)
    assert path == expected_path
    ours = torch.autograd.grad(dtw_loss(x[None], y[None], mode="fastdtw"), x)
    torch.testing.assert_close(torch.autograd.grad(cost, x), ours)


def test_the_command_times_the_stages_and_writes_them(
    small: None, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(benchmark, "--quick", "--stages", *STAGES, "--json", tmp_path / "times.json")
    written = json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))
    assert written["machine"] == MACHINE
    assert [row["name"] for row in written["stages"]] == STAGES
    for row in written["stages"]:
        assert row["median_s"] > 0
        assert row["ratio"] is None or row["ratio"] == pytest.approx(row["baseline_s"] / row["median_s"])
    found = {row["name"]: row for row in written["stages"]}
    assert found["contest_score"]["largest_difference"] <= 1e-6
    assert found["train_step"]["overhead"] == pytest.approx(
        found["train_step"]["median_s"] / found["train_step"]["bare_s"]
    )
    assert found["train_step"]["share_of_peak"] == pytest.approx(found["train_step"]["gflop_per_s"] / 100)
    assert found["synthesis_logmel"]["rtf"] == pytest.approx(found["synthesis_logmel"]["median_s"] / 3)
    assert found["loader"]["windows_per_s_clip"] > 0 and found["loader"]["windows_per_s_window"] > 0
    shown = capsys.readouterr().out
    assert "abacus" in shown and all(name in shown for name in STAGES)


def test_a_stage_without_a_baseline_is_only_timed(
    small: None, monkeypatch: pytest.MonkeyPatch, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(benchmark.STAGES, "nap", lambda effort: Timing(0.0125, effort.repeats(50), "asleep"))
    run_main(benchmark, "--stages", "nap", "nap")
    shown = capsys.readouterr().out
    assert "12.500" in shown and "nap: asleep, median of 50\n" in shown
    assert "timed 1 stage\n" in shown


def test_warm_up_does_not_count() -> None:
    calls: list[None] = []
    assert len(benchmark.seconds(lambda: calls.append(None), repeats=5, warm_up=2)) == 5
    assert len(calls) == 7


def test_quick_repeats_less_but_enough_for_a_median() -> None:
    assert Effort(quick=False).repeats(200) == 200
    assert Effort(quick=True).repeats(200) == 20
    assert Effort(quick=True).repeats(5) == 3


def test_an_unknown_stage_is_refused(run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_main(benchmark, "--stages", "warp")
    assert "invalid choice: 'warp'" in capsys.readouterr().err


def test_the_machine_is_measured() -> None:
    assert benchmark.cpu_model()
    assert benchmark.sgemm_gflop_per_s(repeats=1, size=64) > 0
    assert benchmark.copy_gb_per_s(repeats=1, megabytes=1) > 0


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_encoder_is_timed_over_a_clip(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
            "conv_dim": (8,) * 7, "num_conv_pos_embedding_groups": 2}  # fmt: skip
    monkeypatch.setattr(workloads, "HUBERT_LARGE", tiny)
    monkeypatch.setattr(benchmark, "ENCODED_S", 3)
    timing = benchmark.STAGES[f"encoder_{precision}"](Effort(quick=True))
    assert timing.figures["rtf"] == pytest.approx(timing.median_s / 3)
    assert timing.baseline_s and "3 windows" in timing.baseline
    assert f"encoder_{precision}" not in benchmark.default_stages(Effort(quick=True))
