"""The losses of a run, by the names that the config, the log and TensorBoard use."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from config.schema import Loss
from dataset.lip_gap import gap_moves
from dataset.phone_classes import UNKNOWN
from dataset.stats import Stats
from dataset.windows import Batch
from model.dtw_loss import dtw_loss
from model.learner import Prediction

TOTAL = "total"


class LipGap(NamedTuple):
    """Millimetres between the lips = rest + normalised curves @ moves; below 0 where they press."""

    moves: Tensor  # (channels,) float32
    rest: float

    def __call__(self, curves: Tensor) -> Tensor:
        """(B, T, channels), normalised → (B, T)."""
        return curves @ self.moves + self.rest


def lip_gap(stats: Stats, curve_scale: str, device: torch.device | str = "cpu") -> LipGap:
    """That of curves normalised by the stats of the channels, as model.curve_scale says."""
    moves = gap_moves(stats.channels)
    per_curve = torch.as_tensor(moves * stats.scale(curve_scale), dtype=torch.float32, device=device)
    return LipGap(per_curve, float(stats.mean @ moves))


def _dtw(prediction: Prediction, batch: Batch[Tensor], loss: Loss, _: LipGap | None) -> Tensor:
    return dtw_loss(prediction.curves, batch.target, mode=loss.dtw_mode, band=loss.dtw_band)


def _velocity(prediction: Prediction, batch: Batch[Tensor], *_: Loss | LipGap | None) -> Tensor:
    return functional.mse_loss(prediction.curves.diff(dim=1), batch.target.diff(dim=1))


def _phones(prediction: Prediction, batch: Batch[Tensor], *_: Loss | LipGap | None) -> Tensor:
    """The mean over the frames of which it is known what is heard; 0 where there is none."""
    assert prediction.phones is not None and batch.phones is not None
    logits, heard = prediction.phones.flatten(0, 1), batch.phones.flatten().long()
    total = functional.cross_entropy(logits, heard, ignore_index=UNKNOWN, reduction="sum")
    return total / (heard != UNKNOWN).sum().clamp(min=1)


def _closure(prediction: Prediction, batch: Batch[Tensor], _: Loss, lips: LipGap | None) -> Tensor:
    """Squared millimetres too many; a frame counts by how nearly shut its lips are: 1 shut, 1/e at a millimetre."""
    assert lips is not None
    wanted = lips(batch.target).clamp(min=0)
    too_far = (lips(prediction.curves) - wanted).clamp(min=0)
    return (too_far.square() * torch.exp(-wanted)).mean()


# For each of config.schema's LOSS_NAMES.
LOSSES: dict[str, Callable[[Prediction, Batch[Tensor], Loss, LipGap | None], Tensor]] = {
    "dtw": _dtw,
    "mse": lambda prediction, batch, *_: functional.mse_loss(prediction.curves, batch.target),
    "l1": lambda prediction, batch, *_: functional.l1_loss(prediction.curves, batch.target),
    "velocity": _velocity,
    "phones": _phones,
    "closure": _closure,
}


def captured_alone(prediction: Prediction, batch: Batch[Tensor]) -> tuple[Prediction, Batch[Tensor]]:
    """The same with 0 for the prediction, and for the target, of channels that are not captured."""
    if batch.captured is None:
        return prediction, batch
    counts = batch.captured[:, None, :]  # (B, 1, channels)
    nothing = batch.target.new_zeros(())
    curves, target = (torch.where(counts, values, nothing) for values in (prediction.curves, batch.target))
    return prediction._replace(curves=curves), replace(batch, target=target)


def compute_losses(
    prediction: Prediction, batch: Batch[Tensor], loss: Loss, lips: LipGap | None = None
) -> dict[str, Tensor]:
    """A batch of B examples of T frames, and what is predicted of it → every loss with a weight, and their `total`.

    A channel that an example does not capture costs nothing there and has no gradient, and what the others weigh does
    not depend on it: means stay those over all channels. lips: of the run's channels, which loss.closure needs.
    """
    prediction, batch = captured_alone(prediction, batch)
    losses = {name: LOSSES[name](prediction, batch, loss, lips) for name in loss.weights}
    weighted = (weight * losses[name] for name, weight in loss.weights.items())
    losses[TOTAL] = sum(weighted, start=batch.target.new_zeros(()))
    return losses
