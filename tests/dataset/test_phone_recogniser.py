import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataset.phone_recogniser as recogniser
from config.errors import UserError
from dataset.audio import read_audio

HELLO = Path(recogniser.__file__).parent / "demo" / "hello.flac"


@pytest.fixture
def hama() -> Any:
    return pytest.importorskip("hama", reason="the extra of requirements-phones.txt is not installed")


def test_the_probabilities_are_those_that_the_packages_own_transcription_is_made_of(hama: Any) -> None:
    audio = read_audio(HELLO)[:40_000]
    found = recogniser.log_probabilities(audio)
    symbols = recogniser.symbols()
    assert found.shape == (40_000 // 320 + 1, len(symbols)) and found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found).sum(1), 1, atol=1e-5)
    plain = hama.ASRModel(decode=hama.ASRDecodeConfig(temperature=1.0, blank_bias=0.0))
    assert found.argmax(1).tolist() == plain(audio, 16_000).frame_token_ids
    assert {recogniser.BLANK, recogniser.WORD_BOUNDARY} <= set(symbols)
    assert recogniser.recogniser_name() == f"hama {version('hama')}"


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 16_000])
def test_any_length_has_a_frame_every_20_ms(hama: Any, samples: int) -> None:
    assert len(recogniser.log_probabilities(np.zeros(samples, np.float32))) == samples // 320 + 1


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    recogniser._model.cache_clear()
    with pytest.raises(UserError, match=r"pip install -r requirements-phones\.txt"):
        recogniser.log_probabilities(np.zeros(320, np.float32))
