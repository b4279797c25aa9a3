"""The decoder while it learns: with the heads that only a loss asks for, which nobody needs afterwards."""

from typing import NamedTuple

from torch import Tensor, nn

from config.schema import Loss
from dataset.phone_classes import CLASSES
from model.decoder import Decoder


class Prediction(NamedTuple):
    """What the losses are told of a batch."""

    curves: Tensor  # (B, T, channels), normalised
    phones: Tensor | None = None  # (B, T, classes) logits of dataset.phone_classes.CLASSES; None where nobody asks


class Learner(nn.Module):
    """A decoder, and beside its own head those that the losses with a weight ask for."""

    def __init__(self, decoder: Decoder, loss: Loss) -> None:
        super().__init__()
        self.decoder = decoder
        self.heads = nn.ModuleDict()
        if loss.phones:
            self.heads["phones"] = nn.Linear(decoder.head.linear.in_features, len(CLASSES))

    def forward(
        self, features: Tensor, domain: Tensor, unit: Tensor | None = None, position: Tensor | None = None
    ) -> Prediction:
        """As Decoder.forward takes them: features (B, T, feature size), domain (B,)."""
        hidden = self.decoder.hidden(features, domain, unit, position)
        others = {name: head(hidden) for name, head in self.heads.items()}
        return Prediction(self.decoder.head(hidden), **others)
