"""The demo: its steps one after the other, up to the first that fails; their lines are parsed in test_pipeline.py."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.places import ROOT
from scripts import demo


def step(log: Path, word: str, then: str = "") -> str:
    code = f"open({str(log)!r}, 'a').write({word!r}); {then}"
    return f'-c "{code}"'


def test_every_step_runs_by_this_python_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_main: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "STEPS", {"one": '-c "import os, sys; print(sys.executable, os.getcwd())"', "two": "-V"})
    run_main(demo)
    said = capfd.readouterr().out
    assert f"{sys.executable} {ROOT}\n" in said and "[2/2] two: python -V" in said and said.endswith(f"{demo.MADE}\n")


def test_it_stops_at_the_first_step_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., str]
) -> None:
    log = tmp_path / "log"
    steps = {"one": step(log, "1"), "two": step(log, "2", "raise SystemExit(3)"), "three": step(log, "3")}
    monkeypatch.setattr(demo, "STEPS", steps)
    assert refusal(demo).startswith("the demo stops at two; python -c")
    assert log.read_text() == "12"
