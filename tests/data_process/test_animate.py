"""Rule curves of any corpus that has phones/."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from data_process import animate
from data_process.rule_curves import blink_seed, sounding
from dataset import viseme_animator
from dataset.audio import read_audio, write_wav
from dataset.blendshapes import read_curves
from dataset.corpus import Corpus
from dataset.transcript import Word, write_tsv
from tests.helpers import printed_by

SOUNDS = [Word("m", 0.2, 0.3), Word("ˈɑ", 0.3, 0.5), Word("p", 0.6, 0.7), Word("ə", 0.7, 1.0004)]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two clips of a second: a sound that grows louder, and phones."""
    made = Corpus(tmp_path)
    for clip in ("a", "b"):
        ramp = np.sin(np.arange(SAMPLE_RATE) / 9) * np.linspace(0, 9000, SAMPLE_RATE)
        write_wav(made.place("wav", clip), ramp.astype(np.int16))
        write_tsv(made.place("phones", clip), SOUNDS)
    return made


def test_curves_are_the_animators_of_the_phones(corpus: Corpus) -> None:
    assert printed_by(animate, "--corpus", corpus.folder, "--jobs", 1) == (
        "animated 2 clips, 60 frames (0.0 min), 0 of them up to date, 0 failed\n"
    )
    audio = read_audio(corpus.place("wav", "b"))
    sounds = [*SOUNDS[:-1], Word("ə", 0.7, 1.0)]  # ends with the sound
    curves = viseme_animator.animate(sounding(sounds, audio, SAMPLE_RATE), 1.0, 30, blink_seed("b"))
    np.testing.assert_allclose(read_curves(corpus.place("bs", "b")), curves, atol=6e-4)


def test_only_what_changed_is_made_anew(corpus: Corpus) -> None:
    printed_by(animate, "--corpus", corpus.folder, "--jobs", 1)
    before = corpus.place("bs", "a").read_bytes()
    write_tsv(corpus.place("phones", "a"), SOUNDS[:2])
    assert "1 of them up to date" in printed_by(animate, "--corpus", corpus.folder, "--jobs", 1)
    assert corpus.place("bs", "a").read_bytes() != before
    assert "120 frames" in printed_by(animate, "--corpus", corpus.folder, "--jobs", 1, "--out_fps", 60)


def test_captured_curves_are_not_written_over(corpus: Corpus, refusal: Callable[..., str]) -> None:
    captured = corpus.place("bs", "b")
    captured.parent.mkdir()
    captured.write_text("precious", encoding="utf-8")
    assert refusal(animate, "--corpus", corpus.folder) == (
        f"{captured}: not made by data_process.animate, which would write over it; move bs/ away first"
    )
    assert captured.read_text(encoding="utf-8") == "precious"


def test_a_bad_clip_is_a_line_and_the_others_are_animated(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.place("wav", "a").unlink()
    write_tsv(corpus.place("phones", "c"), [Word("ß", 0.1, 0.2)])
    write_wav(corpus.place("wav", "c"), np.zeros(SAMPLE_RATE, np.int16))
    with pytest.raises(SystemExit, match="1"):
        printed_by(animate, "--corpus", corpus.folder, "--jobs", 1)
    lines = capsys.readouterr().err.splitlines()
    assert any(str(corpus.place("wav", "a")) in line for line in lines)
    assert any('no viseme for "ß"' in line for line in lines) and corpus.place("bs", "b").exists()


def test_what_is_refused(corpus: Corpus, tmp_path: Path, refusal: Callable[..., str]) -> None:
    assert refusal(animate, "--corpus", corpus.folder, "--out_fps", 0) == "--out_fps 0: give a rate from 1 to 240"
    assert refusal(animate, "--corpus", tmp_path / "no").startswith(f"{tmp_path / 'no' / 'phones'}: no such folder")


def test_marks_say_what_is_stressed_and_loudness_where_there_are_none() -> None:
    samples = np.repeat([0.0, 1.0, 3.0, 2.0], 10)
    sounds = [Word("t", 0, 1), Word("i", 1, 2), Word("ɑ", 2, 3), Word("u", 3, 4)]
    heard = sounding(sounds, samples, 10)
    assert [phone.stressed for phone in heard] == [False, False, True, False]
    assert [phone.loudness for phone in heard] == [1.0, 0.5, 1.5, 1.0]
    marked = sounding([*sounds[:3], Word("ˈu", 3, 4)], samples, 10)
    assert [phone.stressed for phone in marked] == [False, False, False, True]
    assert sounding([], samples, 10) == []
