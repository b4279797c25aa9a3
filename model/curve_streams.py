"""Curves of a sound as it comes, by whichever checkpoint: one that streams, or one that must hear the whole."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from config.errors import UserError
from dataset.blendshapes import to_arkit
from dataset.split import named_domain
from model.causal_model import can_stream, load_causal
from model.hub import find_checkpoint
from model.onnx_stream import ONNX, OnnxStream
from model.streaming import StreamingSynthesizer, TimedCurves


class WholeSound:
    """A checkpoint that cannot stream: hears all of a wav before it says anything."""

    def __init__(self, ckpt_path: Path, domain: str | None, lookahead_ms: float | None, wav_path: Path) -> None:
        from model.synthesis import Synthesizer  # torch, which a stream does without

        self._synthesizer = Synthesizer(ckpt_path)
        self._synthesizer.check(domain, None, lookahead_ms)
        self._domain = domain or self._synthesizer.named_domain(wav_path.stem)
        self.fps = self._synthesizer.fps
        self.lookahead_ms = lookahead_ms or 0.0  # which an ensemble of checkpoints that stream may be asked for
        self._asked_ms = lookahead_ms
        stats = [member.header.stats.select(self._synthesizer.channels) for member in self._synthesizer.members]
        self.moving = frozenset[str]().union(*(one.moving for one in stats))
        self._heard: list[np.ndarray] = []

    def push(self, samples: np.ndarray) -> Sequence[TimedCurves]:
        """(samples,) → nothing yet."""
        self._heard.append(samples)
        return ()

    def interrupt(self) -> None:
        """Forget what was heard."""
        self._heard.clear()

    def flush(self) -> Sequence[TimedCurves]:
        """All frames."""
        sound = np.concatenate(self._heard)
        self.interrupt()
        curves = self._synthesizer.synthesize(sound, self._domain, lookahead_ms=self._asked_ms)
        return [
            TimedCurves(index / self.fps, row) for index, row in enumerate(to_arkit(curves, self._synthesizer.channels))
        ]


def curve_stream(
    ckpt_path: Path, domain: str | None, lookahead_ms: float | None, wav_path: Path | None
) -> StreamingSynthesizer | OnnxStream | WholeSound:
    """What tells curves of sound, from lookahead_ms of it, None: model.lookahead.USUAL_MS where it streams.

    Raises UserError for sound that comes live and a checkpoint that cannot stream.
    """
    ckpt_path = find_checkpoint(ckpt_path)
    if ckpt_path.suffix == ONNX:
        return OnnxStream(ckpt_path, domain, lookahead_ms)
    if can_stream(ckpt_path):
        model = load_causal(ckpt_path)
        named = named_domain(wav_path.stem, model.header.config.data.domains) if wav_path else None
        ahead_ms = model.delays.usual_ms if lookahead_ms is None else lookahead_ms
        return StreamingSynthesizer(model, domain or named, ahead_ms)
    if wav_path is None:
        told = "hears whole windows, which only a --wav_path has; one of config/live.yml streams"
        raise UserError(f"{ckpt_path}: {told}")
    return WholeSound(ckpt_path, domain, lookahead_ms, wav_path)
