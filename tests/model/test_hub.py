"""Checkpoints by a file, a folder and a hub id; the hub's cache as huggingface_hub lays it out, and no network."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.load import load_config
from config.units import SAMPLE_RATE
from model.causal_model import load_causal
from model.curve_streams import curve_stream
from model.hub import find_checkpoint
from model.synthesis import Synthesizer
from scripts import train
from tests.helpers import posix_only, refused, run_main

COMMIT = "c" * 40
Make = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, and no way to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def cached(cache: Path, hub_id: str, files: dict[str, Path]) -> Path:
    """A repository in the cache, its files links to blobs; the snapshot's folder."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for number, (name, file) in enumerate(files.items()):
        blob = repository / "blobs" / f"{number:064x}"
        blob.write_bytes(file.read_bytes())
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


@posix_only
def test_a_hub_id_in_the_cache_is_synthesized_and_streamed_by(
    cache: Path, make_checkpoint: Make, make_streaming_checkpoint: Make
) -> None:
    path, streaming = make_checkpoint(name="whole"), make_streaming_checkpoint()
    snapshot = cached(cache, "someone/a-face_1.0", {"best.safetensors": path, "last.safetensors": streaming})
    cached(cache, "someone/live", {"weights.safetensors": streaming})
    assert find_checkpoint(Path("someone/a-face_1.0")) == snapshot / "best.safetensors"
    sound = np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2).astype(np.float32) / 9
    by_id, by_file = (Synthesizer(source, device="cpu").synthesize(sound) for source in ("someone/a-face_1.0", path))
    np.testing.assert_array_equal(by_id, by_file)
    np.testing.assert_array_equal(load_causal("someone/live").head, load_causal(streaming).head)
    assert 0 < curve_stream(Path("someone/live"), None, 50, None).lookahead_ms <= 50


@posix_only
def test_a_training_starts_from_a_hub_id_and_goes_on_without_it(
    cache: Path, make_checkpoint: Make, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = cached(cache, "someone/a-face", {"best.safetensors": make_checkpoint(name="base")})
    words = ("--config", packed, f"run.dir={tmp_path}", "run.name=mine", "train.init=someone/a-face")
    run_main(train, *words, "train.epochs=1")
    assert f"{snapshot / 'best.safetensors'}: " in capsys.readouterr().out
    assert load_config(tmp_path / "mine" / "config.yml").train.init == Path("someone/a-face")
    snapshot.rename(tmp_path / "gone")
    run_main(train, *words, "train.epochs=2", "--resume")
    assert refused(run_main, train, *words, "--overwrite").startswith("someone/a-face: no such file or folder, and")


@posix_only
def test_what_the_cache_has_no_weights_of_is_refused_offline(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A card alone\n")
    cached(cache, "someone/card", {"README.md": tmp_path / "README.md"})
    for hub_id in ("someone/card", "no-one/nothing"):
        assert refused(Synthesizer, hub_id) == (
            f"{hub_id}: no such file or folder, and the hub gives no checkpoint by that name;"
            f" see that `hf download {hub_id}` does"
        )


def test_a_folder_stands_for_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path("user/run")
    run.mkdir(parents=True)
    (run / "a.safetensors").touch()
    assert find_checkpoint(run) == run / "a.safetensors"
    (run / "last.safetensors").touch()
    assert find_checkpoint(run) == run
    (run / "best.safetensors").touch()
    assert find_checkpoint("user/run") == run / "best.safetensors"
    (run / "ensemble.json").touch()
    assert find_checkpoint(run) == run


@pytest.mark.parametrize("path", ["a.safetensors", "a/b.safetensors", "./none", "../none", "a/b/c", "none", "/no/ne"])
def test_a_path_that_is_no_hub_id_is_left_to_its_reader(path: str) -> None:
    assert find_checkpoint(path) == Path(path)
