"""What the benchmark compares with does the same as what it times."""

from pathlib import Path

import numpy as np
import pytest
import torch

from config.load import ROOT, load_config
from model.bench.workloads import (
    PlainDecoder,
    plain_batch,
    plain_synthesis,
    training_on_noise,
    with_plain_layers,
    write_noise,
)
from model.decoder import build_decoder
from model.synthesis import Synthesizer
from model.training import step


@pytest.mark.parametrize("context", ["clip", "window"])
def test_the_plain_loader_gives_what_the_loader_gives(context: str, tmp_path: Path) -> None:
    run = training_on_noise(tmp_path, 3, 3.0, f"features.context={context}", "train.batch_size=4")
    (first, *_) = run.data.epoch_examples(0)
    batch = next(run.batches())
    assert batch.features.shape == (4, 55, 1024) and batch.target.shape == (4, 55, 37)
    torch.testing.assert_close(
        (batch.features, batch.target, batch.domain), plain_batch(run, run.data.train.examples[first])
    )
    assert set(run.data.train.domain.tolist()) == {0, 1}


def test_a_run_on_noise_takes_a_training_step(tmp_path: Path) -> None:
    run = training_on_noise(tmp_path, 2, 3.0, "train.batch_size=2")
    learnt = [weight for weight in run.decoder.parameters() if weight.requires_grad]
    before = [weight.clone() for weight in learnt]
    step(run, next(run.batches()))
    assert run.step == 1 and set(run.losses[0]) == {"dtw", "total"}
    assert not any(map(torch.equal, before, learnt))


def test_a_run_takes_a_step_on_plain_layers(tmp_path: Path) -> None:
    run = with_plain_layers(training_on_noise(tmp_path, 2, 3.0, "train.batch_size=2"))
    before = [weight.clone() for weight in run.model.parameters()]
    step(run, next(run.batches()))
    assert isinstance(run.decoder, PlainDecoder) and not any(map(torch.equal, before, run.model.parameters()))


def test_the_plain_decoder_is_the_reference_decoder() -> None:
    ours = build_decoder(load_config(ROOT / "config" / "aiwin.yml", ()), 1024, 37).eval()
    plain = PlainDecoder().eval()
    plain.load_state_dict(
        {
            name.replace("encoder.0.", "encoder.").replace("decoder.0.", "decoder.").replace("head.linear", "head.0"): v
            for name, v in ours.state_dict().items()
            if name != "domain.weight"  # one-hots, which the plain one makes itself
        }
    )
    given = torch.randn(2, 55, 1024), torch.tensor([0, 1])
    torch.testing.assert_close(ours(*given), plain(*given), atol=1e-5, rtol=1e-4)


def test_plain_synthesis_is_near_to_ours(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav", 7.3)
    synthesizer = Synthesizer(device="cpu")
    ours, plain = synthesizer.synthesize(tmp_path / "a.wav"), plain_synthesis(synthesizer, tmp_path / "a.wav")
    assert ours.shape == plain.shape == (219, 37)
    assert np.abs(ours - plain).mean() < 0.2 * ours.std()
