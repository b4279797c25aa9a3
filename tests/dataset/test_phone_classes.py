import numpy as np
import pytest

from dataset.phone_classes import CLASSES, SILENCE, UNKNOWN, phone_classes
from dataset.transcript import Word


def heard(frames: int, *phones: tuple[str, float, float], fps: float = 10.0) -> list[str]:
    """What the classes at each frame stand for: a letter of each, "-" for silence, "?" for what is not known."""
    classes = phone_classes([Word(*phone) for phone in phones], frames, fps)
    assert classes.dtype == np.int8 and classes.shape == (frames,)
    return ["?" if number == UNKNOWN else "-" if number == SILENCE else CLASSES[number][0] for number in classes]


def test_a_frame_is_what_is_heard_at_its_time_and_silence_between() -> None:
    assert "".join(heard(9, ("m", 0.1, 0.3), ("a", 0.3, 0.5), ("s", 0.65, 0.8))) == "-mmaa--s-"


def test_letters_share_the_time_and_marks_are_passed_over() -> None:
    assert "".join(heard(6, ("ˈaɪ", 0.0, 0.4), ("uː", 0.4, 0.6))) == "aaɪɪuu"
    assert "".join(heard(4, ("tʃ", 0.0, 0.4))) == "ttʃʃ"
    assert "".join(heard(2, ("pʰ", 0.0, 0.2))) == "pp"
    assert "".join(heard(2, ("ã", 0.0, 0.2))) == "aa"
    assert "".join(heard(2, ("ˈ", 0.0, 0.2))) == "--"


def test_sounds_that_ask_the_same_of_the_face_are_one_class() -> None:
    p, b, m = (phone_classes([Word(letter, 0, 1)], 1, 10.0)[0] for letter in "pbm")
    assert p == b != m


def test_a_closure_between_two_frames_is_not_lost() -> None:
    assert "".join(heard(6, ("a", 0.0, 0.23), ("p", 0.23, 0.28), ("a", 0.28, 0.6))) in ("aapaaa", "aaapaa")


def test_a_sound_without_a_viseme_is_not_known_and_nothing_is_without_phones() -> None:
    assert "".join(heard(3, ("a", 0.0, 0.1), ("ǃ", 0.1, 0.2))) == "a?-"
    assert "".join(heard(3)) == "???"


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_what_is_said_past_the_last_frame_is_passed_over(frames: int) -> None:
    assert heard(frames, ("a", 0.0, 0.1), ("m", 0.1, 0.15), ("s", 5.0, 5.01)) == ["a", "m"][:frames]
