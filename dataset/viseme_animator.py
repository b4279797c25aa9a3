"""A rule-based viseme animator: phones with times in, ARKit curves out. Procedural motion, nothing captured.

Where the rules come from:
- lip and jaw targets of the phones: dataset/visemes.py;
- coarticulation: dominance functions (Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech"): a
  frame's pose is the mean of the phones' targets, weighted by how strongly and how near each phone is;
- the lips press on each other in a closure (Löfqvist & Gracco 1997, "Lip and jaw kinematics in bilabial stop
  consonant production", J. Speech Lang. Hear. Res. 40), and the jaw, which is heavier, follows more slowly;
- blinks: every few seconds, closing faster than opening.
The numbers are set by eye within those rules.
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


_REST = Viseme(0.7, 0.7, {})
_SPOKEN = tuple(sorted({name for viseme in VISEMES.values() for name in (*viseme.pose, *viseme.seal)}))
_JAW = ("JawOpen", "JawForward")
_CORNERS = ("MouthPucker", "MouthSmile", "MouthStretch", "MouthDimple", "CheekSquint")  # a seal leaves them alone
_OPENING = ("JawOpen", "MouthLowerDown", "MouthUpperUp")  # these grow with loudness

GRID_HZ = 240  # curves are drawn at least this finely, then read at the frames
REACH_S = 0.045  # how far a phone's dominance reaches beyond it
JAW_BLUR_S, LIPS_BLUR_S = 0.028, 0.020  # the inertia of each, as the standard deviation of a Gaussian
SEAL_S = 0.06  # the shortest full seal: longer than a frame at 25 fps, so that a frame shows it
SEAL_EDGE_S = 0.06  # from open to sealed and back
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
    frame i shows the time i / fps. Raises ValueError for phones out of order or a letter without a viseme.
    """
    frames = round(duration_s * fps)
    steps = int(np.ceil(GRID_HZ / fps))  # grid points a frame
    grid_hz = fps * steps
    times = np.arange(frames * steps) / grid_hz
    letters = _letters(phones, duration_s)
    curves = _sealed(_coarticulated(letters, times, grid_hz), letters, times)
    brows = _brows(phones, times)
    curves |= {"BrowInnerUp": brows, "BrowOuterUp": 0.6 * brows}
    lids = _blinks(times, duration_s, seed)
    curves |= {"EyeBlink": lids, "EyeLookDown": 0.25 * lids, "EyeSquint": 0.1 * lids}
    return _both_sides({name: curve[::steps] for name, curve in curves.items()}, frames)


def _letters(phones: Sequence[Phone], duration_s: float) -> list[_Letter]:
    """The phones' letters, and silence in the gaps, before the first and after the last."""
    letters: list[_Letter] = []
    now = 0.0
    for phone in (*phones, Phone("", duration_s, duration_s)):
        if phone.start_s < now - 1e-6 or phone.end_s < phone.start_s:
            raise ValueError(f'phone "{phone.symbol}" at {phone.start_s:g} s is out of order')
        if phone.start_s > now:
            letters.append(_Letter(_REST, now, phone.start_s, 1.0))
        visemes = _visemes(phone.symbol)
        bounds = np.linspace(phone.start_s, phone.end_s, len(visemes) + 1).tolist()
        gain = float(np.clip(0.7 + 0.3 * phone.loudness, 0.6, 1.2))
        letters += [_Letter(v, start, end, gain) for v, start, end in zip(visemes, bounds, bounds[1:], strict=False)]
        now = phone.end_s
    return letters


def _visemes(symbol: str) -> list[Viseme]:
    sounds = [letter for letter in symbol if letter in BY_LETTER or unicodedata.category(letter) in ("Ll", "Lo", "Lu")]
    unknown = [letter for letter in sounds if letter not in BY_LETTER]
    if unknown:
        raise ValueError(f'no viseme for "{unknown[0]}" in phone "{symbol}"')
    return [BY_LETTER[letter] for letter in sounds] or [_REST]


def _coarticulated(letters: list[_Letter], times: np.ndarray, grid_hz: float) -> dict[str, np.ndarray]:
    """Curves by channel, each (len(times),): the letters' targets averaged by dominance, then blurred by inertia."""
    from scipy.ndimage import gaussian_filter1d

    starts, ends, gains = (np.array([letter[i] for letter in letters]) for i in (1, 2, 3))
    outside = np.maximum(starts - times[:, None], times[:, None] - ends).clip(min=0)
    nearness = np.exp(-((outside / REACH_S) ** 2))  # (times, letters)
    curves = {}
    for name in _SPOKEN:
        hold = np.array([letter.viseme.jaw if name in _JAW else letter.viseme.lips for letter in letters])
        target = np.array([letter.viseme.pose.get(name, 0.0) for letter in letters])
        weight = nearness * hold
        curve = weight @ (target * (gains if name in _OPENING else 1.0)) / weight.sum(axis=1)
        blur_s = JAW_BLUR_S if name in _JAW else LIPS_BLUR_S
        curves[name] = gaussian_filter1d(curve, blur_s * grid_hz, mode="nearest")
    return curves


def _sealed(curves: dict[str, np.ndarray], letters: list[_Letter], times: np.ndarray) -> dict[str, np.ndarray]:
    """The curves with the lips closed, or tucked, wherever a letter demands it."""
    unsealed: dict[int, np.ndarray] = {}
    seals: dict[int, Mapping[str, float]] = {}
    for letter in letters:
        if letter.viseme.seal:
            key = id(letter.viseme)
            seals[key] = letter.viseme.seal
            unsealed[key] = unsealed.get(key, 1.0) * (1 - _gate(times, letter.start_s, letter.end_s))
    for key in sorted(unsealed, key=lambda key: seals[key].get("MouthClose", 0.0)):  # a tuck beside it opens no closure
        share = unsealed[key]
        for name in set(_SPOKEN) - set(_JAW) - set(_CORNERS):
            curves[name] = share * curves[name] + (1 - share) * seals[key].get(name, 0.0)
    curves["MouthClose"] = curves["MouthClose"] * curves["JawOpen"]
    return curves


def _gate(times: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """1 from start to end (for SEAL_S at least), 0 beyond the edges, a raised cosine between."""
    widen = max(0.0, SEAL_S - (end_s - start_s)) / 2
    outside = np.maximum(start_s - widen - times, times - end_s - widen)
    return _raised_cosine(1 - outside / SEAL_EDGE_S)


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
            raised = np.maximum(raised, height * np.exp(-(((times - middle) / BROW_S) ** 2) / 2))
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
