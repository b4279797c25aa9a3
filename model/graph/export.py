"""A checkpoint as one ONNX file, which other programs run without this framework."""

import json
from pathlib import Path
from typing import Any

import yaml
from onnx import ModelProto

from config.files import regular, written_whole
from config.units import SAMPLE_RATE
from model.causal_model import CausalModel
from model.checkpoint import load_decoder
from model.decoder import Decoder
from model.graph import stream, windows
from model.header import Header
from model.hub import find_checkpoint
from model.lookahead import check_no_lookahead

CARD = "README.md"  # beside a checkpoint, as on the hub; its licence goes with the weights


def export_model(path: Path, out: Path, domain: str | None, lookahead_ms: float | None, half: bool) -> str:
    """Write a checkpoint as an ONNX file; the line that says what it is. Arguments and errors as of onnx_model."""
    model = onnx_model(path, domain, lookahead_ms, half)
    with written_whole(out) as partial:
        partial.write_bytes(model.SerializeToString())
    inputs = ", ".join(f"{value.name} {_shape(value)}" for value in model.graph.input)
    outputs = ", ".join(f"{value.name} {_shape(value)}" for value in model.graph.output)
    return f"{out}: {out.stat().st_size / 1e6:.1f} MB, {inputs} → {outputs}"


def onnx_model(path: Path, domain: str | None, lookahead_ms: float | None, half: bool) -> ModelProto:
    """A checkpoint's graph; its description says how it is run, its metadata what its numbers are, as JSON or a word.

    domain: the recording set to sound like, None: the first. lookahead_ms: how much sound after a frame one that
    streams waits for, None: usual_ms of model.lookahead. half: weights are kept in float16, and computed with as
    float32. Raises UserError for a checkpoint that cannot be had, and a domain or a look-ahead that it does not know.
    """
    path = find_checkpoint(path)
    header, decoder = load_decoder(path)
    number = header.domain_number(domain)
    facts = {
        "channels": header.channels,
        "fps": header.fps,
        "sample_rate": SAMPLE_RATE,
        "domains": header.domains,
        "domain": header.domains[number],
        "licence": licence_of(path),
    }
    if header.config.model.lookahead_ms is not None:
        return _streaming(header, decoder, path, facts, lookahead_ms, half)
    check_no_lookahead(lookahead_ms)
    window = header.config.windows.window_frames
    facts |= {"window_frames": window, "hop_frames": windows.hop_frames(window), "encoder": header.encoder}
    said = windows.OF_SOUND if windows.hears_sound(header) else windows.OF_FEATURES
    return windows.windows_graph(header, decoder, number, half).model(said, _as_strings(facts))


def _streaming(
    header: Header, decoder: Decoder, path: Path, facts: dict[str, Any], lookahead_ms: float | None, half: bool
) -> ModelProto:
    model = CausalModel(header, {name: tensor.numpy() for name, tensor in decoder.state_dict().items()}, str(path))
    voice = model.voice(facts["domain"], model.delays.usual_ms if lookahead_ms is None else lookahead_ms)
    flush_samples = stream.Clock(model.delays, voice.delay).flush_samples
    facts |= {"lookahead_ms": model.delays.heard_ms(voice.delay), "flush_samples": flush_samples}
    return stream.stream_graph(model, voice, half).model(stream.DESCRIPTION, _as_strings(facts))


def licence_of(checkpoint: Path) -> str:
    """What the card beside a checkpoint says of its licence in its YAML head; "" where there is none."""
    card = checkpoint.parent / CARD
    if not card.is_file():
        return ""
    try:
        head = yaml.safe_load(regular(card).read_text(encoding="utf-8").split("---\n", 2)[1])
        return str(head["license"])
    except (ValueError, LookupError, TypeError, yaml.YAMLError):
        return ""


def _as_strings(facts: dict[str, Any]) -> dict[str, str]:
    return {key: fact if isinstance(fact, str) else json.dumps(fact) for key, fact in facts.items()}


def _shape(value: Any) -> str:
    sizes = [size.dim_param or str(size.dim_value) for size in value.type.tensor_type.shape.dim]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
