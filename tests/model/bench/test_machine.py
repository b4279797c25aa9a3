"""The machine is described and measured."""

from model.bench.machine import copy_gb_per_s, cpu_model, sgemm_gflop_per_s


def test_the_machine_is_measured() -> None:
    assert cpu_model()
    assert sgemm_gflop_per_s(repeats=1, size=64) > 0
    assert copy_gb_per_s(repeats=1, megabytes=1) > 0
