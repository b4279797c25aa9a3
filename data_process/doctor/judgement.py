"""What a judgement is made of: limits, findings and sides."""

from dataclasses import dataclass, field
from typing import NamedTuple

LEVELS = ("error", "warning", "note")


class Limit(NamedTuple):
    """From where a measure is a warning, and from where an error. None: never."""

    warning: float
    error: float | None = None

    def level(self, value: float) -> str | None:
        """What a value is: error, warning, or None for one that is fine."""
        if self.error is not None and value >= self.error:
            return "error"
        return "warning" if value >= self.warning else None


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a clip or with the corpus, and what to do about it."""

    level: str  # of LEVELS
    kind: str
    clip: str  # "" for the whole corpus
    message: str
    advice: str
    mend: str = ""  # what --fix does: shift, trim, drop; "" for nothing
    place_s: tuple[tuple[float, float], ...] = ()  # stretches of the clip


@dataclass(frozen=True)
class Sides:
    """Which clips validate, and who speaks."""

    val: frozenset[str] = frozenset()
    speakers: dict[str, str] = field(default_factory=dict)  # clip → speaker, as far as a manifest names them

    def side(self, clip: str) -> str:
        """Of dataset.corpus.SIDES."""
        return "val" if clip in self.val else "train"
