"""ARKit curves by the names that VRM models give their expressions and MikuMikuDance models their morphs.

JawOpen  ARKit's 52 so spelt: VRM models made for "perfect sync" have an expression for each; one to one
jawOpen  the same, spelt as Apple does; one to one
vowels   what every model has: five vowels, blinks and little more; most of the motion is lost

The five vowels come from the mouth alone: of each frame's opening, spreading and rounding, the mixture of the five
poses (dataset/visemes.py) that is nearest in the least squares, together at most 1. Lips that MouthClose holds shut
over an open jaw are shut. In `vowels`, MikuMikuDance's blink is what both lids share, its plain winks (the left one
ウィンク２, the right one ｳｨﾝｸ２右) are the rest.
"""

from collections.abc import Sequence

import numpy as np

from dataset.blendshapes import ARKIT, indices
from dataset.visemes import BY_LETTER
from postprocess.face.names import camel_case

NAMES = ("JawOpen", "jawOpen", "vowels")

# Letter of dataset.visemes → the expression of VRM, the morph of MikuMikuDance.
_VOWELS = {"a": ("aa", "あ"), "i": ("ih", "い"), "u": ("ou", "う"), "e": ("ee", "え"), "o": ("oh", "お")}
_TELLING = ("JawOpen", "MouthFunnel", "MouthPucker", "MouthStretch", "MouthLowerDown", "MouthUpperUp")
_MMD_BROWS_AND_CORNERS = {
    "口角上げ": "MouthSmile", "口角下げ": "MouthFrown", "上": "BrowOuterUp", "下": "BrowDown", "困る": "BrowInnerUp",
    "びっくり": "EyeWide",
}  # fmt: skip


def vrm_expressions(curves: np.ndarray, names: str) -> dict[str, np.ndarray]:
    """curves: (frames, 52), names: of NAMES → expression → its weights (frames,)."""
    if names != "vowels":
        return _one_to_one(curves, names)
    blinks = {side: _channel(curves, f"EyeBlink{side}") for side in ("Left", "Right")}
    return _vowels(curves, [vrm for vrm, _ in _VOWELS.values()]) | {f"blink{side}": lid for side, lid in blinks.items()}


def mmd_morphs(curves: np.ndarray, names: str) -> dict[str, np.ndarray]:
    """curves: (frames, 52), names: of NAMES → morph → its weights (frames,)."""
    if names != "vowels":
        return _one_to_one(curves, names)
    left, right = _channel(curves, "EyeBlinkLeft"), _channel(curves, "EyeBlinkRight")
    both = np.minimum(left, right)
    lids = {"まばたき": both, "ウィンク２": left - both, "ｳｨﾝｸ２右": right - both}
    others = {morph: _channel(curves, name) for morph, name in _MMD_BROWS_AND_CORNERS.items()}
    return _vowels(curves, [mmd for _, mmd in _VOWELS.values()]) | lids | others


def _one_to_one(curves: np.ndarray, names: str) -> dict[str, np.ndarray]:
    spelt = ARKIT if names == "JawOpen" else map(camel_case, ARKIT)
    return dict(zip(spelt, curves.T, strict=True))


def _vowels(curves: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """curves: (frames, 52), names: what a model calls _VOWELS → name → its weights (frames,)."""
    from scipy.optimize import nnls

    poses = [BY_LETTER[vowel].pose for vowel in _VOWELS]
    mixed = np.array([[pose.get(name, 0.0) for pose in poses] for name in _TELLING])
    seen = np.column_stack([_channel(curves, name) for name in _TELLING])
    seen[:, 0] -= _channel(curves, "MouthClose")
    weights = np.array([nnls(mixed, frame)[0] for frame in seen.clip(0, 1)])
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1)
    return dict(zip(names, weights.T, strict=True))


def _channel(curves: np.ndarray, name: str) -> np.ndarray:
    """(frames,), of a name without its side the mean of both."""
    sides = tuple(side for side in (name, f"{name}Left", f"{name}Right") if side in ARKIT)
    return curves[:, indices(ARKIT, sides)].mean(axis=1)
