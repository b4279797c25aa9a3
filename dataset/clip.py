"""The clip: an utterance with audio, curves, words and phones; an Arrow IPC record batch of one row in the database."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from config.errors import UserError
from dataset.blendshapes import ARKIT, indices, to_arkit
from dataset.transcript import Word

VERSION = "1"
AGAIN = "pack the corpus again"
_WORDS = pa.list_(pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]))
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("domain", pa.string()),
        ("fps", pa.float64()),
        ("audio", pa.list_(pa.int16())),  # 16 kHz mono
        ("curves", pa.list_(pa.float32())),  # frames × channels, row by row
        ("channels", pa.list_(pa.string())),  # those that are captured
        ("words", _WORDS),
        ("source", pa.string()),  # where the clip came from, below the corpus folder
        ("phones", _WORDS),
    ],
    metadata={"version": VERSION},
)
_WITHOUT_PHONES = SCHEMA.remove(SCHEMA.get_field_index("phones"))  # records of before


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
    phones: tuple[Word, ...] = ()  # in IPA; what lies between them is silence; none at all: not known
    channels: tuple[str, ...] = ARKIT  # those captured, in ARKIT's order; of others curves say nothing

    @property
    def captured(self) -> np.ndarray:
        """(52,) bool: whether the channel is among them."""
        return np.isin(ARKIT, self.channels)

    def to_bytes(self) -> bytes:
        """The Arrow IPC record; the same clip gives the same bytes."""
        row = {
            "id": self.id,
            "domain": self.domain,
            "fps": self.fps,
            "audio": self.audio,
            "curves": np.ascontiguousarray(self.curves[:, indices(ARKIT, self.channels)], np.float32).reshape(-1),
            "channels": list(self.channels),
            "words": [word._asdict() for word in self.words],
            "source": self.source,
            "phones": [phone._asdict() for phone in self.phones],
        }
        columns = [pa.array([row[field.name]], field.type) for field in SCHEMA]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA) as writer:
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
        return sink.getvalue().to_pybytes()

    @classmethod
    def from_bytes(cls, record: bytes | memoryview) -> "Clip":
        """Audio and curves are read-only views into `record`; curves not all of which are captured, a copy, the rest 0.

        Raises UserError for another version's record, for one that is damaged, and for curves that are not finite.
        """
        try:
            batch = pa.ipc.open_stream(record).read_next_batch()
            batch.validate(full=True)  # what the bytes say is followed only after that
        except (pa.ArrowException, OSError, StopIteration, ValueError) as error:
            raise UserError(f"a damaged record; {AGAIN}") from error
        version = (batch.schema.metadata or {}).get(b"version", b"?").decode(errors="replace")
        if version != VERSION:
            raise UserError(f"a clip record of version {version}, this code reads {VERSION}; {AGAIN}")
        known = batch.schema.equals(SCHEMA) or batch.schema.equals(_WITHOUT_PHONES)
        if not known or batch.num_rows != 1 or any(column.null_count for column in batch.columns):
            raise UserError(f"a damaged record; {AGAIN}")
        return cls._from_row({name: batch.column(name) for name in batch.schema.names})

    @classmethod
    def _from_row(cls, row: dict[str, pa.Array]) -> "Clip":
        channels = tuple(row["channels"][0].as_py())
        values = row["curves"].flatten().to_numpy()
        if not channels or len(set(channels)) < len(channels) or not set(channels) <= set(ARKIT):
            raise UserError(f"channels that are no ARKit blendshapes; {AGAIN}")
        if len(values) % len(channels) or not np.isfinite(values).all():
            raise UserError(f"curves that are not finite, or no whole frames; {AGAIN}")
        curves = values.reshape(-1, len(channels))
        return cls(
            id=row["id"][0].as_py(),
            domain=row["domain"][0].as_py(),
            fps=row["fps"][0].as_py(),
            audio=row["audio"].flatten().to_numpy(),
            curves=curves if channels == ARKIT else to_arkit(curves, channels),
            words=tuple(Word(**word) for word in row["words"][0].as_py()),
            source=row["source"][0].as_py(),
            phones=tuple(Word(**phone) for phone in row["phones"][0].as_py()) if "phones" in row else (),
            channels=tuple(name for name in ARKIT if name in channels),
        )
