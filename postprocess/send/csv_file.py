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

    A face that waits or rests while no sound comes has no row. Angles are in radians, as Live Link Face records them.
    Raises UserError for a place that cannot be written to.
    """

    keeps_all = True

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._open = ExitStack()
        self._write = self._open.enter_context(rows_written(csv_named(Path(address.path), "--to"), CSV_HEADER))

    def send(self, frame: FaceFrame) -> None:
        if not frame.is_held:
            row = np.concatenate([[frame.time_s], frame.values, np.radians(frame.angles_deg)])
            self._write(list(row[:, None]))

    def close(self) -> None:
        self._open.close()
