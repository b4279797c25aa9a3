"""The benchmark's command shows and writes what its stages measured."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from model.bench import live_timings, machine, timed_stages
from model.bench.live_timings import LiveFigure
from model.bench.machine import Machine
from model.bench.timings import Timing
from postprocess.score import simulated
from postprocess.send import lateness
from scripts import benchmark
from tests.helpers import CAUSAL

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


def test_a_live_voice_beside_its_targets(
    make_checkpoint: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    run_main: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of weights at random; the stream starts in a process of its own."""
    for name, small in (("MINUTES", 0), ("FRAMES", 10), ("STREAMS", 2)):
        monkeypatch.setattr(live_timings, name, small)
    monkeypatch.setattr(lateness, "packet_delays_ms", lambda seconds: np.arange(101.0))
    out = tmp_path / "live.json"
    run_main(benchmark, "--live", "--quick", "--ckpt_path", make_checkpoint(*CAUSAL), "--json", out)
    written, shown = json.loads(out.read_text(encoding="utf-8")), capsys.readouterr().out
    assert written["from a frame's time to its packet, 99 %"] == 99
    assert 180 < written["look-ahead"] <= 200
    assert 0 < written["a frame, median"] <= written["a frame, 99 %"]
    assert all(name in shown for name in written) and "≤ 2 ms" in shown and "≥ 2 streams" in shown


def test_a_figure_tells_whether_its_target_is_met() -> None:
    rows = [LiveFigure("a", 1.5, "ms", most=2), LiveFigure("b", 40, "streams", least=50), LiveFigure("c", 7, "MB")]
    assert [row.cells()[2:] for row in rows] == [["≤ 2 ms", ""], ["≥ 50 streams", "missed"], ["", ""]]


def test_packets_are_told_as_late_as_they_leave() -> None:
    late_ms = lateness.packet_delays_ms(1, fps=10)
    assert len(late_ms) == 10 and late_ms.min() > -1


def test_an_unknown_stage_is_refused_before_anything_is_timed(run_main: Callable[..., None]) -> None:
    with pytest.raises(UserError, match=r"--stages lodaer: no such stage; there are dtw_loss, .*did you mean loader\?"):
        run_main(benchmark, "--stages", "lodaer")


def test_simulated_people_stand_beside_the_published_ones(
    monkeypatch: pytest.MonkeyPatch, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulated, "simulated", partial(simulated.simulated, minutes=1))
    run_main(benchmark, "--alive", "--quick")
    shown = capsys.readouterr().out
    assert "1 × 60 min, talk" in shown and "1 × 60 min, silence" in shown and "40 to 47 %" in shown
    for more in (["--live"], ["--stages", "loader"], ["--json", "a.json"]):
        with pytest.raises(UserError, match="--alive"):
            run_main(benchmark, "--alive", *more)
