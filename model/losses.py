"""The losses of a run, by the names that the config, the log and TensorBoard use."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from config.schema import Loss
from model.dtw_loss import dtw_loss

TOTAL = "total"


def _dtw(prediction: Tensor, target: Tensor, loss: Loss) -> Tensor:
    return dtw_loss(prediction, target, mode=loss.dtw_mode, band=loss.dtw_band)


# For each of config.schema's LOSS_NAMES.
LOSSES: dict[str, Callable[[Tensor, Tensor, Loss], Tensor]] = {
    "dtw": _dtw,
    "mse": lambda prediction, target, _: functional.mse_loss(prediction, target),
    "l1": lambda prediction, target, _: functional.l1_loss(prediction, target),
    "velocity": lambda prediction, target, _: functional.mse_loss(prediction.diff(dim=1), target.diff(dim=1)),
}


def compute_losses(prediction: Tensor, target: Tensor, loss: Loss) -> dict[str, Tensor]:
    """prediction, target: (B, T, channels), normalised → every loss with a weight, and their weighted `total`."""
    losses = {name: LOSSES[name](prediction, target, loss) for name in loss.weights}
    weighted = (weight * losses[name] for name, weight in loss.weights.items())
    losses[TOTAL] = sum(weighted, start=prediction.new_zeros(()))
    return losses
