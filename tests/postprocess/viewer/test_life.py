"""The living face of a page is Python's, however the sound is cut, and is added to curves as Python does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from config.units import frame_count
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT
from postprocess.life.constants import life_constants
from postprocess.life.enlivener import LIVING, Enlivener, Manner, enliven
from postprocess.life.mood import Mood
from postprocess.viewer.talk_page import LIFE_SCRIPTS
from tests.helpers import DEMO, in_node

FPS = 30.0
SOUND = read_audio(DEMO / "hello.flac")
UNLIKE = (0.6, 1.7, 0.4, 1.3)  # of blinks, gaze, brows and head
# seed, clip, frames a second, amounts, mood, strength
FACES: Sequence[tuple[int, str, float, tuple[float, ...], str, float]] = (
    (0, "hello", FPS, (1, 1, 1, 1), "neutral", 1),
    (7, "你好", 60, UNLIKE, "joy", 0.6),
    (1, "a", 25, (0, 1, 1, 0), "pain", 1),
    (2, "b", FPS, (1, 0, 0, 2), "fear", 0.3),
)
LIVE = """
const sound = Float32Array.from(given.sound);
const lives = given.faces.map((settings) => {
  const enlivener = new Enlivener(given.life, settings);
  const frames = [];
  for (let i = 0; i < sound.length; i += settings.size) {
    frames.push(...enlivener.hear(sound.subarray(i, i + settings.size)));
  }
  return [...frames, ...enlivener.finish(settings.frames)];
});
console.log(JSON.stringify(lives));
"""
ADD = """
const talk = {
  push: () => given.curves.map((values, index) => ({ time: index / given.settings.fps, values })),
  flush: () => [],
};
const face = new TalkingFace(talk, new Enlivener(given.life, given.settings), given.life, given.names);
face.push(Float32Array.from(given.sound));
const early = face.frame(face.told.length - 1);
const known = face.known;
face.flush();
console.log(JSON.stringify({ columns: face.columns, frames: face.frames(), early, known }));
"""


def asked(seed: int, clip: str, fps: float, amounts: Sequence[float], mood: str, strength: float) -> dict[str, Any]:
    """The settings as a page has them."""
    manner = Manner(*amounts)._asdict()
    named = {"name": mood, "strength": strength}
    return {"seed": seed, "clip": clip, "fps": fps, "manner": manner, "mood": named}


def expected(seed: int, clip: str, fps: float, amounts: Sequence[float], mood: str, strength: float) -> np.ndarray:
    """(frames, len(LIVING)) by Python."""
    enlivener, frames = Enlivener(seed, clip, fps, Manner(*amounts), [Mood(mood, strength)]), frames_at(fps)
    return np.concatenate([enlivener.hear(SOUND), enlivener.finish(frames)])[:frames]


def frames_at(fps: float) -> int:
    return frame_count(len(SOUND), fps)


def test_a_face_is_pythons_whatever_it_is_asked_for(tmp_path: Path) -> None:
    runs = [(face, size) for face, size in zip(FACES, (len(SOUND), 1777, 97, 128), strict=True)]
    faces = [asked(*face) | {"size": size, "frames": frames_at(face[2])} for face, size in runs]
    given = {"life": life_constants(), "sound": SOUND.tolist(), "faces": faces}
    for face, lives in zip(FACES, in_node(tmp_path, LIFE_SCRIPTS, LIVE, given), strict=True):
        np.testing.assert_allclose(lives[: frames_at(face[2])], expected(*face), atol=1e-9)
    blinks = expected(*FACES[0])[:, LIVING.index("EyeBlinkLeft")]
    assert blinks.max() > 0.4  # of which there is one at least to agree upon


def test_what_moves_already_stays_and_what_is_not_known_yet_lives_as_the_newest(tmp_path: Path) -> None:
    curves, living = np.full((frames_at(FPS), len(ARKIT)), -0.1), expected(*FACES[0])
    curves[:, ARKIT.index("JawOpen")] = np.linspace(-0.1, 1.2, len(curves))
    curves[:, ARKIT.index("BrowInnerUp")] = np.linspace(0, 0.03, len(curves))  # and so brows are left alone
    settings = asked(*FACES[0])
    given = {"life": life_constants(), "sound": SOUND.tolist(), "names": ARKIT, "settings": settings}
    told = in_node(tmp_path, (*LIFE_SCRIPTS, "talking_face"), ADD, given | {"curves": curves.tolist()})
    alive = enliven(curves.clip(0, 1), ARKIT, living)
    np.testing.assert_allclose(told["frames"], alive, atol=1e-9)
    assert told["known"] == len(Enlivener(0, "hello", FPS).hear(SOUND)) < len(curves)
    newest = enliven(curves.clip(0, 1), ARKIT, np.repeat(living[told["known"] - 1 :][:1], len(curves), axis=0))
    np.testing.assert_allclose(told["early"], newest[-1], atol=1e-9)
    assert not np.allclose(told["early"], alive[-1], atol=1e-3)
