"""What the training clips' curves look like, channel by channel: computed by training, carried by every checkpoint."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from config.errors import UserError
from config.files import regular, written_whole
from dataset.blendshapes import ARKIT, as_number, indices, shown

if TYPE_CHECKING:
    from dataset.store import ClipInfo, ClipStore

STATS = "stats.json"  # its name in a run's folder, beside the checkpoints
_ROWS = ("mean", "std", "min", "max")


@dataclass(frozen=True, eq=False)
class Stats:
    """Per-channel statistics over every frame of the training clips; a channel that never moves has std 0."""

    channels: tuple[str, ...]
    mean: np.ndarray  # (len(channels),) float64, as are the next three
    std: np.ndarray  # of the population: divided by frames, not by frames - 1
    min: np.ndarray
    max: np.ndarray
    frames: int
    clips: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        """Whether the other says the same, to the last bit."""
        return isinstance(other, Stats) and self.to_json() == other.to_json()

    def select(self, wanted: tuple[str, ...]) -> "Stats":
        """The same statistics for the wanted channels, in that order. Raises KeyError for one that is not there."""
        places = indices(self.channels, wanted)
        rows = {row: getattr(self, row)[places] for row in _ROWS}
        return Stats(wanted, **rows, frames=self.frames, clips=self.clips)

    @property
    def moving(self) -> frozenset[str]:
        """The channels that move in training."""
        return frozenset(name for name, std in zip(self.channels, self.std, strict=True) if std > 0)

    def scale(self, kind: str) -> np.ndarray:
        """(len(channels),) float32 by which normalised curves are multiplied, 0 for a channel that never moves.

        kind: "channel" for each one's std; "common" for one scale, the root mean square of the stds, with which a
        channel weighs in a loss as much as it moves, as in the contest score.
        """
        common = np.sqrt(np.mean(np.square(self.std[self.std > 0]))) if self.std.any() else 0.0
        return np.where(self.std > 0, self.std if kind == "channel" else common, 0.0).astype(np.float32)

    def to_json(self) -> str:
        """One JSON object; floats in full precision, so that from_json gives the same bits."""
        rows = {row: getattr(self, row).tolist() for row in _ROWS}
        return json.dumps(
            {"channels": list(self.channels), **rows, "frames": self.frames, "clips": list(self.clips)}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> "Stats":
        """Raises ValueError, saying what is wrong, for text that is not what to_json writes."""
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        missing = [name for name in cls.__dataclass_fields__ if name not in fields]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
        channels, clips = (_names(name, fields[name]) for name in ("channels", "clips"))
        unknown = [name for name in channels if name not in ARKIT]
        if unknown:
            raise ValueError(f'"{shown(unknown[0])}" is no ARKit blendshape')
        if len(set(channels)) < len(channels):
            raise ValueError("a channel is there twice")
        rows = {row: _row(row, fields[row], len(channels)) for row in _ROWS}
        if (rows["std"] < 0).any() or (rows["min"] > rows["max"]).any():
            raise ValueError("a std is below 0, or a min above its max")
        frames = fields["frames"]
        if type(frames) is not int or not 0 <= frames < 1 << 62:
            raise ValueError("frames is no whole number from 0 on")
        return cls(channels, **rows, frames=frames, clips=clips)


def _names(name: str, words: Any) -> tuple[str, ...]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{name} is not a list of names")
    return tuple(words)


def _row(name: str, cells: Any, size: int) -> np.ndarray:
    """One statistic as (size,) float64. Raises ValueError for another count or a cell that is not a finite number."""
    cells = cells if isinstance(cells, list) else []
    numbers = [as_number(cell) for cell in cells if not isinstance(cell, str)]
    if len(cells) != size or len(numbers) != size or None in numbers:
        raise ValueError(f"{name} is not {size} finite numbers")
    return np.array(numbers, np.float64)


def compute_stats(
    curves: Iterable[np.ndarray],
    clip_ids: Iterable[str],
    captured: Iterable[np.ndarray] | None = None,
    base: Stats | None = None,
) -> Stats:
    """Statistics of the clips' curves, each (frames, 52) in ARKIT order; one clip in memory at a time.

    captured: for each clip (52,) bool, the channels that count; None: all. base: whose statistics, of all 52 channels,
    a channel has that no clip captures; without it those of a channel that rests at 0.
    Means and squared deviations are merged clip by clip in float64 (Chan, Golub & LeVeque 1979), which does not lose a
    small std to cancellation as a sum of squares would. Raises UserError when there is no clip.
    """
    clips = tuple(clip_ids)
    if not clips:
        raise UserError("no training clips: stats need at least one")
    frames = np.zeros(len(ARKIT), np.int64)
    total_frames = 0
    mean, deviation = np.zeros(len(ARKIT)), np.zeros(len(ARKIT))
    lowest, highest = np.full(len(ARKIT), np.inf), np.full(len(ARKIT), -np.inf)
    everything = repeat(np.ones(len(ARKIT), bool), len(clips))
    for _, clip, counts in zip(clips, curves, everything if captured is None else captured, strict=True):
        values = clip.astype(np.float64)
        centre, own = values.mean(axis=0), counts * len(values)
        shift, total = centre - mean, np.maximum(frames + own, 1)
        deviation += ((values - centre) ** 2).sum(axis=0) * counts + shift**2 * frames * own / total
        mean += shift * own / total
        lowest = np.where(counts, np.minimum(lowest, values.min(axis=0)), lowest)
        highest = np.where(counts, np.maximum(highest, values.max(axis=0)), highest)
        frames += own
        total_frames += len(values)
    seen = frames > 0
    lowest, highest = np.where(seen, lowest, 0.0), np.where(seen, highest, 0.0)
    flat = lowest == highest  # exactly: rounding must not give a channel that never moves a tiny std to divide by
    rows = {
        "mean": np.where(flat, lowest, mean),
        "std": np.where(flat, 0.0, np.sqrt(deviation / np.maximum(frames, 1))),
        "min": lowest,
        "max": highest,
    }
    if base is not None:
        known = base.select(ARKIT)
        rows = {row: np.where(seen, values, getattr(known, row)) for row, values in rows.items()}
    return Stats(ARKIT, **rows, frames=total_frames, clips=clips)


def merged_stats(parts: Sequence[Stats]) -> Stats:
    """Statistics over every frame of the parts, a clip counting once for each part that it is in.

    parts: one at least, of the same channels; they go by name. With the folds of a cross-validation every clip counts
    equally often, so that these are the statistics of the whole corpus.
    """
    parts = [part.select(parts[0].channels) for part in parts]
    share = np.array([part.frames for part in parts]) / max(1, sum(part.frames for part in parts))
    mean = share @ np.stack([part.mean for part in parts])
    variance = share @ np.stack([part.std**2 + (part.mean - mean) ** 2 for part in parts])
    lowest, highest = np.min([part.min for part in parts], axis=0), np.max([part.max for part in parts], axis=0)
    flat = lowest == highest
    return Stats(
        channels=parts[0].channels,
        mean=np.where(flat, lowest, mean),
        std=np.where(flat, 0.0, np.sqrt(variance)),
        min=lowest,
        max=highest,
        frames=sum(part.frames for part in parts),
        clips=tuple(sorted({clip for part in parts for clip in part.clips})),
    )


def training_stats(store: "ClipStore", train: Sequence["ClipInfo"], base: Stats | None = None) -> Stats:
    """Statistics of what the training clips of a database capture; base: as compute_stats has it."""
    ids = [clip.id for clip in train]
    curves, captured = tee(store[clip] for clip in ids)  # taken in step, so that a clip is read once and then let go
    return compute_stats((clip.curves for clip in curves), ids, (clip.captured for clip in captured), base)


def save_stats(path: Path, stats: Stats) -> None:
    """Write a stats.json, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(stats.to_json() + "\n", encoding="utf-8")


def load_stats(path: Path) -> Stats:
    """Stats from a stats.json, or from the one beside a checkpoint or in an ensemble's folder.

    Raises UserError for a file that is missing or holds no stats, and for a checkpoint without a stats.json beside it.
    """
    file = path / STATS if path.is_dir() else path.with_name(STATS) if path.suffix == ".safetensors" else path
    try:
        return Stats.from_json(regular(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        mend = "" if file == path else f"; the stats of {path} stand there, where training wrote them"
        raise UserError(f"{file}: no such file{mend}") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        kind = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        raise UserError(f"{file}: not stats as training writes them: {kind}") from None
