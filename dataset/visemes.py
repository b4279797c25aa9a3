"""What the sounds of speech ask of the face: a table of visemes, by letters of the International Phonetic Alphabet.

Lip and jaw targets follow the articulatory descriptions of standard phonetics (Ladefoged & Johnson, A Course in
Phonetics; Lee & Zee 2003, "Standard Chinese (Beijing)", J. Int. Phonetic Assoc. 33): open vowels lower the jaw, rounded
vowels protrude the lips, sibilants nearly close the teeth, [p b m] close the lips, [f v] lay the lower lip against the
upper teeth. How firmly the jaw is held: consonants give way to vowels, [h] the most and alveolars the least (Keating,
Lindblom, Lubker & Kreiman 1994, "Variability in jaw height for segments in English and Swedish VCVs", J. Phonetics 22).
How far it opens is by the order of its means in 8.3 min of Mandarin (FACEGOOD, z: 1.8 at [a], 1.3 at [o e ə], 1.0 at
[i], 0.6 at [u], 0.1 at [s], -0.3 at [p b m f]). The rest is set by eye within that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Viseme:
    """What a letter asks of the face, by ARKit names without their side.

    jaw, lips, rounding: how firmly it holds the targets of these against its neighbours, by channel as in
    dataset.viseme_animator.ARTICULATORS. A [k] leaves the lips to the vowels around it.
    pose: the targets. seal: taken on fully, whatever the neighbours, while the letter lasts; its MouthClose is a
    share of JawOpen, for ARKit's MouthClose is the lips' closing of what the jaw has opened.
    """

    jaw: float
    lips: float
    rounding: float
    pose: Mapping[str, float]
    seal: Mapping[str, float] = field(default_factory=dict)


_BILABIAL_SEAL = {"MouthClose": 1.0, "MouthPress": 0.3, "MouthRollLower": 0.15, "MouthRollUpper": 0.12,
                  "MouthShrugLower": 0.12}  # fmt: skip

VISEMES: dict[str, Viseme] = {
    # open and mid vowels: the jaw tells them apart
    "aɑɐ": Viseme(1.0, 0.8, 0.5, {"JawOpen": 0.50, "MouthLowerDown": 0.26, "MouthUpperUp": 0.12}),
    "æ": Viseme(1.0, 0.9, 0.6, {"JawOpen": 0.46, "MouthLowerDown": 0.30, "MouthUpperUp": 0.15, "MouthStretch": 0.16,
                                "MouthSmile": 0.08}),
    "ɛ": Viseme(1.0, 0.9, 0.7, {"JawOpen": 0.40, "MouthLowerDown": 0.28, "MouthUpperUp": 0.12, "MouthStretch": 0.15,
                                "MouthSmile": 0.12}),
    "ʌɜɝ": Viseme(1.0, 0.7, 0.4, {"JawOpen": 0.39, "MouthLowerDown": 0.22, "MouthUpperUp": 0.09}),
    "e": Viseme(1.0, 0.9, 0.7, {"JawOpen": 0.33, "MouthLowerDown": 0.25, "MouthUpperUp": 0.10, "MouthStretch": 0.20,
                                "MouthSmile": 0.18, "MouthDimple": 0.06}),
    "əɚɤɘ": Viseme(0.8, 0.5, 0.3, {"JawOpen": 0.32, "MouthLowerDown": 0.18, "MouthUpperUp": 0.07}),
    # close vowels: spread, plain, rounded
    "i": Viseme(1.0, 1.0, 0.8, {"JawOpen": 0.22, "MouthLowerDown": 0.20, "MouthUpperUp": 0.10, "MouthStretch": 0.24,
                                "MouthSmile": 0.26, "MouthDimple": 0.10, "CheekSquint": 0.10}),
    "ɪᵻ": Viseme(0.9, 0.7, 0.5, {"JawOpen": 0.25, "MouthLowerDown": 0.19, "MouthUpperUp": 0.08, "MouthStretch": 0.15,
                                 "MouthSmile": 0.14}),
    "j": Viseme(0.7, 0.6, 0.4, {"JawOpen": 0.12, "MouthLowerDown": 0.17, "MouthStretch": 0.18, "MouthSmile": 0.18}),
    "ɨɯ": Viseme(1.0, 0.5, 0.4, {"JawOpen": 0.11, "MouthLowerDown": 0.22, "MouthUpperUp": 0.08, "MouthStretch": 0.14}),
    "ɔɒœɶɞ": Viseme(1.0, 1.0, 1.0, {"JawOpen": 0.42, "MouthFunnel": 0.34, "MouthPucker": 0.18, "MouthLowerDown": 0.12}),
    "oøɵ": Viseme(1.0, 1.1, 1.2, {"JawOpen": 0.33, "MouthFunnel": 0.36, "MouthPucker": 0.36, "MouthLowerDown": 0.06}),
    "ʊʏᵿ": Viseme(0.9, 1.0, 1.0, {"JawOpen": 0.20, "MouthFunnel": 0.24, "MouthPucker": 0.42}),
    "uʉ": Viseme(1.0, 1.2, 1.4, {"JawOpen": 0.15, "MouthFunnel": 0.26, "MouthPucker": 0.62, "JawForward": 0.06}),
    "wʍ": Viseme(0.9, 1.2, 1.4, {"JawOpen": 0.11, "MouthFunnel": 0.20, "MouthPucker": 0.70, "JawForward": 0.06}),
    "yɥ": Viseme(1.0, 1.1, 1.3, {"JawOpen": 0.12, "MouthFunnel": 0.30, "MouthPucker": 0.56, "MouthShrugUpper": 0.06}),
    # consonants that the lips make
    "pbɓʙ": Viseme(2.0, 0.1, 0.1, {"JawOpen": 0.06}, {**_BILABIAL_SEAL, "CheekPuff": 0.10}),
    "m": Viseme(2.0, 0.1, 0.1, {"JawOpen": 0.07}, _BILABIAL_SEAL),
    "fvʋɱ": Viseme(2.2, 0.2, 0.2, {"JawOpen": 0.08}, {"MouthRollLower": 0.50, "MouthUpperUp": 0.20,
                   "MouthShrugUpper": 0.08, "MouthPress": 0.08, "NoseSneer": 0.06}),
    "ɸβ": Viseme(1.2, 1.0, 0.4, {"JawOpen": 0.07, "MouthClose": 0.6, "MouthPucker": 0.10}),
    "ɹrɻɽɺ": Viseme(0.7, 0.7, 0.6, {"JawOpen": 0.14, "MouthFunnel": 0.20, "MouthPucker": 0.26,
                                    "MouthLowerDown": 0.08}),
    # consonants that the tongue makes: the jaw holds, the lips mostly follow the vowels
    "sz": Viseme(2.2, 0.5, 0.25, {"JawOpen": 0.05, "MouthLowerDown": 0.24, "MouthUpperUp": 0.12, "MouthStretch": 0.15,
                                    "MouthDimple": 0.10}),
    "ʃʒɧ": Viseme(2.2, 0.9, 1.0, {"JawOpen": 0.06, "MouthFunnel": 0.38, "MouthPucker": 0.22, "MouthLowerDown": 0.14,
                                    "MouthShrugUpper": 0.10, "JawForward": 0.14}),
    "ʂʐ": Viseme(2.0, 0.5, 0.5, {"JawOpen": 0.07, "MouthFunnel": 0.24, "MouthPucker": 0.14, "MouthLowerDown": 0.16,
                                  "JawForward": 0.08}),
    "ɕʑ": Viseme(2.0, 0.5, 0.3, {"JawOpen": 0.07, "MouthLowerDown": 0.20, "MouthStretch": 0.16, "MouthSmile": 0.12}),
    "θð": Viseme(1.0, 0.3, 0.15, {"JawOpen": 0.11, "MouthLowerDown": 0.20, "MouthUpperUp": 0.08}),
    "tdʈɖɗ": Viseme(1.4, 0.15, 0.1, {"JawOpen": 0.09, "MouthLowerDown": 0.15}),
    "nlɫɾɭɳɬɮ": Viseme(0.8, 0.15, 0.1, {"JawOpen": 0.14, "MouthLowerDown": 0.16}),
    "cɟɲʎʝ": Viseme(1.0, 0.2, 0.1, {"JawOpen": 0.11, "MouthLowerDown": 0.14, "MouthStretch": 0.08}),
    "kɡgxɣɠqɢɰ": Viseme(1.2, 0.05, 0.05, {"JawOpen": 0.11, "MouthLowerDown": 0.12}),
    "ŋɴχʁʀ": Viseme(0.6, 0.05, 0.05, {"JawOpen": 0.17, "MouthLowerDown": 0.12}),
    "hɦʔħʕ": Viseme(0.1, 0.05, 0.05, {"JawOpen": 0.20}),
}  # fmt: skip
BY_LETTER = {letter: viseme for letters, viseme in VISEMES.items() for letter in letters}
VOWELS = frozenset("aɑɐæɛʌɜɝeəɚɤɘiɪᵻɨɯɔɒœɶɞoøɵʊʏᵿuʉy")
