"""Sound through a device: what is played, and how far it was heard."""

import sys

import numpy as np
import pytest

from postprocess.send.player import DevicePlayer, SilentPlayer, open_player
from tests.sound_devices import SoundDevices

BUFFER = 320  # 20 ms


def test_what_is_played_and_when_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SoundDevices().install(monkeypatch)
    player = DevicePlayer()
    sound = np.linspace(-1, 1, 5 * BUFFER, dtype=np.float32)
    assert not card.pull(BUFFER).any() and player.position_s() == 0
    player.play(sound[:500])
    player.play(sound[500:])
    heard, positions = [], []
    for _ in range(10):
        heard.append(card.pull(BUFFER))
        positions.append(player.position_s())
    np.testing.assert_array_equal(np.concatenate(heard)[: len(sound)], sound)
    assert not np.concatenate(heard)[len(sound) :].any()
    # After n buffers of 20 ms, the device being 50 ms behind.
    np.testing.assert_allclose(positions, np.clip(0.02 * np.arange(1, 11) - 0.05, 0, 0.1), atol=1e-9)
    assert player.left_s() == pytest.approx(0)
    player.close()
    assert not card.is_open


def test_silence_between_is_no_part_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SoundDevices().install(monkeypatch)
    player = DevicePlayer()
    ones = np.ones(BUFFER, np.float32)
    player.play(ones)
    for _ in range(20):
        card.pull(BUFFER)
    assert player.position_s() == pytest.approx(0.02)
    player.play(ones)
    card.pull(BUFFER)
    assert player.position_s() == pytest.approx(0.02)  # on its way to the ear
    card.time_s += 0.04
    assert player.position_s() == pytest.approx(0.03)
    player.play(np.ones(10 * BUFFER, np.float32))
    player.drop()
    assert player.left_s() == 0 and not card.pull(BUFFER).any()


@pytest.mark.parametrize("fails", ["Error querying device -1", None])
def test_without_a_device_the_sound_is_not_played(
    fails: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if fails is None:
        monkeypatch.setitem(sys.modules, "sounddevice", None)
    else:
        SoundDevices(fails=fails).install(monkeypatch)
    assert isinstance(open_player(), SilentPlayer)
    mend = f"no such sound device: {fails}" if fails else "sounddevice is not installed; pip install sounddevice"
    assert capsys.readouterr().err == f"the sound is not played: {mend}\n"
