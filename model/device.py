"""Where tensors live."""

import torch

from config.errors import UserError


def usable_device(name: str | None = None) -> torch.device:
    """The device of a name such as cpu or cuda:1; by default a GPU where there is one.

    Raises UserError for a device that torch does not know or that this machine lacks.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):
        raise UserError(f"--device {name}: there is none here; --device cpu always works") from None
