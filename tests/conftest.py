"""Curve csvs to work on, and a way to run a script's main as a person does."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, write_curves
from dataset.command import UserError


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(module: ModuleType, *words: object) -> None:
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
        module.main()

    return run


@pytest.fixture
def refusal(run_main: Callable[..., None]) -> Callable[..., str]:
    """The one line that a person sees."""

    def refused(module: ModuleType, *words: object) -> str:
        with pytest.raises(UserError) as caught:
            run_main(module, *words)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


@pytest.fixture
def random_csv() -> Callable[..., np.ndarray]:
    """Write a csv of all 52 channels; returns what reading it gives: (frames, 52), rounded to the csv's decimals."""

    def write(path: Path, frames: int, seed: int = 0) -> np.ndarray:
        values = np.random.default_rng(seed).random((frames, len(ARKIT))).round(6)
        write_curves(path, values)
        return values

    return write
