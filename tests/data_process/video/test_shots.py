"""Where videos are cut, what is bridged and what is split, and whom a shot follows: without a tracker."""

import numpy as np
import pytest

from data_process.video.face import link
from data_process.video.scout import plan_shot
from data_process.video.shots import find_cuts, find_jumps, split
from data_process.video.track import choose, follow
from tests.data_process.video.faces import seen


def test_cuts_stand_out_of_what_moves() -> None:
    changes = np.random.default_rng(0).uniform(0.005, 0.015, 200)
    changes[0] = 0
    changes[[50, 51, 150]] = 0.3, 0.01, 0.12
    assert find_cuts(changes).tolist() == [50, 150]
    shaken = np.random.default_rng(0).uniform(0.06, 0.15, 200)  # a camera in a running hand
    assert find_cuts(shaken).tolist() == []
    assert find_cuts(np.zeros(1)).tolist() == find_cuts(np.zeros(5)).tolist() == []


def test_a_jump_of_the_face_is_a_cut_and_a_fast_nod_is_none() -> None:
    times_s = np.arange(10) / 30
    centres = np.zeros((10, 2))
    centres[5:, 0] = 30.0
    assert find_jumps(times_s, centres, np.full(10, 100.0)).tolist() == [5]
    centres[5:, 0] = 15.0
    assert find_jumps(times_s, centres, np.full(10, 100.0)).tolist() == []


@pytest.mark.parametrize(("lost", "expected"), [(5, [(0, 95)]), (6, [(0, 50), (50, 94)])])
def test_short_losses_are_bridged_and_longer_ones_split(lost: int, expected: list[tuple[int, int]]) -> None:
    """At 30 frames a second 0.2 s are six frames."""
    times_s = np.delete(np.arange(100) / 30, np.arange(50, 50 + lost))
    assert split(times_s, 1 / 30, np.zeros(0, int)) == expected


def test_shots_split_and_short_pieces_go() -> None:
    times_s = np.arange(100) / 25
    assert split(times_s, 0.04, np.array([30, 50])) == [(0, 30), (50, 100)]  # 20 frames are 0.8 s
    assert split(times_s[:10], 0.04, np.zeros(0, int)) == []


def test_uneven_times_are_no_losses() -> None:
    times_s = np.cumsum(np.random.default_rng(0).choice([1 / 60, 1 / 30, 0.1], 200))
    assert split(times_s, float(np.median(np.diff(times_s))), np.zeros(0, int)) == [(0, 200)]


def test_faces_are_linked_by_where_they_are() -> None:
    found = [[seen(100 + i), seen(300 - i)][:: 1 if i % 2 else -1] for i in range(20)]
    found[7] = found[7][:1]
    tracks = sorted(link(found), key=lambda track: track.faces[0].centre[0])
    assert [len(track.faces) for track in tracks] == [20, 19]
    assert [face.centre[0] for face in tracks[0].faces] == [100.0 + i for i in range(20)]


def test_the_larger_face_is_followed_unless_the_other_one_speaks() -> None:
    times_s = np.arange(120) / 30
    voice = 10 * (1 + np.sin(2 * np.pi * 2 * np.arange(480) / 100))
    spoken = 0.2 * (1 + np.sin(2 * np.pi * 2 * times_s))
    idle = np.random.default_rng(0).random(120) * 0.02
    found = [[seen(100, height=90, jaw=idle[i]), seen(300, height=70, jaw=spoken[i])] for i in range(120)]
    tracks = link(found)
    assert choose(tracks, times_s, (voice, 100.0)).height == 70
    assert choose(tracks, times_s, None).height == 90
    small = link([[seen(100, height=90), seen(300, height=30, jaw=spoken[i])] for i in range(120)])
    assert choose(small, times_s, (voice, 100.0)).height == 90


def test_a_face_that_comes_back_elsewhere_is_followed_on() -> None:
    gone = [[seen(100), seen(700, height=20)] for _ in range(40)] + [[seen(400)] for _ in range(20)]
    followed = follow(link(gone), np.arange(60) / 30, None)
    assert [track.frames[0] for track in followed] == [0, 40]


def test_a_small_face_gets_a_region_and_a_large_one_the_frame() -> None:
    size = (1920, 1080)
    assert plan_shot(0, 9, [[seen(900, 500, 400)]], size).region is None
    shot = plan_shot(0, 9, [[seen(300, 300, 100)], [], [seen(400, 320, 100)]], size)
    assert (shot.region, shot.faces) == ((150, 150, 550, 470), 1)
    assert plan_shot(0, 9, [[]], size).faces == 0
    assert plan_shot(0, 9, [], size).faces == 1
    several = [seen(200 * i, 500, 300 if i else 100) for i in range(5)]
    assert plan_shot(0, 9, [several], size).faces == 3
