"""The benchmark's command shows and writes what its stages measured."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from config.errors import UserError
from model.bench import machine, timed_stages
from model.bench.machine import Machine
from model.bench.timings import Timing
from scripts import benchmark

ABACUS = Machine("abacus", 2, 2, "3.11", "2.0", sgemm_gflop_per_s=100.0, copy_gb_per_s=30.0)
STAGES = [
    "dtw_loss", "dtw_loss_fastdtw", "contest_score", "train_step", "train_step_layers", "loader", "synthesis_logmel",
]  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_stages, "BATCH", 2)
    monkeypatch.setattr(timed_stages, "FRAMES", 8)
    monkeypatch.setattr(timed_stages, "CLIPS", 4)
    monkeypatch.setattr(timed_stages, "CLIP_FRAMES", 20)
    monkeypatch.setattr(timed_stages, "CORPUS_CLIPS", 8)
    monkeypatch.setattr(timed_stages, "CORPUS_CLIP_S", 5.0)
    monkeypatch.setattr(timed_stages, "SPEECH_S", 3.0)
    monkeypatch.setattr(machine, "this_machine", lambda repeats: ABACUS)


def test_the_command_times_the_stages_and_writes_them(
    small: None, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(benchmark, "--quick", "--stages", *STAGES, "--json", tmp_path / "times.json")
    written = json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))
    assert written["machine"] == asdict(ABACUS)
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
    assert found["train_step_layers"]["ratio"] > 0
    assert "abacus" in shown and all(name in shown for name in STAGES)


def test_a_stage_without_a_baseline_is_only_timed(
    small: None, monkeypatch: pytest.MonkeyPatch, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(timed_stages.STAGES, "nap", lambda effort: Timing(0.0125, effort.repeats(50), "asleep"))
    run_main(benchmark, "--stages", "nap", "nap")
    shown = capsys.readouterr().out
    assert "12.500" in shown and "nap: asleep, median of 50\n" in shown
    assert "timed 1 stage\n" in shown


def test_an_unknown_stage_is_refused_before_anything_is_timed(run_main: Callable[..., None]) -> None:
    with pytest.raises(UserError, match=r"--stages lodaer: no such stage; there are dtw_loss, .*did you mean loader\?"):
        run_main(benchmark, "--stages", "lodaer")
