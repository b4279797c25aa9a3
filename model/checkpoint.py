"""The checkpoint: one .safetensors file whose header says everything synthesis needs, so that no YAML is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from config.errors import UserError
from config.yaml_files import shown
from model.decoder import Decoder, build_decoder, domain_vectors
from model.header import AVERAGED, WEIGHTS, Header, parse_header, read_tensors

FEATURE_STD = "normalise.std"
DOMAINS = "domain.weight"


def save_checkpoint(path: Path, header: Header, tensors: Mapping[str, Tensor], **more: str) -> None:
    """Write the header, `more` keys of it, and tensors of any shape. The caller makes the file appear whole."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, path, header.to_metadata() | more)


def load_checkpoint(path: Path) -> tuple[Header, dict[str, Tensor], dict[str, str]]:
    """(header, tensors, the header's raw strings). Raises UserError for anything but a whole checkpoint of ours."""
    tensors, metadata = read_tensors(path, "pt")
    check_finite(path, tensors, "take another checkpoint, or train again")
    return parse_header(path, metadata), tensors, metadata


def check_finite(path: Path, tensors: Mapping[str, Tensor], mend: str) -> None:
    """Raises UserError, naming the tensor, where a weight is not a finite number; tensors of any shape."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise UserError(f"{path}: {shown(name)} holds what is not a finite number; {mend}")


def load_decoder(path: Path) -> tuple[Header, Decoder]:
    """The header and the decoder in eval mode, with averaged weights where there are any. Raises UserError."""
    header, tensors, _ = load_checkpoint(path)
    prefix = AVERAGED if any(name.startswith(AVERAGED) for name in tensors) else WEIGHTS
    weights = unprefixed(tensors, prefix)
    if problem := misfit(header, weights):
        raise UserError(f"{path}: weights do not fit the config in the header: {problem}")
    decoder = build_decoder(header.config, header.feature_size, len(header.channels))
    decoder.load_state_dict(with_domains(header, weights))
    return header, decoder.eval().requires_grad_(False)


def with_domains(header: Header, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A decoder's weights, of any shape, with the domains' one-hots where a checkpoint of before has no vectors."""
    domains, size = len(header.config.data.domains), header.config.domain_size
    if not size or DOMAINS in weights:
        return dict(weights)
    return {**weights, DOMAINS: domain_vectors(domains, size).weight.detach()}


def misfit(header: Header, weights: Mapping[str, Tensor]) -> str:
    """Why the weights are not those of the header's decoder, told before memory is taken for one; "" where they are."""
    model = header.config.model
    layers = model.conv_layers + model.encoder_layers + model.decoder_layers
    if layers > len(weights):
        return f"{layers} layers, but {len(weights)} tensors"
    with torch.device("meta"):
        wanted = build_decoder(header.config, header.feature_size, len(header.channels)).state_dict()
    for name in (*wanted, *weights):
        ours, theirs = (list(found[name].shape) if name in found else None for found in (wanted, weights))
        if ours != theirs and (name != DOMAINS or theirs):  # checkpoints of before take one-hots for granted
            return f"{shown(name)} is {theirs or 'missing'}, expected {ours or 'none'}"
    if FEATURE_STD in weights and not (weights[FEATURE_STD] > 0).all():
        return f"{FEATURE_STD} is not above 0"
    return ""


def copy_weights(source: Path, target: Path) -> Header:
    """Copy the checkpoint without what only resuming needs, its averaged weights where there are any; its header.

    Raises UserError as load_decoder does.
    """
    header, decoder = load_decoder(source)
    save_checkpoint(target, header, prefixed(decoder.state_dict(), WEIGHTS))
    return header


def prefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors, of any shape, with the prefix before their names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def unprefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those of the tensors, of any shape, whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimizer_tensors(decoder: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as named tensors, `<parameter>/<state>`: scalars, or the parameter's shape."""
    named = dict(decoder.named_parameters())
    return {
        f"{name}/{key}": torch.as_tensor(value)
        for name, parameter in named.items()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    decoder: torch.nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Undo optimizer_tensors: the optimiser goes on as if it had never stopped."""
    named: dict[str, Any] = dict(decoder.named_parameters())
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        optimizer.state[named[name]][entry] = value.to(named[name].device, copy=True)
