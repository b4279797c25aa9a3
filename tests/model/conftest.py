"""Checkpoints that stream."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import CAUSAL


@pytest.fixture
def make_streaming_checkpoint(make_checkpoint: Callable[..., Path]) -> Callable[..., Path]:
    """make_checkpoint's, whose weights, delays' vectors too, are random and large enough to matter."""

    def make(*overrides: str) -> Path:
        import torch

        from model.checkpoint import WEIGHTS, load_checkpoint, prefixed, save_checkpoint, unprefixed

        path = make_checkpoint(*CAUSAL, *overrides)
        header, tensors, _ = load_checkpoint(path)
        weights = unprefixed(tensors, WEIGHTS)
        for name in [name for name in weights if name == "project.delay.weight" or name.endswith(".film.weight")]:
            weights[name] = torch.randn_like(weights[name])
        weights["normalise.mean"] = torch.full_like(weights["normalise.mean"], -4.0)
        weights["normalise.std"] = torch.full_like(weights["normalise.std"], 3.0)
        save_checkpoint(path, header, prefixed(weights, WEIGHTS))
        return path

    return make
