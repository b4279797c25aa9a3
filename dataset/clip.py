"""The clip: one utterance with audio, curves and words; one Arrow IPC record batch of one row in the database."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from config.errors import UserError
from dataset.blendshapes import ARKIT, to_arkit
from dataset.transcript import Word

VERSION = "1"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("domain", pa.string()),
        ("fps", pa.float64()),
        ("audio", pa.list_(pa.int16())),  # 16 kHz mono
        ("curves", pa.list_(pa.float32())),  # frames × channels, row by row
        ("channels", pa.list_(pa.string())),
        ("words", pa.list_(pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]))),
        ("source", pa.string()),  # where the clip came from, below the corpus folder
    ],
    metadata={"version": VERSION},
)


@dataclass(frozen=True)
class Clip:
    """One utterance: its sound, the curves that go with it, and what is said; `frames / fps` seconds long."""

    id: str
    domain: str
    fps: float
    audio: np.ndarray  # (samples,) int16, 16 kHz mono
    curves: np.ndarray  # (frames, 52) float32, the channels of ARKIT in order
    words: tuple[Word, ...]
    source: str

    def to_bytes(self) -> bytes:
        """The Arrow IPC record; the same clip gives the same bytes."""
        row = {
            "id": self.id,
            "domain": self.domain,
            "fps": self.fps,
            "audio": self.audio,
            "curves": np.ascontiguousarray(self.curves, np.float32).reshape(-1),
            "channels": list(ARKIT),
            "words": [word._asdict() for word in self.words],
            "source": self.source,
        }
        columns = [pa.array([row[field.name]], field.type) for field in SCHEMA]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA) as writer:
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
        return sink.getvalue().to_pybytes()

    @classmethod
    def from_bytes(cls, record: bytes | memoryview) -> "Clip":
        """Audio and curves are read-only views into `record`. Raises UserError for another version's record."""
        batch = pa.ipc.open_stream(record).read_next_batch()
        version = (batch.schema.metadata or {}).get(b"version", b"?").decode()
        if version != VERSION:
            raise UserError(f"a clip record of version {version}, this code reads {VERSION}; pack the corpus again")
        row = {name: batch.column(name) for name in batch.schema.names}
        channels = tuple(row["channels"][0].as_py())
        curves = row["curves"].values.to_numpy().reshape(-1, len(channels))
        return cls(
            id=row["id"][0].as_py(),
            domain=row["domain"][0].as_py(),
            fps=row["fps"][0].as_py(),
            audio=row["audio"].values.to_numpy(),
            curves=curves if channels == ARKIT else to_arkit(curves, channels),
            words=tuple(Word(**word) for word in row["words"][0].as_py()),
            source=row["source"][0].as_py(),
        )
