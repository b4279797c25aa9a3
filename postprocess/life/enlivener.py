"""A living upper face from the sound as it comes in: the same frames whether it comes at once or in pieces."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from config.units import SAMPLE_RATE
from dataset.audio import open_sound
from dataset.blendshapes import ANGLES, ARKIT, BROW, EYE
from dataset.transcript import Word
from postprocess.flow import moving
from postprocess.life.blinks import Blinks
from postprocess.life.brows import Brows
from postprocess.life.gaze import SHIFT_DEG, Gaze
from postprocess.life.head import HeadTurns
from postprocess.life.mood import MOOD_CHANNELS, Mood, pose_at
from postprocess.life.prosody import REACH_S, STEP_S, Ear, VoiceFollower
from postprocess.life.seeded import Seeded

AHEAD_STEPS = 18  # that are heard before a frame is drawn: a head sets out before the voice
DELAY_S = AHEAD_STEPS * STEP_S + REACH_S
HEAD = ANGLES[:3]  # yaw to the head's own left, pitch upwards, roll to its right shoulder; radians
LIVING = tuple(name for name in ARKIT if name in {*EYE, *BROW, *MOOD_CHANNELS}) + HEAD
# The angle of an eye, in degrees, at a coefficient of 1: of two real Live Link Face takes, by regression.
LOOK_DEG = {"In": 32.0, "Out": 37.0, "Up": 25.0, "Down": 35.0}
LID_DOWN, LID_UP = 0.3, 0.35  # EyeBlink for each EyeLookDown, EyeWide for each EyeLookUp, of the same takes
BLINK_SQUINT, BLINK_BROW = 0.3, 0.05  # what goes with a closed lid


class Manner(NamedTuple):
    """How lively a face is: times the usual number of blinks, and times the usual amplitudes. 0 leaves a part out."""

    blinks: float = 1.0
    gaze: float = 1.0
    brows: float = 1.0
    head: float = 1.0


class Enlivener:
    """One clip's upper face, frame by frame, DELAY_S behind the sound that it has heard."""

    def __init__(
        self,
        seed: int,
        clip: str,
        fps: float,
        manner: Manner = Manner(),  # noqa: B008  it cannot be changed
        moods: Sequence[Mood] = (),
        words: Sequence[Word] | None = None,
    ) -> None:
        """seed, clip: equal ones give equal faces. words: what is said, where that is known; else the level tells."""
        self._fps, self._manner, self._moods = fps, manner, moods
        self._spoken = None if words is None else _Spoken(words)
        self._ear, self._voice = Ear(), VoiceFollower()
        self._blinks = Blinks(Seeded(seed, clip, "blinks"), manner.blinks)
        self._gaze = Gaze(Seeded(seed, clip, "gaze"), manner.gaze)
        self._brows = Brows(Seeded(seed, clip, "brows"), manner.brows)
        self._head = HeadTurns(Seeded(seed, clip, "head"), manner.head)
        self._steps = self._frames = self._samples = 0

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """samples: (any number,) at 16 kHz, following those before → (frames, len(LIVING)): those now known."""
        self._samples += len(samples)
        return self._table(self._follow(samples))

    def finish(self, frames: int) -> np.ndarray:
        """The rest of a clip of so many frames in all, in silence after the last sample."""
        needed = round((frames / self._fps + 2 * DELAY_S) * SAMPLE_RATE)
        silence = np.zeros(max(0, needed - self._samples))
        rest = frames - self._frames
        return self._table(self._follow(silence))[:rest]

    def _table(self, rows: Iterator[list[float]]) -> np.ndarray:
        return np.array(list(rows)).reshape(-1, len(LIVING))

    def _follow(self, samples: np.ndarray) -> Iterator[list[float]]:
        for heard in self._ear.hear(samples):
            spoken = self._spoken.at(self._steps * STEP_S) if self._spoken else None
            cue = self._voice.follow(heard, spoken)
            now_s = (self._steps - AHEAD_STEPS) * STEP_S
            shift_deg = self._gaze.step(now_s, cue.speaking)
            self._blinks.step(now_s, cue.speaking, cue.ends > 0, shift_deg > SHIFT_DEG)
            self._brows.step(now_s, cue)
            self._head.step(now_s, cue)
            self._steps += 1
            while self._frames / self._fps <= now_s:
                yield self._frame(self._frames / self._fps)
                self._frames += 1

    def _frame(self, time_s: float) -> list[float]:
        """(len(LIVING),) in its order."""
        face = dict.fromkeys(LIVING, 0.0)
        turns = self._turns_deg(time_s)
        face.update(zip(HEAD, np.radians(turns).tolist(), strict=True))
        if self._manner.gaze:
            yaw, pitch = self._gaze.at(time_s)
            face.update(look(yaw - turns[0], pitch - turns[1]))
        self._add_lids(face, time_s)
        face["BrowInnerUp"], face["BrowOuterUpLeft"], face["BrowOuterUpRight"] = self._brows.at(time_s)
        for name, value in pose_at(self._moods, time_s).items():
            face[name] += value
        return list(face.values())

    def _turns_deg(self, time_s: float) -> tuple[float, float, float]:
        yaw, pitch, roll = self._head.at(time_s)
        if self._manner.head and self._manner.gaze:
            follow_yaw, follow_pitch = self._gaze.head_at(time_s)
            yaw, pitch = yaw + self._manner.head * follow_yaw, pitch + self._manner.head * follow_pitch
        return yaw, pitch, roll

    def _add_lids(self, face: dict[str, float], time_s: float) -> None:
        """Lids follow the eyes, and what blinks takes squint and brow along."""
        shut = self._blinks.at(time_s) if self._manner.blinks else (0.0, 0.0)
        for side, closed in zip(("Left", "Right"), shut, strict=True):
            lowered = LID_DOWN * face[f"EyeLookDown{side}"]
            face[f"EyeBlink{side}"] = lowered + (1 - lowered) * closed
            face[f"EyeWide{side}"] = LID_UP * face[f"EyeLookUp{side}"] * (1 - closed)
            face[f"EyeSquint{side}"] = BLINK_SQUINT * closed
            face[f"BrowDown{side}"] = BLINK_BROW * closed * min(self._manner.brows, 1.0)


class _Spoken:
    """Whether a time, one after the other, lies in a word."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words, self._next = words, 0

    def at(self, time_s: float) -> bool:
        while self._next < len(self._words) and self._words[self._next].end_s <= time_s:
            self._next += 1
        return self._next < len(self._words) and self._words[self._next].start_s <= time_s


def look(yaw_deg: float, pitch_deg: float) -> dict[str, float]:
    """EyeLook… of both eyes, turned alike (so they meet as far away as ever): yaw to the own left, pitch upwards."""
    up, down = max(pitch_deg, 0.0) / LOOK_DEG["Up"], max(-pitch_deg, 0.0) / LOOK_DEG["Down"]
    shapes: dict[str, float] = {}
    for side, outwards in (("Left", yaw_deg), ("Right", -yaw_deg)):
        shapes |= {
            f"EyeLookUp{side}": min(up, 1.0),
            f"EyeLookDown{side}": min(down, 1.0),
            f"EyeLookOut{side}": min(max(outwards, 0.0) / LOOK_DEG["Out"], 1.0),
            f"EyeLookIn{side}": min(max(-outwards, 0.0) / LOOK_DEG["In"], 1.0),
        }
    return shapes


# A part of the face that is lively already, in any of these columns, is left to itself.
PARTS: Mapping[str, tuple[str, ...]] = {
    "lids": tuple(name for name in EYE if "Look" not in name),
    "gaze": tuple(name for name in EYE if "Look" in name),
    "brows": BROW,
    "head": HEAD,
}


def living_face(sound_file: Path, enlivener: Enlivener, frames: int) -> np.ndarray:
    """(frames, len(LIVING)): what the enlivener makes of a sound file. Raises UserError as open_sound does."""
    with open_sound(sound_file) as sound:
        pieces = [enlivener.hear(block) for block in sound.blocks]
    return np.concatenate([*pieces, enlivener.finish(frames)])[:frames]


def enliven(
    curves: np.ndarray, names: tuple[str, ...], living: np.ndarray, angles: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """A face's curves with a living upper face.

    curves: (frames, len(names)), names of ARKIT. living: (frames, len(LIVING)) of an Enlivener. angles: of HEAD, those
    that are known. → (frames, len(names) + len(HEAD)): curves within 0 to 1 where anything is added, and the head's
    angles. A part of PARTS that moves already stays as it is; moods are added to whatever else there is.
    """
    own, still = {**dict(zip(names, curves.T, strict=True)), **(angles or {})}, np.zeros(len(curves))
    everything = np.column_stack([curves, *(own.get(name, still) for name in HEAD)])
    return with_living(everything, (*names, *HEAD), living, lively(moving(own)))


def lively(moves: Collection[str]) -> frozenset[str]:
    """The channels and angles of those parts of which one is among these."""
    return frozenset(name for part in PARTS.values() if any(one in moves for one in part) for name in part)


def with_living(
    values: np.ndarray, names: tuple[str, ...], living: np.ndarray, left_alone: Collection[str]
) -> np.ndarray:
    """(frames, len(names)), names of ARKIT and HEAD, with (frames, len(LIVING)) added but to those left alone."""
    result = np.array(values)
    for place, name in enumerate(names):
        if name in LIVING and name not in left_alone:
            by = living[:, LIVING.index(name)]
            result[:, place] = result[:, place] + by if name in HEAD else _added(result[:, place], by)
    return result


def _added(column: np.ndarray, by: np.ndarray) -> np.ndarray:
    """What nothing is added to stays, beyond 0 and 1 too."""
    return np.where(by == 0, column, (column + by).clip(0, 1))
