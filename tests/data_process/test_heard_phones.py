import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_process import align
from data_process.heard_phones import LATE_S, phones_heard
from dataset.articulation import height, is_labiodental
from dataset.phones import is_bilabial
from dataset.transcript import read_tsv
from tests.helpers import DEMO

SYMBOLS = ("p", "a", "<wb>", "<blank>")


def heard(likeliest: str, duration_s: float) -> list[tuple[str, float, float]]:
    """Phones of a string with a letter a frame: p, a, | for the end of a word, - for blank."""
    index = {"p": 0, "a": 1, "|": 2, "-": 3}
    rows = np.log(np.full((len(likeliest), 4), 0.1))
    rows[np.arange(len(likeliest)), [index[letter] for letter in likeliest]] = np.log(0.7)
    words = phones_heard(rows, SYMBOLS, duration_s)
    return [(word.text, round(word.start_s + LATE_S, 6), round(word.end_s + LATE_S, 6)) for word in words]


def test_a_phone_lasts_halfway_to_its_neighbours_and_no_longer_than_a_tenth_of_a_second() -> None:
    found = heard("-" * 10 + "pp--aa-" + "|" + "-" * 20 + "a-a" + "-" * 10, 1)
    assert found == [
        ("p", 0.1, 0.24),
        ("a", 0.24, 0.38),
        ("a", 0.66, 0.78),
        ("a", 0.78, 0.9),
    ]  # a phone is said again after a blank, and once in a run


def test_phones_stay_within_the_sound() -> None:
    [first, second] = heard("p---a", 0.1)
    assert (first[1], second[2]) == (LATE_S, 0.1 + LATE_S)
    assert heard("-----", 0.1) == []


def test_phones_of_a_corpus_that_has_no_text(
    tmp_path: Path, run_main: Callable[..., None], refusal: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hama", reason="the extra of requirements-phones.txt is not installed")
    (tmp_path / "wav").mkdir()
    shutil.copy(DEMO / "wav" / "en_001.flac", tmp_path / "wav")
    run_main(align, "--corpus", tmp_path, "--aligner", "phones", "--jobs", 1)
    assert "aligned 1 clips (0 up to date)" in capsys.readouterr().out
    file = tmp_path / "phones" / "en_001.tsv"
    assert file.read_text(encoding="utf-8").startswith("# phones: heard by hama 1")
    words = read_tsv(DEMO / "tsv" / "en_001.tsv")  # Please put five blue bowls by the window before Bob comes home
    found = read_tsv(file)
    assert 6 <= sum(is_bilabial(phone.text) for phone in found) <= 11  # of ten
    assert sum(is_labiodental(phone.text) for phone in found) >= 2  # five
    assert abs(found[0].start_s - words[0].start_s) < 0.1 and abs(found[-1].end_s - words[-1].end_s) < 0.1
    assert sum(height(phone.text) is not None for phone in found) >= 10
    run_main(align, "--corpus", tmp_path, "--aligner", "phones", "--jobs", 1)
    assert "aligned 1 clips (1 up to date)" in capsys.readouterr().out
    assert "give one of the two" in refusal(align, "--corpus", tmp_path, "--aligner", "phones", "--textgrids", tmp_path)
