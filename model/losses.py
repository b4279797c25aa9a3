"""The losses of a run, by the names that the config, the log and TensorBoard use."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from config.schema import Loss

TOTAL = "total"


def _dtw(prediction: Tensor, target: Tensor, loss: Loss) -> Tensor:
    from model.dtw_loss import dtw_loss

    return dtw_loss(prediction, target, mode=loss.dtw_mode, band=loss.dtw_band)


LOSSES: dict[str, Callable[[Tensor, Tensor, Loss], Tensor]] = {
    "dtw": _dtw,
    "mse": lambda prediction, target, _: functional.mse_loss(prediction, target),
    "l1": lambda prediction, target, _: functional.l1_loss(prediction, target),
    "velocity": lambda prediction, target, _: functional.mse_loss(prediction.diff(dim=1), target.diff(dim=1)),
}


def loss_names(loss: Loss) -> list[str]:
    """Those with a weight."""
    return [name for name in LOSSES if getattr(loss, name)]


def compute_losses(prediction: Tensor, target: Tensor, loss: Loss) -> dict[str, Tensor]:
    """prediction, target: (B, T, channels), normalised → every loss with a weight, and their weighted `total`."""
    losses = {name: LOSSES[name](prediction, target, loss) for name in loss_names(loss)}
    losses[TOTAL] = sum((getattr(loss, name) * value for name, value in losses.items()), start=prediction.new_zeros(()))
    return losses
