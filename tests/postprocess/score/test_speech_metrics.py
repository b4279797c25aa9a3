import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, read_csv
from dataset.phones import phones
from dataset.transcript import Word, read_tsv
from postprocess.score.speech_metrics import (
    Speech,
    closure_scores,
    frames_of,
    silence_motion,
    silent_frames,
    speech_scores,
)
from tests.helpers import DEMO

FPS = 10


def test_closures_by_hand() -> None:
    gap_mm = np.full(40, 3.0)
    gap_mm[[10, 20, 30, 31]] = 0.0, 0.0, -1.0, 0.0  # 10: at the end of the p; 20: no cause; 30, 31: out of words
    words = [Word("pa", 0.5, 1.4), Word("ma", 1.5, 2.9)]
    sounds = [Word("p", 0.5, 1.0), Word("a", 1.0, 1.4), Word("m", 2.5, 2.6), Word("a", 2.6, 2.9)]
    assert closure_scores(gap_mm, words, sounds, FPS) == {"bilabials_closed": 0.5, "closures_without_cause": 0.5}
    gap_mm[10:12] = 3.0, 0.0  # a frame too late, and now without a cause
    assert closure_scores(gap_mm, words, sounds, FPS) == {"bilabials_closed": 0, "closures_without_cause": 1}
    sounds[1] = Word("v", 1.1, 1.4)  # which lips may close for, and need not
    assert closure_scores(gap_mm, words, sounds, FPS) == {"bilabials_closed": 0, "closures_without_cause": 0.5}


def test_lips_may_close_80_ms_before_the_phone_is_heard_and_no_earlier() -> None:
    sounds = [Word("m", 1.0, 1.1)]
    at = [frames_of(sounds[0], 300, fps) for fps in (25, 30, 50, 100)]
    assert at == [slice(23, 29), slice(28, 34), slice(46, 56), slice(92, 111)]
    assert frames_of(Word("m", 0, 9), 20, 25) == slice(0, 20)
    assert frames_of(Word("m", 5, 9), 20, 25) == slice(20, 20)


def test_a_gap_of_a_millimetre_is_open() -> None:
    words = [Word("m", 0.2, 0.4)]
    assert closure_scores(np.full(6, 1.0), words, words, FPS)["bilabials_closed"] == 0
    assert closure_scores(np.full(6, 0.999), words, words, FPS)["bilabials_closed"] == 1


def test_nothing_to_count_is_none() -> None:
    nothing = {"bilabials_closed": None, "closures_without_cause": None}
    assert closure_scores(np.full(5, 9.0), [Word("la", 0, 0.4)], [Word("l", 0, 0.1)], FPS) == nothing
    assert closure_scores(np.zeros(5), [], [], FPS) == nothing
    assert closure_scores(np.zeros(5), [Word("p", 9, 10)], [Word("p", 9, 10)], FPS) == nothing  # past the end


def test_motion_in_silence_is_that_of_silent_pairs_only() -> None:
    curves = np.array([[0.0, 0.0], [0.1, 0.3], [0.9, 0.9], [0.9, 0.8]])
    quiet = np.array([True, True, False, True])
    assert silence_motion(curves, quiet, 10) == pytest.approx((0.1 + 0.3) / 2 * 10)
    assert silence_motion(curves, ~quiet, 10) is None


def test_silence_by_words_and_by_sound() -> None:
    spoken = Speech(words=[Word("a", 1.0, 1.4)])
    quiet = silent_frames(spoken, 30, FPS)
    assert quiet is not None
    assert np.flatnonzero(~quiet).tolist() == [9, 10, 11, 12, 13, 14, 15]  # settled 0.15 s from the word
    assert silent_frames(Speech(), 30, FPS) is None
    time_s = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    tone = 0.3 * np.sin(2 * np.pi * 1000 * time_s) * ((time_s > 1) & (time_s < 2))
    quiet = silent_frames(Speech(audio=tone.astype(np.float32)), 30, FPS)
    assert quiet is not None
    assert quiet[:8].all()
    assert not quiet[10:20].any()
    assert quiet[23:].all()
    silence = silent_frames(Speech(audio=np.zeros(SAMPLE_RATE, np.float32)), 10, FPS)
    assert silence is not None
    assert silence.shape == (10,)


def test_what_is_not_known_is_none() -> None:
    scores = speech_scores(np.zeros((5, 52)), ARKIT, Speech(), FPS)
    assert set(scores.values()) == {None}
    assert len(scores) == 5


@pytest.mark.parametrize("clip", ["en_001", "zh_002"])
def test_the_demo_corpus_closes_its_lips_keeps_still_and_is_in_time(clip: str) -> None:
    curves = read_csv(DEMO / "bs" / f"{clip}.csv").select(ARKIT)
    words = read_tsv(DEMO / "tsv" / f"{clip}.tsv")
    audio = read_audio(DEMO / "wav" / f"{clip}.flac")
    speech = Speech(audio, words, phones(words))
    scores = speech_scores(curves, ARKIT, speech, 30)
    assert (scores["bilabials_closed"], scores["closures_without_cause"]) == (1, 0)
    assert scores["silence_motion"] is not None and scores["silence_motion"] < 0.03  # lips round before the first sound
    assert scores["sound_lag_ms"] is not None and -80 < scores["sound_lag_ms"] < 10  # mouths lead
    late = speech_scores(np.roll(curves, 6, axis=0), ARKIT, speech, 30)
    assert late["sound_lag_ms"] is not None
    assert late["sound_lag_ms"] - scores["sound_lag_ms"] == pytest.approx(200, abs=15)
