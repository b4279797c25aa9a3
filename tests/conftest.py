"""Small corpora, checkpoints and speech models to work on, and a command's main as a person runs it."""

import os

# Sums in one order whatever the machine, so that runs can be compared bit by bit; the many processes of a suite on a
# few cores would only wait for one another's threads. Libraries read it when they are first imported.
os.environ["OMP_NUM_THREADS"] = "1"

import contextlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.load import load_config
from config.units import SAMPLE_RATE
from tests import helpers
from tests.helpers import DEMO, ROOT, Corpus

# A shell ignores Ctrl-C for what it runs in the background, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def launch_browser() -> Iterator[Callable[..., Any]]:
    """What starts a headless Chromium that draws WebGL on the CPU, with more arguments than it needs for that."""
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: install chromium, chromium-browser or google-chrome")
    from playwright.sync_api import sync_playwright

    offline = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
    drawn = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox", "--disable-quic")
    with sync_playwright() as playwright, contextlib.ExitStack() as started:

        def launch(*more: str) -> Any:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*offline, *drawn, *more])
            started.callback(chromium.close)
            return chromium

        yield launch


@pytest.fixture(scope="session")
def browser(launch_browser: Callable[..., Any]) -> Any:
    """A headless Chromium that draws WebGL on the CPU."""
    return launch_browser()


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five clips of the demo corpus, packed and trained on for an epoch by the commands' mains.

    It holds demo.yml, corpus/, clips.lmdb, features and result/demo/; not to be written to.
    """
    from data_process import pack
    from scripts import train

    folder = tmp_path_factory.mktemp("demo").resolve()
    shutil.copy(ROOT / "config" / "demo.yml", folder)
    for kind in ("wav", "bs", "tsv"):
        (folder / "corpus" / kind).mkdir(parents=True)
        for clip in ("en_001", "en_002", "zh_001", "zh_002", "zh_003"):
            (file,) = (DEMO / kind).glob(f"{clip}.*")
            shutil.copy(file, folder / "corpus" / kind)
    places = ("--config", "demo.yml", "data.corpus=corpus", "data.lmdb=clips.lmdb", "features.cache=features")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        helpers.run_main(pack, *places)
        helpers.run_main(train, *places, "run.dir=result", "windows.window_frames=55", "train.epochs=1")
    return folder


@pytest.fixture
def run_main() -> Callable[..., None]:
    return helpers.run_main


@pytest.fixture
def refusal() -> Callable[..., str]:
    """The one line that a person sees who types such words."""
    return lambda module, *words: helpers.refused(helpers.run_main, module, *words)


@pytest.fixture
def random_csv() -> Callable[..., np.ndarray]:
    return helpers.write_curve_csv


@pytest.fixture
def speech() -> Callable[..., np.ndarray]:
    return helpers.write_speech


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a packed corpus of 5 clips; runs go beside it unless run.dir says otherwise."""
    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    for seed, clip in enumerate(("a1", "a2", "a3", "b1", "b2")):
        corpus.buzz(clip, 3.0, seed)
    config = corpus.configure("tiny.yml", run={"name": "tiny", "dir": str(corpus.folder / "result")})
    corpus.pack()
    return config


@pytest.fixture
def make_checkpoint(packed: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a checkpoint of random weights, for synthesis; `overrides` as on train.py's command line."""

    def make(*overrides: str, name: str = "random") -> Path:
        import torch

        from dataset.blendshapes import GROUPS
        from dataset.stats import STATS, save_stats, training_stats
        from dataset.store import ClipStore
        from model.checkpoint import WEIGHTS, Header, prefixed, save_checkpoint
        from model.decoder import build_decoder
        from model.encoders import build_encoder

        config = load_config(packed, overrides)
        encoder = build_encoder(config.features, config.data.fps)
        torch.manual_seed(0)
        channels = GROUPS[config.model.channels]
        decoder = build_decoder(config, encoder.size, len(channels))
        store = ClipStore(config.data.lmdb)
        stats = training_stats(store, store.clips[1:])  # fold 0
        header = Header(config, stats, channels, config.data.fps, encoder.identity, encoder.size, 0)
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(path, header, prefixed(decoder.state_dict(), WEIGHTS))
        save_stats(path.with_name(STATS), stats)
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
