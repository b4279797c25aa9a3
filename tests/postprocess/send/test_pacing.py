"""Frames when their sound is heard, on a simulated clock: drift, underruns, interruptions, delays, endings."""

from collections.abc import Callable

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame, face_frame
from dataset.recordings.resample import resample_curves
from postprocess.send.live import Piece, send_at_once
from postprocess.send.pacing import Pacer, pace
from postprocess.send.player import SilentPlayer
from tests.helpers import random_curves

OPEN = np.ones(len(ARKIT))


class World:
    """A clock that goes on while someone sleeps, longer than asked for; what happens when; what was sent."""

    def __init__(self, latest_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self._random, self._latest_s = np.random.default_rng(0), latest_s
        self.happens: list[tuple[float, Callable[[], None]]] = []
        self.sent: list[tuple[float, FaceFrame]] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        wakes_s = self.now_s + max(seconds, 1e-5) + self._latest_s * self._random.random()
        while self.happens and self.happens[0][0] <= wakes_s:
            self.now_s, happen = self.happens.pop(0)
            happen()
        self.now_s = wakes_s

    def send(self, *due: FaceFrame) -> None:
        self.sent += [(self.now_s, frame) for frame in due]


def frames_of(start: int, stop: int, fps: float = 30) -> list[FaceFrame]:
    return [face_frame(index / fps, OPEN * 0.8) for index in range(start, stop)]


def sound_of(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def jaws(world: World, begins_s: float, ends_s: float) -> list[float]:
    return [float(frame.values[17]) for at_s, frame in world.sent if begins_s <= at_s < ends_s]


def test_an_hour_drifts_by_less_than_a_frame() -> None:
    """A sleep that is late by up to 2 ms; every frame is sent once, within that of when its sound is heard."""
    world, hour_s, fps = World(latest_s=0.002), 3600, 5
    player, pacer = SilentPlayer(clock=world.clock), Pacer(fps)
    seconds = iter(range(hour_s))

    def feed() -> None:
        second = next(seconds, None)
        if second is None:
            pacer.finish()
            return
        pacer.push(frames_of(second * fps, (second + 1) * fps, fps))
        player.play(sound_of(1.0))
        world.happens.append((1000.0 + second + 0.5, feed))

    feed()
    pace(pacer, player, world.send, clock=world.clock, sleep=world.sleep)
    spoken = world.sent[: hour_s * fps]
    assert len(spoken) == hour_s * fps
    late_s = np.array([at_s - 1000.0 - frame.time_s for at_s, frame in spoken])
    assert late_s.min() > -0.0003 and late_s.max() < 0.0025
    np.testing.assert_allclose([frame.time_s for _, frame in spoken], np.arange(hour_s * fps) / fps)


def test_an_underrun_is_held_then_eases_to_rest_and_is_over_with_the_first_frame() -> None:
    world = World()
    player, pacer = SilentPlayer(clock=world.clock), Pacer(30)
    pacer.push(frames_of(0, 31))
    player.play(sound_of(1.0))

    def come_back() -> None:
        pacer.push(frames_of(31, 60))
        player.play(sound_of(1.0))
        pacer.finish()

    world.happens = [(1003.0, come_back)]
    pace(pacer, player, world.send, clock=world.clock, sleep=world.sleep)
    underrun_s = 1001.0 + 1 / 30  # when the first frame that is not there is due
    assert jaws(world, underrun_s, underrun_s + 0.05) == pytest.approx([0.8] * 1)
    easing = jaws(world, underrun_s, underrun_s + 0.2)
    assert easing == sorted(easing, reverse=True) and len(easing) >= 5 and easing[-1] == 0
    assert set(jaws(world, underrun_s + 0.2, 1003.0)) == {0.0}
    assert jaws(world, 1003.0, 1003.0 + 1 / 30 + 0.001)[-1] == pytest.approx(0.8)  # when its sound is heard
    moments = np.array([at_s for at_s, _ in world.sent])
    assert np.diff(moments).max() < 1.6 / 30  # never silent
    times = [frame.time_s for _, frame in world.sent]
    assert times == sorted(times)
    assert world.sent[-1][1].values.max() == 0  # and at the end the face is at rest


def test_an_interruption_eases_to_rest_within_100_ms() -> None:
    world = World()
    player, pacer = SilentPlayer(clock=world.clock), Pacer(30)
    pacer.push(frames_of(0, 300))
    player.play(sound_of(10.0))

    def interrupt() -> None:
        player.drop()
        pacer.interrupt(world.now_s)
        world.happens.append((1002.0, go_on))

    def go_on() -> None:
        pacer.push(frames_of(300, 330))
        player.play(sound_of(1.0))
        pacer.finish()

    world.happens = [(1001.0, interrupt)]
    pace(pacer, player, world.send, clock=world.clock, sleep=world.sleep)
    assert jaws(world, 1000.9, 1001.0)[-1] == pytest.approx(0.8)
    assert jaws(world, 1001.0, 1001.1)[-1] == 0
    assert set(jaws(world, 1001.1, 1002.0)) == {0.0}
    assert jaws(world, 1002.0, 1002.0 + 1 / 30)[-1] == pytest.approx(0.8)
    assert world.now_s < 1003.5


def test_the_face_waits_for_sound_that_is_heard_later() -> None:
    world = World()
    player, pacer = SilentPlayer(clock=world.clock), Pacer(30)
    pacer.push(frames_of(0, 30))
    pacer.finish()
    player.play(sound_of(1.0))
    pace(pacer, player, world.send, delay_s=0.1234, clock=world.clock, sleep=world.sleep)
    spoken = [(at_s, frame) for at_s, frame in world.sent if frame.values[17] > 0.79 and frame.time_s < 0.95]
    np.testing.assert_allclose(
        [at_s for at_s, _ in spoken], [1000.1234 + frame.time_s for _, frame in spoken], atol=4e-4
    )
    assert world.sent[-1][1].values.max() == 0


@pytest.mark.parametrize(("fps", "out_fps"), [(30, 30), (30, 60), (25, 30), (25, 60)])
def test_frames_at_another_rate_are_those_of_resampling(fps: float, out_fps: float) -> None:
    curves, sent = random_curves(50), list[FaceFrame]()
    frames = [face_frame(index / fps, row) for index, row in enumerate(curves)]
    pieces = [Piece(frames[start : start + 7], sound_of(0)) for start in range(0, 50, 7)]
    send_at_once(pieces, out_fps, sent.append)
    np.testing.assert_allclose([frame.time_s for frame in sent], np.arange(round(50 / fps * out_fps)) / out_fps)
    expected = resample_curves(curves, fps, out_fps)
    np.testing.assert_allclose([frame.values for frame in sent], expected, atol=1e-4 if fps == 25 else 1e-6)


def test_what_is_no_number_is_bridged() -> None:
    frames, sent = frames_of(0, 10), list[FaceFrame]()
    frames[4].values[17] = np.nan
    frames[5].angles_deg[0] = np.inf
    send_at_once([Piece(frames, sound_of(0))], 30, sent.append)
    assert len(sent) == 10 and all(frame.is_finite for frame in sent)
    assert sent[4].values[17] == pytest.approx(0.8)


def test_sound_that_happens_now_is_caught_up_with() -> None:
    now_s = [0.0]
    player = SilentPlayer(most_behind_s=0.1, clock=lambda: now_s[0])
    for _ in range(10):
        player.play(sound_of(0.02))
    assert player.position_s() == pytest.approx(0.1)
    now_s[0] += 0.05
    assert player.position_s() == pytest.approx(0.15)
    now_s[0] += 1.0
    assert (player.position_s(), player.left_s()) == (pytest.approx(0.2), pytest.approx(0))


def test_a_silent_player_stands_still_where_there_is_no_sound() -> None:
    now_s = [0.0]
    player = SilentPlayer(clock=lambda: now_s[0])
    player.play(sound_of(1.0))
    now_s[0] = 5.0
    player.play(sound_of(1.0))
    assert player.position_s() == 1.0
    now_s[0] = 5.25
    assert player.position_s() == 1.25
    player.drop()
    assert (player.position_s(), player.left_s()) == (2.0, 0)


def test_no_frames_at_all_end_at_rest() -> None:
    world = World()
    player, pacer = SilentPlayer(clock=world.clock), Pacer(60)
    pacer.finish()
    pace(pacer, player, world.send, clock=world.clock, sleep=world.sleep)
    assert len(world.sent) > 1 and world.now_s < 1000.4
    assert not any(frame.values.any() for _, frame in world.sent)
