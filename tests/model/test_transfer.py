"""A training that starts from weights: the base's curves at first, and what of it stays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from config.load import ROOT, load_config
from dataset.blendshapes import ARKIT, FACE, GROUPS
from dataset.stats import Stats, compute_stats
from dataset.store import ClipStore, write_store
from model.checkpoint import Header, load_checkpoint, load_decoder
from model.decoder import Decoder, build_decoder
from model.transfer import freeze, start_from
from scripts import train
from tests.helpers import refused, refused_file, run_main

Make = Callable[..., Path]
MINE = '{name: mine, clips: ["*"], weight: 1.0}'


@pytest.fixture
def base(make_checkpoint: Make) -> Path:
    """Of random weights, with the domains a and b."""
    return make_checkpoint(name="base")


def other_stats(seed: int = 3) -> Stats:
    random = np.random.default_rng(seed)
    return compute_stats([random.random((80, 52)) * random.random(52) + random.random(52)], ["mine"])


def begun(base: Path, packed: Path, *overrides: str) -> tuple[Header, Decoder, str]:
    """A new run's header and decoder that start from the base, and what is said of it."""
    config = load_config(packed, [f"train.init={base}", *overrides])
    old = load_checkpoint(base)[0]
    header = replace(old, config=config, channels=GROUPS[config.model.channels], stats=other_stats())
    decoder = build_decoder(config, old.feature_size, len(header.channels))
    return header, decoder.eval(), start_from(base, decoder, header)


def curves_of(header: Header, decoder: Decoder, domain: torch.Tensor) -> np.ndarray:
    """(frames, channels) of some features, by a header's stats."""
    features = torch.randn(1, 30, header.feature_size, generator=torch.Generator().manual_seed(1))
    stats = header.stats.select(header.channels)
    with torch.no_grad():
        normalised = decoder(features, domain)[0].numpy()
    return normalised * stats.scale(header.config.model.curve_scale) + stats.mean


@pytest.mark.parametrize("curve_scale", ["channel", "common"])
def test_the_first_curves_are_the_bases(curve_scale: str, base: Path, packed: Path) -> None:
    header, decoder, said = begun(
        base, packed, f"model.curve_scale={curve_scale}",
        'data.domains=[{name: b, clips: ["b*"], weight: 1.0}, {name: mine, clips: ["*"], weight: 1.0}]',
    )  # fmt: skip
    before = load_decoder(base)
    for number, theirs in ((0, torch.tensor([[0.0, 1.0]])), (1, torch.tensor([[0.5, 0.5]]))):
        expected = curves_of(*before, theirs)
        np.testing.assert_allclose(curves_of(header, decoder, torch.tensor([number])), expected, atol=2e-6)
        assert expected.std() > 1e-3
    torch.testing.assert_close(decoder.normalise.mean, before[1].normalise.mean)
    tensors = len(decoder.state_dict())
    assert said == f"{base}: {tensors} of {tensors} tensors to start from; mine begins as the mean of a, b"


def test_channels_go_by_name_and_a_new_one_begins_at_its_mean(make_checkpoint: Make, packed: Path) -> None:
    base = make_checkpoint("model.channels=jaw", name="jaw")
    header, decoder, _ = begun(base, packed)
    ours, theirs = curves_of(header, decoder, torch.tensor([0])), curves_of(*load_decoder(base), torch.tensor([0]))
    known = [FACE.index(channel) for channel in GROUPS["jaw"]]
    np.testing.assert_allclose(ours[:, known], theirs, atol=2e-6)
    mean = header.stats.select(FACE).mean
    rest = np.delete(np.arange(len(FACE)), known)
    np.testing.assert_allclose(ours[:, rest], np.tile(mean[rest], (30, 1)), atol=1e-6)


def test_a_head_that_ends_in_tanh_keeps_its_rows(make_checkpoint: Make, packed: Path) -> None:
    base = make_checkpoint("model.output=tanh", name="bounded")
    _, decoder, _ = begun(base, packed, "model.output=tanh")
    assert torch.equal(decoder.head.linear.weight, load_decoder(base)[1].head.linear.weight)


def test_what_does_not_fit_is_said(base: Path, packed: Path) -> None:
    said = begun(base, packed, "model.feedforward=24")[2]
    assert "; what does not fit: encoder.0.linear1.weight [16, 10] for [24, 10], encoder.0.linear1.bias" in said
    assert said.endswith(" and 3 more") and "\n" not in said
    said = begun(base, packed, "model.encoder_layers=0", f"data.domains=[{MINE}]", "model.domain_size=2")[2]
    assert "encoder.0.self_attn.in_proj_weight [30, 10] for none" in said
    line = refused_file(begun, base, packed, "model.width=12", "model.conv_layers=0")
    assert line == "none of its layers fits; give model: as its run had it"


def test_another_encoder_is_refused(base: Path, packed: Path) -> None:
    old = load_checkpoint(base)[0]
    decoder = build_decoder(old.config, old.feature_size, len(FACE))
    line = refused_file(start_from, base, decoder, replace(old, encoder="logmel: other"))
    assert line == (
        f"trained on features of another encoder: {old.encoder}; this run's is logmel: other; "
        "give features: and data.fps as its run had them"
    )


def test_a_run_does_not_write_over_the_weights_it_starts_from(packed: Path, base: Path) -> None:
    best = base.rename(base.with_name("best.safetensors"))
    words = ("--config", packed, f"run.dir={best.parent.parent}", f"run.name={best.parent.name}")
    line = refused_file(lambda path: run_main(train, *words, f"train.init={path}", "--overwrite"), best)
    assert line == "is a source too; write to another place with run.name"


def test_freezing_all_that_there_is(base: Path) -> None:
    parts = ("project", "domain", "front", "encoder", "decoder", "head")
    decoder = load_decoder(base)[1]
    assert refused(freeze, decoder, parts).endswith("nothing is left to be trained; take one out")


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_from_weights_keeps_what_is_frozen_and_goes_on_without_them(
    ema: float, base: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--config", packed, f"run.dir={tmp_path}", "run.name=mine", f"data.domains=[{MINE}]", f"train.ema={ema}",
        "train.freeze=[project, front]", f"train.init={base}", "data.split.by=none",
        f"data.lmdb={tmp_path}/masked.lmdb",
    ]  # fmt: skip
    from data_process import pack

    run_main(pack, "--config", packed, f"data.domains=[{MINE}]", f"data.lmdb={tmp_path}/mine.lmdb")
    store, channels = ClipStore(tmp_path / "mine.lmdb"), tuple(name for name in ARKIT if name != "MouthClose")
    masked = [(replace(store[info.id], channels=channels), info.folder) for info in store.clips]
    write_store(tmp_path / "masked.lmdb", masked, store.fps)
    capsys.readouterr()
    run_main(train, *words, "train.epochs=1")
    assert "tensors to start from; mine begins as the mean of a, b\n" in capsys.readouterr().out
    config = load_config(tmp_path / "mine" / "config.yml")
    assert config.train.init == base and config.train.freeze == ("project", "front")
    old, their_decoder = load_decoder(base)
    theirs = their_decoder.state_dict()
    base.unlink()
    run_main(train, *words, "train.epochs=2", "--resume")
    header, decoder = load_decoder(tmp_path / "mine" / "last.safetensors")
    assert header.config.domain_size == 2 and decoder.domain is not None and decoder.domain.weight.shape == (1, 2)
    ours = decoder.state_dict()
    for name in theirs.keys() - {"domain.weight"}:
        kept = name.startswith(("project.", "front.", "normalise."))
        assert torch.equal(ours[name], theirs[name]) == kept, name
    assert not torch.equal(ours["domain.weight"][0], torch.tensor([0.5, 0.5])), "the domain is learnt"
    rows = []
    for of, tensors in ((old, theirs), (header, ours)):
        stats, row = of.stats.select(of.channels), of.channels.index("MouthClose")
        scale = float(stats.scale(of.config.model.curve_scale)[row])
        weight, bias = (tensors[f"head.linear.{name}"][row] for name in ("weight", "bias"))
        rows.append(torch.cat([weight * scale, bias[None] * scale + float(stats.mean[row])]))
    torch.testing.assert_close(*rows, rtol=1e-3, atol=1e-6)  # but for the weight decay, it stays as it was


def test_the_recipe_for_a_minute_of_ones_own_has_the_layers_of_the_weights_we_ship() -> None:
    config = load_config(ROOT / "config" / "finetune.yml")
    assert config.train.init is not None
    assert config.model == load_checkpoint(config.train.init)[0].config.model
