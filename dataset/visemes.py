"""What the sounds of speech ask of the face: a table of visemes, by letters of the International Phonetic Alphabet.

Lip and jaw targets follow the articulatory descriptions of standard phonetics (Ladefoged & Johnson, A Course in
Phonetics; Lee & Zee 2003, "Standard Chinese (Beijing)", J. Int. Phonetic Assoc. 33): open vowels lower the jaw, rounded
vowels protrude the lips, sibilants nearly close the teeth, [p b m] close the lips, [f v] lay the lower lip against the
upper teeth. The numbers are set by eye within that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Viseme:
    """What a letter asks of the face, by ARKit names without their side.

    jaw, lips: how firmly it holds its targets against its neighbours. A [k] leaves the lips to the vowels around it.
    pose: the targets. seal: taken on fully, whatever the neighbours, while the letter lasts; its MouthClose is a
    share of JawOpen, for ARKit's MouthClose is the lips' closing of what the jaw has opened.
    """

    jaw: float
    lips: float
    pose: Mapping[str, float]
    seal: Mapping[str, float] = field(default_factory=dict)


_BILABIAL_SEAL = {"MouthClose": 1.0, "MouthPress": 0.3, "MouthRollLower": 0.15, "MouthRollUpper": 0.12,
                  "MouthShrugLower": 0.12}  # fmt: skip

VISEMES: dict[str, Viseme] = {
    # open and mid vowels: the jaw tells them apart
    "aɑɐ": Viseme(1.0, 0.8, {"JawOpen": 0.50, "MouthLowerDown": 0.30, "MouthUpperUp": 0.14}),
    "æ": Viseme(1.0, 0.9, {"JawOpen": 0.43, "MouthLowerDown": 0.32, "MouthUpperUp": 0.16, "MouthStretch": 0.16,
                           "MouthSmile": 0.08}),
    "ɛ": Viseme(1.0, 0.9, {"JawOpen": 0.33, "MouthLowerDown": 0.28, "MouthUpperUp": 0.12, "MouthStretch": 0.15,
                           "MouthSmile": 0.12}),
    "ʌɜɝ": Viseme(1.0, 0.7, {"JawOpen": 0.33, "MouthLowerDown": 0.24, "MouthUpperUp": 0.10}),
    "e": Viseme(1.0, 0.9, {"JawOpen": 0.24, "MouthLowerDown": 0.25, "MouthUpperUp": 0.10, "MouthStretch": 0.20,
                           "MouthSmile": 0.18, "MouthDimple": 0.06}),
    "əɚɤ": Viseme(0.8, 0.5, {"JawOpen": 0.23, "MouthLowerDown": 0.19, "MouthUpperUp": 0.07}),
    # close vowels: spread, plain, rounded
    "i": Viseme(1.0, 1.0, {"JawOpen": 0.12, "MouthLowerDown": 0.22, "MouthUpperUp": 0.10, "MouthStretch": 0.26,
                           "MouthSmile": 0.26, "MouthDimple": 0.10, "CheekSquint": 0.10}),
    "ɪᵻ": Viseme(0.9, 0.7, {"JawOpen": 0.17, "MouthLowerDown": 0.20, "MouthUpperUp": 0.08, "MouthStretch": 0.16,
                           "MouthSmile": 0.14}),
    "j": Viseme(0.6, 0.6, {"JawOpen": 0.10, "MouthLowerDown": 0.18, "MouthStretch": 0.18, "MouthSmile": 0.18}),
    "ɨɯ": Viseme(1.0, 0.5, {"JawOpen": 0.10, "MouthLowerDown": 0.24, "MouthUpperUp": 0.08, "MouthStretch": 0.15}),
    "ɔɒ": Viseme(1.0, 1.1, {"JawOpen": 0.38, "MouthFunnel": 0.38, "MouthPucker": 0.18, "MouthLowerDown": 0.12}),
    "o": Viseme(1.0, 1.2, {"JawOpen": 0.27, "MouthFunnel": 0.42, "MouthPucker": 0.36, "MouthLowerDown": 0.05}),
    "ʊ": Viseme(0.9, 1.1, {"JawOpen": 0.17, "MouthFunnel": 0.28, "MouthPucker": 0.46}),
    "u": Viseme(1.0, 1.4, {"JawOpen": 0.13, "MouthFunnel": 0.30, "MouthPucker": 0.66, "JawForward": 0.06}),
    "w": Viseme(0.9, 1.4, {"JawOpen": 0.09, "MouthFunnel": 0.25, "MouthPucker": 0.72, "JawForward": 0.06}),
    "yɥ": Viseme(1.0, 1.3, {"JawOpen": 0.10, "MouthFunnel": 0.34, "MouthPucker": 0.58, "MouthShrugUpper": 0.06}),
    # consonants that the lips make
    "pb": Viseme(1.6, 0.1, {"JawOpen": 0.07}, {**_BILABIAL_SEAL, "CheekPuff": 0.10}),
    "m": Viseme(1.6, 0.1, {"JawOpen": 0.09}, _BILABIAL_SEAL),
    "fvʋ": Viseme(1.4, 0.2, {"JawOpen": 0.09}, {"MouthRollLower": 0.42, "MouthUpperUp": 0.20, "MouthShrugUpper": 0.08,
                                               "MouthPress": 0.08, "NoseSneer": 0.06}),
    "ɹrɻ": Viseme(0.6, 0.7, {"JawOpen": 0.14, "MouthFunnel": 0.22, "MouthPucker": 0.28, "MouthLowerDown": 0.08}),
    # consonants that the tongue makes: the jaw holds, the lips mostly follow the vowels
    "sz": Viseme(2.2, 0.5, {"JawOpen": 0.05, "MouthLowerDown": 0.26, "MouthUpperUp": 0.12, "MouthStretch": 0.16,
                            "MouthDimple": 0.10}),
    "ʃʒ": Viseme(2.2, 1.0, {"JawOpen": 0.06, "MouthFunnel": 0.42, "MouthPucker": 0.22, "MouthLowerDown": 0.14,
                            "MouthShrugUpper": 0.10, "JawForward": 0.14}),
    "ʂʐ": Viseme(2.0, 0.5, {"JawOpen": 0.07, "MouthFunnel": 0.26, "MouthPucker": 0.14, "MouthLowerDown": 0.16,
                            "JawForward": 0.08}),
    "ɕʑ": Viseme(2.0, 0.5, {"JawOpen": 0.07, "MouthLowerDown": 0.22, "MouthStretch": 0.18, "MouthSmile": 0.12}),
    "θð": Viseme(0.8, 0.3, {"JawOpen": 0.13, "MouthLowerDown": 0.20, "MouthUpperUp": 0.08}),
    "tdnlɫɾʈ": Viseme(0.6, 0.15, {"JawOpen": 0.12, "MouthLowerDown": 0.16}),
    "kɡgŋxχ": Viseme(0.4, 0.05, {"JawOpen": 0.18, "MouthLowerDown": 0.12}),
    "hɦʔ": Viseme(0.1, 0.05, {"JawOpen": 0.20}),
}  # fmt: skip
BY_LETTER = {letter: viseme for letters, viseme in VISEMES.items() for letter in letters}
VOWELS = frozenset("aɑɐæɛʌɜɝeəɚɤiɪᵻɨɯɔɒoʊuy")
