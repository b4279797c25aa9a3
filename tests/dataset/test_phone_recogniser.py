import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import dataset.phone_recogniser as recogniser
from config.errors import UserError
from dataset.audio import read_audio

HELLO = Path(recogniser.__file__).parent / "demo" / "hello.flac"


@pytest.fixture
def hama() -> ModuleType:
    module: ModuleType = pytest.importorskip("hama", reason="the extra of requirements-phones.txt is not installed")
    return module


def test_the_probabilities_are_those_that_the_packages_own_transcription_is_made_of(hama: ModuleType) -> None:
    audio = read_audio(HELLO)[:40_000]
    found = recogniser.log_probabilities(audio)
    symbols = recogniser.symbols()
    assert found.shape == (40_000 // 320 + 1, len(symbols)) and found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found).sum(1), 1, atol=1e-5)
    plain = hama.ASRModel(decode=hama.ASRDecodeConfig(temperature=1.0, blank_bias=0.0))
    assert found.argmax(1).tolist() == plain(audio, 16_000).frame_token_ids
    assert {recogniser.BLANK, recogniser.WORD_BOUNDARY} <= set(symbols)
    assert recogniser.recogniser_name() == f"hama {version('hama')}"


def test_a_long_sound_is_heard_in_pieces_that_hear_what_is_around_them(hama: ModuleType) -> None:
    audio = np.tile(read_audio(HELLO), 2)[: 11 * 16_000]
    found = recogniser.log_probabilities(audio)
    feed = {"waveform": audio[None, 9 * 16_000 :], "waveform_lengths": np.array([2 * 16_000])}
    [last] = hama.ASRModel().session.run(["log_probs"], feed)
    assert found.shape == (11 * 50 + 1, len(recogniser.symbols()))
    np.testing.assert_array_equal(found[500:], last[0, 50:])  # what comes after ten seconds


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 16_000])
def test_any_length_has_a_frame_every_20_ms(hama: ModuleType, samples: int) -> None:
    assert len(recogniser.log_probabilities(np.zeros(samples, np.float32))) == samples // 320 + 1


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    recogniser._model.cache_clear()
    with pytest.raises(UserError, match=r"pip install -r requirements-phones\.txt"):
        recogniser.log_probabilities(np.zeros(320, np.float32))
