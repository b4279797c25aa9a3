"""Small corpora, checkpoints and speech models to work on, and a command's main as a person runs it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from config.command import UserError
from config.load import load_config
from config.units import SAMPLE_RATE
from data_process import pack
from dataset.blendshapes import ARKIT, write_curves

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


FPS = 25
TINY: dict[str, Any] = {
    "data": {"fps": FPS, "domains": [{"name": name, "clips": [f"{name}*"], "weight": 1.0} for name in ("a", "b")]},
    "windows": {"window_frames": 20, "stride_frames": 5},
    "augment": {
        "copies": 0, "gain_db": 0.0, "noise_snr_db": None, "reverb_s": None, "reverb_share": 0.3, "speed": 0.0,
        "band_mask_share": 0.0, "time_mask_frames": 0,
    },
    "features": {"logmel": {"bands": 12, "steps_per_frame": 1, "context_steps": 1}},
    "text": {"stream": "none", "embedding": 4, "drop": 0.2},
    "model": {
        "curve_scale": "channel", "positional": "sinusoidal",
        "width": 8, "heads": 2, "feedforward": 16, "conv_layers": 1, "conv_kernel": 3,
        "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.1, "head_dropout": 0.1,
    },
    "loss": {"dtw": 0.0, "mse": 1.0, "velocity": 0.0},
    "train": {
        "epochs": 2, "batch_size": 16, "learning_rate": 1e-2, "weight_decay": 0.0, "schedule": "constant",
        "warmup_steps": 0, "ema": 0.0,
    },
}  # fmt: skip


def loudness(frames: int, seed: int) -> np.ndarray:
    """(frames,) from 0 to 1: a few syllables a second."""
    random = np.random.default_rng(seed)
    knots = np.arange(0, frames + 8, 6)
    return np.interp(np.arange(frames), knots, random.random(len(knots)))


def write_speech(path: Path, seconds: float, seed: int = 0) -> np.ndarray:
    """A wav of a voice-like buzz; returns its loudness a frame, (frames,)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples, frames = round(seconds * SAMPLE_RATE), max(2, round(seconds * FPS))
    envelope = loudness(frames, seed)
    time_s = np.arange(samples) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time_s) / harmonic for harmonic in range(1, 12))
    soundfile.write(path, 0.3 * buzz * np.interp(time_s * FPS, np.arange(frames), envelope), SAMPLE_RATE)
    return envelope


@pytest.fixture
def speech() -> Callable[..., np.ndarray]:
    return write_speech


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a packed corpus of 5 clips; runs go beside it unless run.dir says otherwise."""
    corpus = tmp_path_factory.mktemp("corpus")
    for seed, clip in enumerate(("a1", "a2", "a3", "b1", "b2")):
        envelope = write_speech(corpus / "wav" / f"{clip}.wav", 3.0, seed)
        gain = np.linspace(0.2, 0.9, len(ARKIT))
        write_curves(corpus / "bs" / f"{clip}.csv", envelope[:, None] * gain + 0.05)
    places = {"corpus": str(corpus), "lmdb": str(corpus / "clips.lmdb")}
    tree = TINY | {"data": TINY["data"] | places, "run": {"name": "tiny", "dir": str(corpus / "result")}}
    tree["features"] = TINY["features"] | {"cache": str(corpus / "features.lmdb")}
    path = corpus / "tiny.yml"
    path.write_text(yaml.safe_dump(tree))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pack", "--config", str(path)])
        pack.main()
    return path


@pytest.fixture
def make_checkpoint(packed: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a checkpoint of random weights, for synthesis; `overrides` as on train.py's command line."""

    def make(*overrides: str, name: str = "random") -> Path:
        import torch

        from dataset.blendshapes import GROUPS
        from dataset.stats import load_stats
        from model.checkpoint import WEIGHTS, Header, prefixed, save_checkpoint
        from model.decoder import build_decoder
        from model.encoders import build_encoder

        config = load_config(packed, overrides)
        encoder = build_encoder(config.features, config.data.fps)
        torch.manual_seed(0)
        channels = GROUPS[config.model.channels]
        decoder = build_decoder(config, encoder.size, len(channels))
        stats = load_stats(packed.with_name("stats.json")).to_json()
        header = Header(config, stats, channels, config.data.fps, encoder.identity, encoder.size, 0)
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(path, header, prefixed(decoder.state_dict(), WEIGHTS))
        return path

    return make


@pytest.fixture
def make_hubert(tmp_path: Path) -> Callable[..., Path]:
    """A folder with a random HuBERT as on the hub."""

    def make(name: str = "hubert", size: int = 16, seed: int = 0, norm: str = "group") -> Path:
        import torch
        import transformers

        torch.manual_seed(seed)
        config = transformers.HubertConfig(
            hidden_size=size, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
            num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, feat_extract_norm=norm,
        )  # fmt: skip
        transformers.HubertModel(config).save_pretrained(tmp_path / name)
        settings = {"do_normalize": True, "sampling_rate": SAMPLE_RATE}
        (tmp_path / name / "preprocessor_config.json").write_text(json.dumps(settings))
        return tmp_path / name

    return make
