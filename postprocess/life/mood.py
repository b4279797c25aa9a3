"""Moods as poses that are added to a face: brows, eyes, cheeks and the corners of the mouth, and never its opening.

The names are those that users of Audio2Face know; what belongs to each is from the facial action coding of emotions
(Ekman & Friesen 1978; Du, Tao & Martinez 2014).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from config.errors import UserError
from config.suggest import nearest
from dataset.blendshapes import as_number
from dataset.transcript import text_lines
from postprocess.life.movement import ease

FADE_S = 0.5
# At strength 1; a name without a side means both. What opens, closes or rounds lips has no part in it.
MOODS: dict[str, dict[str, float]] = {
    "neutral": {},
    "amazement": {"BrowInnerUp": 0.7, "BrowOuterUp": 0.65, "EyeWide": 0.6},
    "anger": {"BrowDown": 1.0, "EyeSquint": 0.35, "EyeWide": 0.15, "NoseSneer": 0.3, "MouthFrown": 0.25},
    "cheekiness": {"BrowOuterUpLeft": 0.55, "BrowInnerUp": 0.1, "EyeSquintRight": 0.35, "CheekSquintRight": 0.3,
                   "MouthSmileRight": 0.5, "MouthSmileLeft": 0.15, "MouthDimpleRight": 0.3},
    "disgust": {"NoseSneer": 0.6, "BrowDown": 0.45, "EyeSquint": 0.4, "CheekSquint": 0.3, "MouthFrown": 0.3},
    "fear": {"BrowInnerUp": 0.75, "BrowOuterUp": 0.3, "BrowDown": 0.2, "EyeWide": 0.65, "MouthFrown": 0.15},
    "grief": {"BrowInnerUp": 0.8, "BrowDown": 0.3, "EyeSquint": 0.45, "CheekSquint": 0.2, "MouthFrown": 0.6},
    "joy": {"MouthSmile": 0.55, "MouthDimple": 0.15, "CheekSquint": 0.55, "EyeSquint": 0.4, "BrowOuterUp": 0.12},
    "out of breath": {"BrowInnerUp": 0.4, "BrowOuterUp": 0.15, "NoseSneer": 0.15, "EyeSquint": 0.15,
                      "CheekSquint": 0.1},
    "pain": {"BrowDown": 0.85, "BrowInnerUp": 0.25, "EyeBlink": 0.1, "EyeSquint": 0.8, "CheekSquint": 0.75,
             "NoseSneer": 0.55, "MouthFrown": 0.3},
    "sadness": {"BrowInnerUp": 0.65, "BrowDown": 0.1, "EyeSquint": 0.15, "MouthFrown": 0.45},
}  # fmt: skip


def _sided(pose: dict[str, float]) -> dict[str, float]:
    """The same with both sides' names, of what has sides."""
    sides = ("BrowDown", "BrowOuterUp", "EyeBlink", "EyeSquint", "EyeWide", "CheekSquint", "NoseSneer", "MouthSmile",
             "MouthFrown", "MouthDimple")  # fmt: skip
    return {
        sided: value
        for name, value in pose.items()
        for sided in ((f"{name}Left", f"{name}Right") if name in sides else (name,))
    }


POSES = {name: _sided(pose) for name, pose in MOODS.items()}
MOOD_CHANNELS = tuple(sorted({name for pose in POSES.values() for name in pose}))


class Mood(NamedTuple):
    """A mood with its time."""

    name: str  # of MOODS
    strength: float = 1.0  # 0 to 1
    start_s: float = float("-inf")
    end_s: float = float("inf")

    def at(self, time_s: float) -> float:
        """Its strength at a time: it comes and goes within its time, over FADE_S."""
        inside_s = min(time_s - self.start_s, self.end_s - time_s)
        fade_s = min(FADE_S, (self.end_s - self.start_s) / 2)
        return self.strength * ease(inside_s / fade_s if fade_s else 0.0)


def pose_at(moods: Sequence[Mood], time_s: float) -> dict[str, float]:
    """Channel → what the moods add to it."""
    pose: dict[str, float] = {}
    for mood in moods:
        if strength := mood.at(time_s):
            for name, value in POSES[mood.name].items():
                pose[name] = pose.get(name, 0.0) + strength * value
    return pose


def parse_mood(words: str, place: str) -> tuple[str, float]:
    """(name, strength) of `joy` or `joy:0.6`. Raises UserError, beginning with the place."""
    name, colon, number = words.partition(":")
    known = name.strip().lower().replace("_", " ")
    if known not in MOODS:
        raise UserError(f"{place}: no mood called {name}{nearest(known, list(MOODS)) or '; ' + ', '.join(MOODS)}")
    try:
        strength = float(number) if colon else 1.0
    except ValueError:
        strength = float("nan")
    if not 0 <= strength <= 1:
        raise UserError(f'{place}: a strength is a number from 0 to 1, not "{number}"')
    return known, strength


def read_moods(words: str) -> list[Mood]:
    """One mood for all of a clip, `joy:0.6`, or a tsv file's: start, end, mood and, where it is not 1, strength a row.

    Raises UserError, with file and line, for a row that is none, and for a mood or a strength that is none.
    """
    if not words.lower().endswith(".tsv"):
        return [Mood(*parse_mood(words, f"--mood {words}"))]
    path, moods = Path(words), []
    for number, line in enumerate(text_lines(path), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if line.strip() and not line.startswith("#") and cells[0].lower() != "start":
            moods.append(_row(f"{path}, line {number}", cells))
    return moods


def _row(place: str, cells: Sequence[str]) -> Mood:
    if len(cells) not in (3, 4):
        raise UserError(
            f"{place}: expected start, end, mood and strength separated by tabs, found {len(cells)} cell(s)"
        )
    start_s, end_s = as_number(cells[0]), as_number(cells[1])
    if start_s is None or end_s is None or end_s <= start_s:
        raise UserError(f'{place}: expected seconds, the end after the start, found "{cells[0]}" and "{cells[1]}"')
    return Mood(*parse_mood(":".join(cells[2:]), place), start_s, end_s)
