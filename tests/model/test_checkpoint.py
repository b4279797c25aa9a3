import json
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from config.files import written_whole
from config.load import ROOT, load_config
from dataset.blendshapes import FACE
from dataset.stats import compute_stats
from model.checkpoint import (
    AVERAGED,
    WEIGHTS,
    Header,
    load_checkpoint,
    load_decoder,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    save_checkpoint,
)
from model.decoder import Decoder, build_decoder
from tests.helpers import refused

SIZE = 6


def header_of(*overrides: str) -> Header:
    config = load_config(ROOT / "config" / "demo.yml", ["model.width=8", "model.feedforward=8", *overrides])
    stats = compute_stats([np.random.default_rng(0).random((50, 52))], ["第一"])
    return Header(config, stats, FACE, 29.97, "logmel 1: 速度", SIZE, 1234)


def decoder_of(header: Header, seed: int = 0) -> Decoder:
    torch.manual_seed(seed)
    return build_decoder(header.config, header.feature_size, len(header.channels)).eval()


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Header, Decoder]:
    header = header_of()
    decoder = decoder_of(header)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, header, prefixed(decoder.state_dict(), WEIGHTS), progress="{}")
    return path, header, decoder


def test_round_trip(saved: tuple[Path, Header, Decoder]) -> None:
    path, header, decoder = saved
    read, tensors, metadata = load_checkpoint(path)
    assert replace(read, config=header.config) == header
    assert read.config.model_dump(exclude={"run", "data", "features"}) == header.config.model_dump(
        exclude={"run", "data", "features"}
    )
    assert metadata["progress"] == "{}"
    assert tensors.keys() == {WEIGHTS + name for name in decoder.state_dict()}
    for name, tensor in decoder.state_dict().items():
        assert torch.equal(tensors[WEIGHTS + name], tensor) and tensors[WEIGHTS + name].dtype == tensor.dtype


def test_no_path_of_the_machine_in_the_file(saved: tuple[Path, Header, Decoder]) -> None:
    path, header, _ = saved
    assert str(ROOT).encode() not in path.read_bytes()
    read = load_checkpoint(path)[0].config
    assert ROOT / read.data.lmdb == header.config.data.lmdb and ROOT / read.run.dir == header.config.run.dir


def test_decoder_comes_back_ready_to_use(saved: tuple[Path, Header, Decoder]) -> None:
    path, _, decoder = saved
    loaded = load_decoder(path)[1]
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())
    features = torch.randn(2, 55, SIZE), torch.tensor([0, 1])
    with torch.no_grad():
        torch.testing.assert_close(loaded(*features), decoder(*features), atol=1e-6, rtol=0)


@pytest.mark.parametrize("prefix", [WEIGHTS, AVERAGED])
def test_checkpoints_of_before_have_their_one_hots(prefix: str, saved: tuple[Path, Header, Decoder]) -> None:
    """They hold no vectors of the domains."""
    path, header, decoder = saved
    weights = {name: tensor for name, tensor in decoder.state_dict().items() if name != "domain.weight"}
    save_checkpoint(path, header, prefixed(weights, prefix))
    loaded = load_decoder(path)[1]
    features, domains = torch.randn(2, 55, SIZE), torch.tensor([0, 1])
    with torch.no_grad():
        assert torch.equal(loaded(features, domains), decoder(features, domains))
        assert torch.equal(loaded(features, torch.eye(2, header.config.domain_size)), decoder(features, domains))


def test_averaged_weights_are_preferred(saved: tuple[Path, Header, Decoder]) -> None:
    path, header, decoder = saved
    averaged = decoder_of(header, seed=1)
    tensors = prefixed(decoder.state_dict(), WEIGHTS) | prefixed(averaged.state_dict(), AVERAGED)
    save_checkpoint(path, header, tensors | {"rng.cpu": torch.zeros(1, 5, dtype=torch.uint8)})
    loaded = load_decoder(path)[1].state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in averaged.state_dict().items())
    assert not all(torch.equal(loaded[name], weight) for name, weight in decoder.state_dict().items())


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.mark),))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb(path.with_name("code_was_run"))))


def _torch_file(path: Path) -> None:
    torch.save({"model": torch.zeros(3)}, path)


def _foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def _foreign_with_metadata(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})


def _changed(**changes: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        _, tensors, metadata = load_checkpoint(path)
        save_file(tensors, path, metadata | changes)

    return change


def _another_width(path: Path) -> None:
    _, tensors, _ = load_checkpoint(path)
    save_checkpoint(path, header_of("model.width=16"), tensors)


def _weight(name: str, value: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        _, tensors, metadata = load_checkpoint(path)
        tensors[WEIGHTS + name].flatten()[-1] = value
        save_file(tensors, path, metadata)

    return change


def _config(section: str, **changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        _, tensors, metadata = load_checkpoint(path)
        config = json.loads(metadata["config"])
        config[section] |= changes
        save_file(tensors, path, metadata | {"config": json.dumps(config)})

    return change


def _std(value: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        _, tensors, metadata = load_checkpoint(path)
        stats = json.loads(metadata["stats"])
        stats["std"][3] = value
        save_file(tensors, path, metadata | {"stats": json.dumps(stats)})

    return change


def _a_weight_missing(path: Path) -> None:
    header, tensors, _ = load_checkpoint(path)
    del tensors["model.head.linear.bias"]
    save_checkpoint(path, header, tensors)


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_truncate, "not a safetensors file, or a truncated one"),
        (_cut_in_the_header, "not a safetensors file, or a truncated one"),
        (_empty, "not a safetensors file, or a truncated one"),
        (_pickle, "pickled weights are not loaded"),
        (_torch_file, "pickled weights are not loaded"),
        (_foreign, "no checkpoint that scripts/train.py wrote"),
        (_foreign_with_metadata, "no checkpoint that scripts/train.py wrote"),
        (_changed(version="99"), "no checkpoint that scripts/train.py wrote"),
        (_changed(config="{}"), "no checkpoint that scripts/train.py wrote"),
        (_changed(config="["), "no checkpoint that scripts/train.py wrote"),
        (_changed(channels="5"), "no checkpoint that scripts/train.py wrote"),
        (_changed(fps="fast"), "no checkpoint that scripts/train.py wrote"),
        (_changed(stats='{"mean": 1}'), "no checkpoint that scripts/train.py wrote"),
        (_changed(fps="Infinity"), "fps Infinity: expected 0.001 to 1000"),
        (_changed(fps="NaN"), "fps NaN: expected 0.001 to 1000"),
        (_changed(fps="-25.0"), "fps -25.0: expected 0.001 to 1000"),
        (_changed(feature_size="1" + "0" * 30), "feature_size 1"),
        (_changed(feature_size="6" + "0" * 5000), "no checkpoint that scripts/train.py wrote"),
        (_changed(channels='["JawOpen", "../x"]'), "channels: ../x is none of the stats'"),
        (_changed(channels='["JawOpen", "JawOpen"]'), "channels: not a list of different names"),
        (_changed(channels="[" * 9000), "no checkpoint that scripts/train.py wrote"),
        (_changed(stats="{"), "no checkpoint that scripts/train.py wrote"),
        (_std(-0.1), "std"),
        (_std(math.nan), "std"),
        (_config("model", width=10**9), "config: model.width: Input should be less than or equal to 65536"),
        (_config("model", encoder_layers=10**6), "config: model.encoder_layers: Input should be less than"),
        (_config("model", encoder_layers=1000), "layers, but"),
        (_config("model", width=65536, feedforward=1048576), "weights do not fit the config in the header"),
        (_weight("head.linear.weight", math.nan), "model.head.linear.weight holds what is not a finite number"),
        (_weight("head.linear.bias", math.inf), "model.head.linear.bias holds what is not a finite number"),
        (_weight("normalise.std", -1.0), "normalise.std is not above 0"),
        (_another_width, "weights do not fit the config in the header"),
        (_a_weight_missing, "weights do not fit the config in the header"),
        (_remove, "no such checkpoint"),
    ],
)
def test_anything_else_is_refused_in_one_line(
    damage: Callable[[Path], None], reason: str, saved: tuple[Path, Header, Decoder]
) -> None:
    path = saved[0]
    damage(path)
    line = refused(load_decoder, path)
    assert reason in line and str(path) in line
    assert not path.with_name("code_was_run").exists(), "code from the file was run"


def test_a_failed_save_leaves_the_old_file(saved: tuple[Path, Header, Decoder]) -> None:
    path, header, decoder = saved
    before = path.read_bytes()
    with pytest.raises((ValueError, RuntimeError)), written_whole(path) as partial:
        save_checkpoint(partial, header, prefixed(decoder.state_dict(), WEIGHTS))
        save_checkpoint(partial, header, {"sparse": torch.zeros(2).to_sparse()})
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


def step(decoder: Decoder, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    decoder(torch.randn(2, 9, SIZE), torch.tensor([0, 1])).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizer_goes_on_as_if_it_had_never_stopped(make: type, tmp_path: Path) -> None:
    header = header_of()
    options = {"lr": 0.01, "weight_decay": 0.1} | ({"momentum": 0.9} if make is torch.optim.SGD else {})
    decoder = decoder_of(header)
    optimizer = make(decoder.parameters(), **options)
    for seed in range(3):
        step(decoder, optimizer, seed)
    tensors = prefixed(decoder.state_dict(), WEIGHTS) | prefixed(optimizer_tensors(decoder, optimizer), "optimizer.")
    save_checkpoint(tmp_path / "last.safetensors", header, tensors)
    step(decoder, optimizer, 3)

    _, read, _ = load_checkpoint(tmp_path / "last.safetensors")
    resumed = decoder_of(header, seed=9)
    resumed.load_state_dict({name[len(WEIGHTS) :]: read[name] for name in read if name.startswith(WEIGHTS)})
    again = make(resumed.parameters(), **options)
    restore_optimizer(
        resumed, again, {name[len("optimizer.") :]: read[name] for name in read if name.startswith("optimizer.")}
    )
    step(resumed, again, 3)
    assert all(torch.equal(weight, resumed.state_dict()[name]) for name, weight in decoder.state_dict().items())
