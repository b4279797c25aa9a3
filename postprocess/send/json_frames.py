"""Frames as JSON, a header before them: the messages of a WebSocket, the lines of a file or a pipe."""

import json
import os
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

from config.errors import UserError
from dataset.blendshapes import ANGLES, ARKIT
from dataset.face_frame import FaceFrame
from postprocess.send.courier import Courier, Link
from postprocess.send.sender import Address, Health, Sender, SendSettings

JSON_VALUE_DECIMALS, JSON_TIME_DECIMALS = 4, 6


def header_json(settings: SendSettings) -> str:
    """What is said once: whose face, the names of a frame's values and angles, frames a second, the look-ahead."""
    return _line({
        "subject": settings.subject,
        "names": ARKIT,
        "angles": ANGLES,
        "fps": settings.fps,
        "lookahead_ms": settings.lookahead_ms,
    })  # fmt: skip


def frame_json(frame: FaceFrame) -> str:
    """time_s: audio time of the stream; values: 0 … 1; angles_deg: as Live Link Face tells them."""
    return _line({
        "time_s": round(frame.time_s, JSON_TIME_DECIMALS),
        "values": _rounded(frame.values),
        "angles_deg": _rounded(frame.angles_deg),
    })  # fmt: skip


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _rounded(numbers: np.ndarray) -> list[float]:
    return [float(number) for number in numbers.astype(np.float64).round(JSON_VALUE_DECIMALS)]


class _LineLink(Link):
    """Lines to stdout, whose reader may be slow or go away."""

    def __init__(self, file: TextIO, header: str) -> None:
        self._file, self._header = file, header
        self.failed: OSError | None = None

    def connect(self, health: Health) -> None:
        self._write(self._header)

    def deliver(self, frame: FaceFrame) -> None:
        self._write(frame_json(frame))

    def _write(self, line: str) -> None:
        try:
            print(line, file=self._file, flush=True)
        except OSError as error:  # the sender tells
            self.failed = self.failed or error

    def disconnect(self) -> None: ...


class JsonPipe(Sender):
    """JSON lines on stdout, by a courier. A reader that goes away ends the command: `send` raises BrokenPipeError."""

    keeps_all = True

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._link = _LineLink(sys.stdout, header_json(settings))
        self._courier = Courier(address, self._link, settings.patient)

    def send(self, frame: FaceFrame) -> None:
        if self._link.failed is not None:
            raise self._link.failed
        self._courier.send(frame)

    def close(self) -> None:
        self._courier.close()


class JsonFile(Sender):
    """JSON lines in a file, each there at once. Raises UserError for a place that cannot be written to."""

    keeps_all = True

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._path = Path(address.path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{address}: cannot be written: {error.strerror}") from None
        self._write(header_json(settings))

    def send(self, frame: FaceFrame) -> None:
        self._write(frame_json(frame))

    def _write(self, line: str) -> None:
        try:
            print(line, file=self._file, flush=True)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written: {os.strerror(error.errno or 0)}") from None

    def close(self) -> None:
        self._file.close()


def json_lines(address: Address, settings: SendSettings) -> Sender:
    """`jsonl:-` is stdout, anything else a file."""
    return (JsonPipe if address.path == "-" else JsonFile)(address, settings)
