"""The losses of a run, by the names that the config, the log and TensorBoard use."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from config.schema import Loss
from dataset.phone_classes import UNKNOWN
from dataset.windows import Batch
from model.dtw_loss import dtw_loss
from model.learner import Prediction

TOTAL = "total"


def _dtw(prediction: Prediction, batch: Batch[Tensor], loss: Loss) -> Tensor:
    return dtw_loss(prediction.curves, batch.target, mode=loss.dtw_mode, band=loss.dtw_band)


def _velocity(prediction: Prediction, batch: Batch[Tensor], _: Loss) -> Tensor:
    return functional.mse_loss(prediction.curves.diff(dim=1), batch.target.diff(dim=1))


def _phones(prediction: Prediction, batch: Batch[Tensor], _: Loss) -> Tensor:
    """The mean over the frames of which it is known what is heard; 0 where there is none."""
    assert prediction.phones is not None and batch.phones is not None
    logits, heard = prediction.phones.flatten(0, 1), batch.phones.flatten().long()
    total = functional.cross_entropy(logits, heard, ignore_index=UNKNOWN, reduction="sum")
    return total / (heard != UNKNOWN).sum().clamp(min=1)


# For each of config.schema's LOSS_NAMES.
LOSSES: dict[str, Callable[[Prediction, Batch[Tensor], Loss], Tensor]] = {
    "dtw": _dtw,
    "mse": lambda prediction, batch, _: functional.mse_loss(prediction.curves, batch.target),
    "l1": lambda prediction, batch, _: functional.l1_loss(prediction.curves, batch.target),
    "velocity": _velocity,
    "phones": _phones,
}


def compute_losses(prediction: Prediction, batch: Batch[Tensor], loss: Loss) -> dict[str, Tensor]:
    """A batch of B examples of T frames, and what is predicted of it → every loss with a weight, and their `total`."""
    losses = {name: LOSSES[name](prediction, batch, loss) for name in loss.weights}
    weighted = (weight * losses[name] for name, weight in loss.weights.items())
    losses[TOTAL] = sum(weighted, start=batch.target.new_zeros(()))
    return losses
