"""A rule-based viseme animator: phones with times in, ARKit curves out. Procedural motion, nothing captured.

Where the rules come from:
- lip and jaw targets of the phones: dataset/visemes.py;
- coarticulation: dominance functions (Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech"): a
  frame's pose is the mean of the phones' targets, weighted by how strongly and how near each phone is, for the jaw, the
  lips' opening and their rounding apart;
- the lips press on each other in a closure (Löfqvist & Gracco 1997, "Lip and jaw kinematics in bilabial stop
  consonant production", J. Speech Lang. Hear. Res. 40) and close faster than they part; the jaw is heavier and slower;
- blinks: every few seconds, closing faster than opening.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dataset.blendshapes import ARKIT
from dataset.visemes import BY_LETTER, VISEMES, Viseme


class Phone(NamedTuple):
    """A sound with its time. Several letters (a diphthong, an affricate) share the time equally."""

    symbol: str  # IPA; length, tone and other marks are passed over; "" is silence
    start_s: float
    end_s: float
    stressed: bool = False  # a stressed vowel may raise the brows
    loudness: float = 1.0  # 1 is the speaker's usual; a louder vowel opens the mouth a little more


class Articulator(NamedTuple):
    """What moves together, and how: the reach of a phone's dominance before and after it, and the inertia."""

    channels: tuple[str, ...]
    before_s: float
    after_s: float
    blur_s: float  # the standard deviation of a Gaussian


_REST = Viseme(0.7, 0.7, 0.7, {})
_SPOKEN = tuple(sorted({name for viseme in VISEMES.values() for name in (*viseme.pose, *viseme.seal)}))
_JAW = ("JawOpen", "JawForward")
_ROUNDING = ("MouthFunnel", "MouthPucker")
_LIPS = tuple(name for name in _SPOKEN if name not in (*_JAW, *_ROUNDING))
_CORNERS = ("MouthPucker", "MouthSmile", "MouthStretch", "MouthDimple", "CheekSquint")  # a seal leaves them alone
_OPENING = ("JawOpen", "MouthLowerDown", "MouthUpperUp")  # these grow with loudness

# The mouth is ahead of the sound: from 40 ms behind to 200 ms ahead, most where it opens after a silence (Schwartz &
# Savariaux 2014, "No, there is no 150 ms lead of visual speech on auditory speech", PLoS Comput. Biol. 10). 40 ms is
# where jaw, lip gap and rounding of a tracked public address (8.7 s of English) correlate best with these rules.
LEAD_S = 0.04
# Rounding is anticipated (Perkell & Matthies 1992, "Temporal measures of anticipatory labial coarticulation for the
# vowel /u/", J. Acoust. Soc. Am. 91): in FACEGOOD's curves half of it is there 100 ms before the peak, as here.
ARTICULATORS = {
    "jaw": Articulator(_JAW, 0.04, 0.04, 0.028),
    "lips": Articulator(_LIPS, 0.045, 0.07, 0.020),
    "rounding": Articulator(_ROUNDING, 0.10, 0.06, 0.020),
}

GRID_HZ = 240  # curves are drawn at least this finely, then read at the frames
OUTSIDE_S = 1.0  # of silence before and after a clip
MARGIN_S = 0.15  # of it is drawn, so that inertia is the same at a clip's borders as within
NEAR = 3  # reaches: beyond so many a phone has no say
SHORT_PAUSE_S = 0.1  # a shorter gap between phones is no rest
SEAL_S = 0.06  # the shortest full seal: longer than a frame at 25 fps, so that a frame shows it
CLOSING_S, PARTING_S = 0.06, 0.08  # from open to sealed, and back
BROW_S, BROW_MAX = 0.11, 0.3
BLINK_CLOSING_S, BLINK_OPENING_S = 0.09, 0.17
BLINK_GAPS_S = (1.8, 4.5)


class _Letter(NamedTuple):
    viseme: Viseme
    start_s: float
    end_s: float
    gain: float  # on the opening channels


def animate(phones: Sequence[Phone], duration_s: float, fps: float, seed: int) -> np.ndarray:
    """Curves for phones in order of time; what lies between them is silence, and silence is the face at rest.

    seed: when the eyes blink; everything else follows from the phones.
    Returns (round(duration_s × fps), 52) float32 in [0, 1], the channels in dataset.blendshapes.ARKIT's order;
    frame i shows the mouth of the time i / fps + LEAD_S, and the eyes and brows of i / fps. Around the clip is silence.
    Raises ValueError for phones out of order or a letter without a viseme.
    """
    frames = round(duration_s * fps)
    steps = int(np.ceil(GRID_HZ / fps))  # grid points a frame
    grid_hz = fps * steps
    margin = steps * int(np.ceil(MARGIN_S * fps))
    times = np.arange(-margin, frames * steps + margin) / grid_hz
    letters = _letters(phones, duration_s)
    curves = _sealed(_coarticulated(letters, times + LEAD_S, grid_hz), letters, times + LEAD_S)
    brows = _brows(phones, times)
    curves |= {"BrowInnerUp": brows, "BrowOuterUp": 0.6 * brows}
    lids = _blinks(times, duration_s, seed)
    curves |= {"EyeBlink": lids, "EyeLookDown": 0.25 * lids, "EyeSquint": 0.1 * lids}
    shown = slice(margin, margin + frames * steps, steps)
    return _both_sides({name: curve[shown] for name, curve in curves.items()}, frames)


def _letters(phones: Sequence[Phone], duration_s: float) -> list[_Letter]:
    """The phones' letters in order, with the face at rest before them, after them and in their longer gaps."""
    letters = [_Letter(_REST, -OUTSIDE_S, 0.0, 1.0)]
    now = 0.0
    for phone in phones:
        if phone.start_s < now - 1e-6 or not phone.start_s <= phone.end_s <= duration_s + 1e-6:
            raise ValueError(f'phone "{phone.symbol}" at {phone.start_s:g} s is out of order')
        if phone.start_s > now + (SHORT_PAUSE_S if now else 0.0):
            letters.append(_Letter(_REST, now, phone.start_s, 1.0))
        visemes = _visemes(phone.symbol)
        bounds = np.linspace(phone.start_s, phone.end_s, len(visemes) + 1).tolist()
        gain = float(np.clip(0.7 + 0.3 * phone.loudness, 0.6, 1.2))
        letters += [_Letter(v, start, end, gain) for v, start, end in zip(visemes, bounds, bounds[1:], strict=False)]
        now = phone.end_s
    return [*letters, _Letter(_REST, now, duration_s + OUTSIDE_S, 1.0)]


def _visemes(symbol: str) -> list[Viseme]:
    plain = unicodedata.normalize("NFD", symbol)
    sounds = [letter for letter in plain if letter in BY_LETTER or unicodedata.category(letter) in ("Ll", "Lo", "Lu")]
    unknown = [letter for letter in sounds if letter not in BY_LETTER]
    if unknown:
        raise ValueError(f'no viseme for "{unknown[0]}" in phone "{symbol}"')
    return [BY_LETTER[letter] for letter in sounds] or [_REST]


def _coarticulated(letters: list[_Letter], times: np.ndarray, grid_hz: float) -> dict[str, np.ndarray]:
    """Curves by channel, each (len(times),): the letters' targets averaged by dominance, then blurred by inertia."""
    from scipy.ndimage import gaussian_filter1d

    curves: dict[str, np.ndarray] = {}
    for part, (channels, before_s, after_s, blur_s) in ARTICULATORS.items():
        total = np.full(len(times), 1e-9)
        sums = np.zeros((len(channels), len(times)))
        for letter in letters:
            near = _near(times, letter.start_s - NEAR * before_s, letter.end_s + NEAR * after_s)
            early = (letter.start_s - times[near]).clip(min=0) / before_s
            late = (times[near] - letter.end_s).clip(min=0) / after_s
            weight = getattr(letter.viseme, part) * np.exp(-(early**2) - late**2)
            total[near] += weight
            sums[:, near] += _targets(letter, channels)[:, None] * weight
        curves |= dict(zip(channels, gaussian_filter1d(sums / total, blur_s * grid_hz, mode="nearest"), strict=True))
    return curves


def _targets(letter: _Letter, channels: tuple[str, ...]) -> np.ndarray:
    """(channels,): the letter's pose as loud as it is spoken."""
    pose = letter.viseme.pose
    return np.array([pose.get(name, 0.0) * (letter.gain if name in _OPENING else 1.0) for name in channels])


def _near(times: np.ndarray, start_s: float, end_s: float) -> slice:
    """The part of the times, which are in order, from start to end."""
    return slice(*np.searchsorted(times, (start_s, end_s)))


def _sealed(curves: dict[str, np.ndarray], letters: list[_Letter], times: np.ndarray) -> dict[str, np.ndarray]:
    """The curves with the lips closed, or tucked, wherever a letter demands it."""
    unsealed: dict[int, np.ndarray] = {}
    seals: dict[int, Mapping[str, float]] = {}
    for letter in letters:
        if letter.viseme.seal:
            key = id(letter.viseme)
            seals[key] = letter.viseme.seal
            near = _near(times, letter.start_s - SEAL_S - CLOSING_S, letter.end_s + SEAL_S + PARTING_S)
            unsealed.setdefault(key, np.ones(len(times)))[near] *= 1 - _gate(times[near], letter.start_s, letter.end_s)
    for key in sorted(unsealed, key=lambda key: seals[key].get("MouthClose", 0.0)):  # a tuck beside it opens no closure
        share = unsealed[key]
        for name in set(_SPOKEN) - set(_JAW) - set(_CORNERS):
            curves[name] = share * curves[name] + (1 - share) * seals[key].get(name, 0.0)
    curves["MouthClose"] = curves["MouthClose"] * curves["JawOpen"]
    return curves


def _gate(times: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """1 from start to end (for SEAL_S at least), 0 beyond the edges, a raised cosine between."""
    widen = max(0.0, SEAL_S - (end_s - start_s)) / 2
    early, late = (start_s - widen - times) / CLOSING_S, (times - end_s - widen) / PARTING_S
    return _raised_cosine(1 - np.maximum(early, late))


def _raised_cosine(x: np.ndarray) -> np.ndarray:
    """0 for x ≤ 0, 1 for x ≥ 1, smooth between."""
    return 0.5 - 0.5 * np.cos(np.pi * x.clip(0, 1))


def _brows(phones: Sequence[Phone], times: np.ndarray) -> np.ndarray:
    """A short raise for each stressed vowel, as high as it is louder than usual."""
    raised = np.zeros(len(times))
    for phone in phones:
        if phone.stressed:
            height = float(np.clip(0.1 + 0.5 * (phone.loudness - 1), 0, BROW_MAX))
            middle = (phone.start_s + phone.end_s) / 2
            near = _near(times, middle - 2 * NEAR * BROW_S, middle + 2 * NEAR * BROW_S)
            away = (times[near] - middle) / BROW_S
            raised[near] = np.maximum(raised[near], height * np.exp(-(away**2) / 2))
    return raised


def _blinks(times: np.ndarray, duration_s: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    lids = np.zeros(len(times))
    closed_s = random.uniform(0.3, BLINK_GAPS_S[1])
    while closed_s < duration_s:
        away = times - closed_s
        edge = np.where(away < 0, -away / BLINK_CLOSING_S, away / BLINK_OPENING_S)
        lids = np.maximum(lids, 0.95 * _raised_cosine(1 - edge))
        closed_s += random.uniform(*BLINK_GAPS_S)
    return lids


def _both_sides(curves: dict[str, np.ndarray], frames: int) -> np.ndarray:
    """Curves by unsided name → (frames, 52) float32, the left and the right alike."""
    zero = np.zeros(frames)
    columns = [curves.get(name, curves.get(name.removesuffix("Left").removesuffix("Right"), zero)) for name in ARKIT]
    return np.stack(columns, axis=1).clip(0, 1).astype(np.float32)
