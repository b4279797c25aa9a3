"""The checkpoint: one .safetensors file whose header says everything synthesis needs, so that no YAML is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from config.errors import UserError
from config.load import portable
from config.schema import Config
from dataset.stats import Stats
from model.decoder import Decoder, build_decoder

FORMAT = "speech-driven-expressions checkpoint"
VERSION = 1
WEIGHTS, AVERAGED = "model.", "averaged."  # prefixes of tensor names; a checkpoint for resuming holds more


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself."""

    config: Config  # read back, its paths below the repository's root are relative to it
    stats: Stats  # of the training clips, all 52 channels
    channels: tuple[str, ...]  # of the curves, in the model's order
    fps: float
    encoder: str  # the speech encoder's identity; "" when it is not known
    feature_size: int
    step: int

    def to_metadata(self) -> dict[str, str]:
        """Strings by key, the form a safetensors header takes."""
        return {
            "format": FORMAT,
            "version": str(VERSION),
            "config": json.dumps(portable(self.config)),
            "stats": self.stats.to_json(),
            "channels": json.dumps(self.channels),
            "fps": repr(self.fps),
            "encoder": self.encoder,
            "feature_size": str(self.feature_size),
            "step": str(self.step),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Header":
        """Raises KeyError, TypeError or ValueError for metadata that to_metadata did not write."""
        if metadata["format"] != FORMAT or int(metadata["version"]) != VERSION:
            raise ValueError(f"{metadata['format']} version {metadata['version']}")
        return cls(
            config=Config.model_validate_json(metadata["config"]),
            stats=Stats.from_json(metadata["stats"]),
            channels=tuple(json.loads(metadata["channels"])),
            fps=float(metadata["fps"]),
            encoder=metadata["encoder"],
            feature_size=int(metadata["feature_size"]),
            step=int(metadata["step"]),
        )


def save_checkpoint(path: Path, header: Header, tensors: Mapping[str, Tensor], **more: str) -> None:
    """Write the header, `more` keys of it, and tensors of any shape. The caller makes the file appear whole."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, path, header.to_metadata() | more)


def load_checkpoint(path: Path) -> tuple[Header, dict[str, Tensor], dict[str, str]]:
    """(header, tensors, the header's raw strings). Raises UserError for anything but a whole checkpoint of ours."""
    if path.is_dir():
        raise UserError(f"{path}: a folder; name the checkpoint in it, such as best.safetensors")
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError):
        raise UserError(f"{path}: not a safetensors file, or a truncated one; pickled weights are not loaded") from None
    try:
        return Header.from_metadata(metadata), tensors, metadata
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: a safetensors file, but no checkpoint that scripts/train.py wrote") from None


def load_decoder(path: Path) -> tuple[Header, Decoder]:
    """The header and the decoder in eval mode, with averaged weights where there are any. Raises UserError."""
    header, tensors, _ = load_checkpoint(path)
    decoder = build_decoder(header.config, header.feature_size, len(header.channels))
    prefix = AVERAGED if any(name.startswith(AVERAGED) for name in tensors) else WEIGHTS
    try:
        decoder.load_state_dict(unprefixed(tensors, prefix))
    except RuntimeError as error:
        raise UserError(f"{path}: weights do not fit the config in the header: {str(error).splitlines()[1]}") from None
    return header, decoder.eval().requires_grad_(False)


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
