"""Curves of a sound as it comes, by a stream as scripts/export_model.py writes it: what other programs get."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from config.files import regular
from config.packages import check_installed
from config.places import LIVE, ROOT
from config.units import frame_count
from dataset.blendshapes import ARKIT, indices, to_arkit
from model.streaming import TimedCurves

ONNX = ".onnx"


class OnnxStream:
    """One stream of sound, run by onnxruntime as the file's description says.

    domain, lookahead_ms: None, or what the file was exported with. Raises UserError for others, for a file that is no
    such stream, and where onnxruntime is not installed.
    """

    def __init__(self, path: Path, domain: str | None = None, lookahead_ms: float | None = None) -> None:
        self._session = _session(path)
        try:
            facts = self._session.get_modelmeta().custom_metadata_map
            self.fps, self.lookahead_ms = float(facts["fps"]), float(facts["lookahead_ms"])
            self._channels, self._flush_samples = tuple(json.loads(facts["channels"])), int(facts["flush_samples"])
            indices(ARKIT, self._channels)
            exported = facts["domain"]
        except (KeyError, ValueError, TypeError):
            raise UserError(
                f"{path}: does not stream; export a checkpoint that does: {LIVE.relative_to(ROOT).as_posix()}"
            ) from None
        if domain not in (None, exported):
            raise UserError(f"--domain {domain}: {path} is exported as {exported}; export it anew")
        if lookahead_ms is not None and lookahead_ms < self.lookahead_ms:
            raise UserError(
                f"--lookahead_ms {lookahead_ms:g}: {path} waits for {self.lookahead_ms:.0f} ms; export it anew"
            )
        self.interrupt()

    @property
    def moving(self) -> frozenset[str]:
        """The channels that it moves."""
        return frozenset(self._channels)

    def push(self, samples: np.ndarray) -> list[TimedCurves]:
        """(samples,) float32 in [-1, 1] at 16 kHz → the frames that can be told now, clamped to [0, 1]."""
        self._heard += len(samples)
        return self._listen(samples)

    def flush(self) -> list[TimedCurves]:
        """The sound has ended: its last frames. What is pushed next is another sound, from 0 s on."""
        frames = frame_count(self._heard, self.fps)
        told = self._listen(np.zeros(self._flush_samples, np.float32))
        self.interrupt()
        return [frame for frame in told if frame.time_s < frames / self.fps]

    def interrupt(self) -> None:
        """Forget what was heard. What is pushed next is another sound."""
        self._heard = self._told = 0
        self._states = {
            state.name: np.zeros(state.shape, np.int64 if "int64" in state.type else np.float32)
            for state in self._session.get_inputs()[1:]
        }

    def _listen(self, samples: np.ndarray) -> list[TimedCurves]:
        curves, *carried = self._session.run(None, {"samples": samples, **self._states})
        self._states = dict(zip(self._states, carried, strict=True))
        first, self._told = self._told, self._told + len(curves)
        return [TimedCurves(frame / self.fps, row) for frame, row in enumerate(to_arkit(curves, self._channels), first)]


def _session(path: Path) -> Any:
    check_installed(["onnxruntime"], "requirements-onnx.txt")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a frame is too small to be shared
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    content = regular(path).read_bytes()
    try:
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception:  # of onnxruntime's many, which share no class
        raise UserError(f"{path}: no ONNX file that can be run, or a truncated one; export it anew") from None
