"""What a checkpoint's header says, and its tensors as they lie in the file; read without torch."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from config.errors import UserError
from config.load import portable
from config.schema import Config
from config.yaml_files import shown
from dataset.stats import Stats

FORMAT = "speech-driven-expressions checkpoint"
VERSION = 1
LARGEST_FEATURE = 1_000_000  # values a frame
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

    @property
    def domains(self) -> list[str]:
        """Their names, in the model's order."""
        return [domain.name for domain in self.config.data.domains]

    def domain_number(self, name: str | None) -> int:
        """Which of the domains a name is, None: the first. Raises UserError for one that was not trained on."""
        if name is not None and name not in self.domains:
            raise UserError(f"--domain {name}: the checkpoint knows {', '.join(self.domains)}")
        return self.domains.index(name) if name else 0

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
        """Raises KeyError for what is missing, ValueError, TypeError or the like for what makes no sense."""
        if metadata["format"] != FORMAT or metadata["version"] != str(VERSION):
            raise ValueError(f"{metadata['format']} version {metadata['version']}")
        stats = Stats.from_json(metadata["stats"])
        if (stats.std < 0).any():
            raise ValueError("stats: a std below 0")
        return cls(
            config=Config.model_validate_json(metadata["config"]),
            stats=stats,
            channels=_channels(metadata["channels"], stats),
            fps=_number(metadata, "fps", 1e-3, 1000),
            encoder=metadata["encoder"],
            feature_size=int(_number(metadata, "feature_size", 1, LARGEST_FEATURE)),
            step=int(_number(metadata, "step", 0, math.inf)),
        )


def _channels(text: str, stats: Stats) -> tuple[str, ...]:
    channels = json.loads(text)
    if not isinstance(channels, list) or not channels or len(set(map(str, channels))) < len(channels):
        raise ValueError("channels: not a list of different names")
    for name in channels:
        if name not in stats.channels:
            raise ValueError(f"channels: {shown(str(name))} is none of the stats'")
    return tuple(channels)


def _number(metadata: Mapping[str, str], key: str, least: float, most: float) -> float:
    number = json.loads(metadata[key])
    if type(number) not in (int, float) or not least <= number <= most or not math.isfinite(number):
        raise ValueError(f"{key} {shown(metadata[key])}: expected {least:g} to {most:g}")
    return number


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    """A safetensors file of which nothing is read yet but its header."""
    if path.is_dir():
        raise UserError(f"{path}: a folder; name the checkpoint in it, such as best.safetensors")
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError):
        raise UserError(f"{path}: not a safetensors file, or a truncated one; pickled weights are not loaded") from None


def read_tensors(path: Path, framework: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(tensors by name, the header's raw strings) of a safetensors file; framework: pt or numpy. Raises UserError."""
    with _opened(path, framework) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def read_header(path: Path) -> Header:
    """A checkpoint's header, without its tensors. Raises UserError for a file that is none."""
    with _opened(path, "numpy") as file:
        metadata = file.metadata() or {}
    return parse_header(path, metadata)


def parse_header(path: Path, metadata: Mapping[str, str]) -> Header:
    """The header that a checkpoint's raw strings hold. Raises UserError, saying what makes no sense in it."""
    try:
        return Header.from_metadata(metadata)
    except (ValidationError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = f": no {error.args[0]}" if isinstance(error, KeyError) and metadata.get("format") == FORMAT else ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f": config: {shown('.'.join(map(str, first['loc'])))}: {shown(first['msg'], 120)}"
    except ValueError as error:
        reason = f": {shown(str(error), 160)}"
    raise UserError(f"{path}: a safetensors file, but no checkpoint that scripts/train.py wrote{reason}")
