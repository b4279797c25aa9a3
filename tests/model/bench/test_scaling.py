"""The exponents are those of the measured times, and the picture is a picture."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model.bench import machine, scaling
from model.bench.machine import Machine
from model.bench.scaling import CURVES, Curve, Point, exponent
from scripts import benchmark


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_is_the_power_of_the_size(power: float) -> None:
    points = [Point(size, 0.003 * size**power, 0) for size in (10, 20, 40, 80)]
    assert exponent(points) == pytest.approx(power, abs=1e-9)


def test_every_curve_doubles_its_size() -> None:
    for curve in CURVES.values():
        assert all(later == 2 * size for size, later in zip(curve.sizes, curve.sizes[1:], strict=False))


@pytest.mark.parametrize(("name", "size"), [("dtw_length", 110), ("loader_workers", 1)])
def test_a_size_is_measured_in_a_process_of_its_own(name: str, size: int) -> None:
    point = scaling.measure(name, size)
    assert point.size == size and point.seconds > 0 and point.peak_bytes >= 0


def test_the_command_plots_and_writes_the_curves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_main: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    abacus = Machine("abacus", 2, 2, "3.11", "2.0", sgemm_gflop_per_s=100.0, copy_gb_per_s=30.0)
    monkeypatch.setattr(machine, "this_machine", lambda repeats: abacus)
    nap = Curve("nap", (1, 2, 4), lambda size, folder: lambda: None, 1)
    monkeypatch.setattr(scaling, "CURVES", {"nap": nap, "workers": Curve("w", (1, 2), nap.prepare, None)})
    monkeypatch.setattr(scaling, "measure", lambda name, size: Point(size, size / 10, size * 1_000_000))
    run_main(benchmark, "--scale", tmp_path / "a.png", "--json", tmp_path / "a.json")
    shown = capsys.readouterr().out
    assert "1 … 4  0.1 … 0.4  1 … 4      1.00         1" in shown and "measured 5 sizes" in shown
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["machine"]["cpu"] == "abacus" and written["curves"]["nap"]["exponent"] == pytest.approx(1)
    assert written["curves"]["nap"]["points"][-1] == {"size": 4, "seconds": 0.4, "peak_bytes": 4_000_000}
