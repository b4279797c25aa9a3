"""A csv of the stream's frames: a time, the 52 channels and the nine angles, as every command here reads it."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from config.files import csv_named
from dataset.blendshapes import ANGLES, ARKIT, rows_written
from dataset.face_frame import FaceFrame
from postprocess.send.sender import Address, Sender, SendSettings

CSV_HEADER = ("time_s", *ARKIT, *ANGLES)


class CsvFile(Sender):
    """Whole when closed; until then, and where the process is killed, the rows are in the partial file beside it.

    A frame that stands at no later time than the one before is left out: a face that rests while no sound comes.
    Angles are in radians, as Live Link Face records them. Raises UserError for a place that cannot be written to.
    """

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._open = ExitStack()
        self._write = self._open.enter_context(rows_written(csv_named(Path(address.path), "--to"), CSV_HEADER))
        self._written_s = -np.inf

    def send(self, frame: FaceFrame) -> None:
        if frame.time_s <= self._written_s:
            return
        self._written_s = frame.time_s
        row = np.concatenate([[frame.time_s], frame.values, np.radians(frame.angles_deg)])
        self._write(list(row[:, None]))

    def close(self) -> None:
        self._open.close()
