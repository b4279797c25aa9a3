"""Curve csvs to work on, and a way to run a script's main as a person does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, write_curves
from dataset.command import UserError

ROOT = Path(__file__).resolve().parents[1]


def run_command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `python <words>` in a folder as a person does: in a process of its own, on one thread, without the hub."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five clips of the demo corpus, packed and trained on for an epoch by the real commands.

    It holds demo.yml, corpus/, clips.lmdb, features.lmdb and result/demo/; not to be written to.
    """
    folder = tmp_path_factory.mktemp("demo").resolve()
    shutil.copy(ROOT / "config" / "demo.yml", folder)
    for kind in ("wav", "bs", "tsv"):
        (folder / "corpus" / kind).mkdir(parents=True)
        for clip in ("en_001", "en_002", "zh_001", "zh_002", "zh_003"):
            (file,) = (ROOT / "dataset" / "demo" / kind).glob(f"{clip}.*")
            shutil.copy(file, folder / "corpus" / kind)
    places = ("data.corpus=corpus", "data.lmdb=clips.lmdb", "features.cache=features.lmdb", "run.dir=result")
    small = ("windows.window_frames=55", "train.epochs=1")
    for words in (
        (ROOT / "data_process" / "pack.py", "--config", "demo.yml", *places),
        (ROOT / "scripts" / "train.py", "--config", "demo.yml", *places, *small),
    ):
        done = run_command(folder, *words)
        assert done.returncode == 0, done.stderr
    return folder


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
