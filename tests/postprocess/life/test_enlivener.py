"""The whole upper face: the same in pieces as at once, never frozen, never jittering, and what it leaves alone."""

from functools import cache

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, BROW, EYE, indices
from dataset.transcript import Word
from postprocess.life.enlivener import DELAY_S, HEAD, LIVING, LOOK_DEG, Enlivener, Manner, enliven, look
from postprocess.life.mood import POSES, Mood
from postprocess.score.metrics import jerk
from tests.helpers import DEMO

FPS = 30.0


@cache
def hello() -> np.ndarray:
    return read_audio(DEMO / "hello.flac").astype(float)


def living(sound: np.ndarray, seed: int = 0, clip: str = "a", fps: float = FPS, **more: object) -> np.ndarray:
    enlivener = Enlivener(seed, clip, fps, **more)  # type: ignore[arg-type]
    frames = round(len(sound) / SAMPLE_RATE * fps)
    return np.concatenate([enlivener.hear(sound), enlivener.finish(frames)])[:frames]


def column(face: np.ndarray, name: str) -> np.ndarray:
    return face[:, LIVING.index(name)]


def test_in_pieces_as_at_once_and_no_later_than_said() -> None:
    sound, whole = hello(), living(hello())
    enlivener, frames, samples = Enlivener(0, "a", FPS), [], 0
    for piece in np.split(sound, np.cumsum(np.random.default_rng(1).integers(1, 3000, 60))):
        frames.append(enlivener.hear(piece))
        samples += len(piece)
        known_s = (sum(map(len, frames)) - 1) / FPS
        assert known_s > samples / SAMPLE_RATE - DELAY_S - 0.011 - 1 / FPS
    frames.append(enlivener.finish(len(whole)))
    np.testing.assert_allclose(np.concatenate(frames), whole, atol=1e-6)
    assert round(1000 * DELAY_S) == 200


def test_what_comes_later_changes_nothing_before() -> None:
    sound = hello()
    cut = sound[: 3 * SAMPLE_RATE]
    until = int((3 - DELAY_S) * FPS) - 1
    np.testing.assert_array_equal(Enlivener(0, "a", FPS).hear(cut)[:until], living(sound)[:until])


def test_seeds_and_clips() -> None:
    first = living(hello())
    np.testing.assert_array_equal(first, living(hello()))
    for other in (living(hello(), seed=1), living(hello(), clip="b")):
        assert np.abs(other - first).max(axis=0)[indices(LIVING, (*EYE[:5], "BrowInnerUp", *HEAD))].min() > 0.01


def test_frame_rates_agree() -> None:
    slow, fast = living(hello(), fps=30), living(hello(), fps=60)
    np.testing.assert_allclose(fast[::2], slow, atol=1e-9)


def test_a_silent_minute_neither_freezes_nor_jitters() -> None:
    face = living(np.zeros(60 * SAMPLE_RATE))
    for names in (("EyeLookInLeft", "EyeLookOutLeft"), ("BrowInnerUp",), HEAD):
        moving = np.abs(np.diff(face[:, indices(LIVING, names)], axis=0)).max(axis=1)
        second = np.lib.stride_tricks.sliding_window_view(moving, int(FPS)).max(axis=1)
        assert second.min() > 1e-5, names
    assert jerk(np.degrees(face[:, indices(LIVING, HEAD)]), FPS).max() < 400  # degrees / s³, of a few degrees' motion
    assert not np.allclose(column(face, "EyeBlinkLeft"), 0)
    assert np.isfinite(face).all() and face[:, : -len(HEAD)].min() >= 0 and face[:, : -len(HEAD)].max() <= 1


def test_eyes_hold_what_they_look_at_while_the_head_turns() -> None:
    sound, still, nodding = hello(), Manner(head=0), Manner(head=2)
    yaw, pitch = [], []
    for manner in (still, nodding):
        face = living(sound, manner=manner)
        head = np.degrees(face[:, indices(LIVING, HEAD)])
        side = {way: LOOK_DEG[way] * column(face, f"EyeLook{way}Left") for way in LOOK_DEG}
        yaw.append(side["Out"] - side["In"] + head[:, 0])
        pitch.append(side["Up"] - side["Down"] + head[:, 1])
    assert np.ptp(head[:, 0]) > 3
    np.testing.assert_allclose(yaw[0], yaw[1], atol=1e-6)
    np.testing.assert_allclose(pitch[0], pitch[1], atol=1e-6)


@pytest.mark.parametrize(
    ("yaw", "pitch", "shapes"),
    [
        (16.0, 0, {"EyeLookOutLeft": 16 / 37, "EyeLookInRight": 0.5}),
        (-18.5, 0, {"EyeLookInLeft": 18.5 / 32, "EyeLookOutRight": 0.5}),
        (0, 12.5, {"EyeLookUpLeft": 0.5, "EyeLookUpRight": 0.5}),
        (0, -70, {"EyeLookDownLeft": 1, "EyeLookDownRight": 1}),
    ],
)
def test_both_eyes_turn_alike(yaw: float, pitch: float, shapes: dict[str, float]) -> None:
    assert {name: value for name, value in look(yaw, pitch).items() if value} == pytest.approx(shapes)


def test_lids_go_with_the_eyes() -> None:
    face = living(np.zeros(60 * SAMPLE_RATE), manner=Manner(blinks=0, gaze=1.5))
    down, up = column(face, "EyeLookDownLeft"), column(face, "EyeLookUpLeft")
    assert down.max() > 0.2 and up.max() > 0.2
    np.testing.assert_allclose(column(face, "EyeBlinkLeft"), 0.3 * down, atol=1e-12)
    np.testing.assert_allclose(column(face, "EyeWideLeft"), 0.35 * up, atol=1e-12)


def test_the_head_sets_out_before_the_voice_and_nods_at_its_end() -> None:
    voice = 0.2 * np.sin(2 * np.pi * 150 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    sound = np.concatenate([np.zeros(2 * SAMPLE_RATE), voice, np.zeros(2 * SAMPLE_RATE)])
    begun, nodded = [], []
    for seed in range(5):
        loud, quiet = (living(s, seed=seed, fps=100, manner=Manner(gaze=0)) for s in (sound, np.zeros(6 * SAMPLE_RATE)))
        apart = np.degrees(np.abs(loud - quiet)[:, indices(LIVING, HEAD)]).max(axis=1)
        begun.append(np.flatnonzero(apart > 0.02)[0] / 100)
        pitch = np.degrees(column(loud, "HeadPitch"))
        nodded.append(pitch[410:430].min() - pitch[385:398].mean())
    assert 1.8 < np.median(begun) < 2.0
    assert np.median(nodded) < -0.3


def test_a_transcript_stands_in_for_the_level() -> None:
    noise = 0.05 * np.random.default_rng(0).normal(size=4 * SAMPLE_RATE)
    told = living(noise, words=[Word("a", 1.0, 2.0)])
    np.testing.assert_array_equal(told[:24], living(noise, words=[])[:24])
    assert np.abs(told - living(noise, words=[])).max() > 0.01


# What it leaves alone


def test_what_moves_already_stays_and_the_rest_comes_alive() -> None:
    face = living(hello())
    curves = np.zeros((len(face), len(ARKIT)))
    curves[:, ARKIT.index("JawOpen")] = np.linspace(-0.1, 1.2, len(face))
    curves[:, ARKIT.index("BrowDownLeft")] = np.linspace(0, 0.5, len(face))
    turned = enliven(curves, ARKIT, face, {"HeadYaw": np.full(len(face), 0.1)})
    eyes, brows = indices(ARKIT, EYE), indices(ARKIT, BROW)
    np.testing.assert_array_equal(turned[:, brows], curves[:, brows])
    assert np.ptp(turned[:, eyes], axis=0).min() > 0
    others = [index for index in range(len(ARKIT)) if index not in (*eyes, *brows)]
    np.testing.assert_array_equal(turned[:, others], curves[:, others])
    np.testing.assert_allclose(turned[:, len(ARKIT)], 0.1 + column(face, "HeadYaw"))
    again = enliven(turned[:, : len(ARKIT)], ARKIT, face, dict(zip(HEAD, turned[:, len(ARKIT) :].T, strict=True)))
    np.testing.assert_array_equal(again, turned)


def test_moods_are_added_to_what_moves_too() -> None:
    sound = hello()
    calm, glad = (living(sound, moods=[Mood(name, 0.5)]) for name in ("neutral", "joy"))
    curves = np.full((len(calm), len(ARKIT)), 0.1)
    smile = ARKIT.index("MouthSmileLeft")
    change = enliven(curves, ARKIT, glad)[:, smile] - enliven(curves, ARKIT, calm)[:, smile]
    np.testing.assert_allclose(change, 0.5 * POSES["joy"]["MouthSmileLeft"])
    curves[:, smile] = 0.95
    assert enliven(curves, ARKIT, glad)[:, smile].max() == 1


@pytest.mark.parametrize(("part", "names"), [("blinks", EYE[:1]), ("gaze", EYE[1:5]), ("brows", BROW), ("head", HEAD)])
def test_a_part_can_be_left_out(part: str, names: tuple[str, ...]) -> None:
    calm = Manner(**{"gaze": 0.0, part: 0.0}) if part == "blinks" else Manner(**{"head": 0.0, part: 0.0})
    face = living(hello(), manner=calm)
    assert not face[:, indices(LIVING, names)].any()
    assert living(hello())[:, indices(LIVING, names)].any()
