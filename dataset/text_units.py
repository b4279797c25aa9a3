"""What a transcript is spelt with: the pinyin of Mandarin, letters of other scripts, and what to say of no text.

A text stream is a unit a motion frame, by its number here; a checkpoint holds an embedding for each. So the list is
part of the checkpoint's format, and stays as it is.
"""

NONE, PAUSE, UNKNOWN = 0, 1, 2  # no transcript; between tokens; a token that has no spelling here
INITIALS = (
    "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "zh", "ch", "sh", "r", "z", "c", "s",
)  # fmt: skip
FINALS = (  # in full (uei, iou, uen), v is ü; ɨ is the i of zhi and zi
    "a", "o", "e", "ê", "er", "ai", "ei", "ao", "ou", "an", "en", "ang", "eng", "ong", "ɨ",
    "i", "ia", "ie", "iao", "iou", "ian", "in", "iang", "ing", "iong",
    "u", "ua", "uo", "uai", "uei", "uan", "uen", "uang", "ueng", "v", "ve", "van", "vn",
)  # fmt: skip
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
UNITS = (
    "none", "pause", "unknown",
    *(f"{initial}-" for initial in INITIALS), *(f"-{final}" for final in FINALS), *LETTERS,
)  # fmt: skip
