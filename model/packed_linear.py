"""Linear layers of a frozen model in the form that oneDNN computes with: float32, bfloat16, or int8 on the fly.

torch's own float32 product goes through MKL, which on AMD leaves AVX-512 alone: there oneDNN is 2.3 times as fast.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from config.errors import UserError

USUAL_ROWS = 512  # what the layout of packed weights is chosen for; 10 s at 50 Hz


class PackedLinear(nn.Module):
    """A frozen nn.Linear with its weight in oneDNN's layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), USUAL_ROWS)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., inputs) → (..., outputs)."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def pack_linears(model: nn.Module, names: Callable[[str], bool]) -> None:
    """Pack the linear layers with such names, in place; where oneDNN has no such layout, nothing changes."""
    probe = nn.Linear(16, 16, dtype=next(model.parameters()).dtype).requires_grad_(False)
    try:
        PackedLinear(probe)(torch.zeros(2, 16, dtype=probe.weight.dtype))
    except (AttributeError, RuntimeError):
        return
    _replace(model, names, PackedLinear)


def quantise_linears(model: nn.Module, names: Callable[[str], bool]) -> None:
    """Make the linear layers with such names int8, in place: weights a scale per output, activations one per call.

    Raises UserError where this machine's torch cannot.
    """
    if "onednn" not in torch.backends.quantized.supported_engines:
        raise UserError("features.precision: int8 needs a torch with oneDNN on an x86 CPU; set it to fp32")
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        _replace(model, names, _quantised)
    finally:
        torch.backends.quantized.engine = engine


def _quantised(linear: nn.Linear) -> nn.Module:
    from torch.ao.nn.quantized import dynamic
    from torch.ao.quantization import per_channel_dynamic_qconfig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this will move to another package
        linear.qconfig = per_channel_dynamic_qconfig  # type: ignore[assignment]
        return dynamic.Linear.from_float(linear)


def _replace(model: nn.Module, names: Callable[[str], bool], make: Callable[[nn.Linear], nn.Module]) -> None:
    linears = [name for name, module in model.named_modules() if type(module) is nn.Linear and names(name)]
    for name in linears:
        parent, _, child = name.rpartition(".")
        owner = model.get_submodule(parent)
        setattr(owner, child, make(getattr(owner, child)))
