"""The 52 ARKit blendshapes as fields of the skin; meanings after Apple's ARFaceAnchor.BlendShapeLocation.

Fields are written for both sides at once; `sided` takes the left of one, and the right is its mirror image.
"""

from collections.abc import Callable

import numpy as np

from dataset.blendshapes import ARKIT
from postprocess.face.sculptor.clay import EYE_CENTRE_MM
from postprocess.face.sculptor.muscles import Face, bump, jaw_turned, rotated
from postprocess.face.sculptor.skin import ramp

GAZE_DEGREES = {"Up": (-1, 0, 0, 22.0), "Down": (1, 0, 0, 26.0), "In": (0, -1, 0, 28.0), "Out": (0, 1, 0, 28.0)}
CORNER = (25.0, -61.0, 68.0)
JAW_MOVES = {"JawForward": (0, 0.5, 8), "JawLeft": (9, 0, 0)}
Field = Callable[[Face], np.ndarray]


def pull(face: Face, centre: tuple[float, ...], radii: tuple[float, ...], by: tuple[float, float, float]) -> np.ndarray:
    """(V, 3): a soft pull on both sides, `by` as the left sees it."""
    weight = bump(face.folded, centre, radii) * face.inner
    move = np.outer(weight, by)
    move[:, 0] *= np.sign(face.points[:, 0])
    return move


def corners(face: Face, by: tuple[float, float, float], reach: float = 1.0) -> np.ndarray:
    """(V, 3): the mouth's corners pulled, cheeks following, the middle of the lips staying."""
    near = bump(face.folded, CORNER, (30 * reach, 30 * reach, 46))
    across = np.clip(face.folded[:, 0] / 25, 0, 1)
    weight = near * across**1.8 * face.inner
    move = np.outer(weight, by)
    move[:, 0] = near * across * face.inner * by[0] * np.sign(face.points[:, 0])
    return move


def lip(face: Face, upper: tuple[float, float, float] | None, lower: tuple[float, float, float] | None) -> np.ndarray:
    """(V, 3): the lips moved along their whole length but the corners."""
    on_upper, on_lower, rise = face.lip
    move = np.zeros_like(face.points)
    for weight, by in ((on_upper, upper), (on_lower, lower)):
        if by:
            move += np.outer(weight * rise**0.8, by)
    return move


def opened(face: Face) -> np.ndarray:
    """(V, 3): the jaw opens: chin and lower lip turn about its joint, the lips part from corner to corner."""
    move = jaw_turned(face.points, face.jaw_weight(0.40, 0.0, 1.0))
    return move + corners(face, (-3.2, 0, 0)) + pull(face, (46, -58, 40), (26, 32, 40), (-2.0, 0, 0))


def closed(face: Face) -> np.ndarray:
    """(V, 3): the lips closed in spite of an open jaw: added to JawOpen, they meet."""
    together = jaw_turned(face.points, face.jaw_weight(0.30, 0.26, 0.26))
    return together + pull(face, (46, -58, 40), (26, 32, 40), (-2.0, 0, 0)) - opened(face)


def rounded(face: Face, inwards: float, ahead: float, upper_up: float, lower_down: float) -> np.ndarray:
    """(V, 3): the lips' ring drawn together and forwards, by millimetres."""
    points = face.folded
    ring = bump(points, (0, -62, 76), (44, 32, 60)) * face.inner
    out = np.sign(face.points[:, 0]) * points[:, 0]
    move = np.zeros_like(face.points)
    move[:, 0] = -out / 25 * inwards * bump(points, (0, -60, 70), (52, 30, 60)) ** 0.8 * face.inner
    move[:, 2] = ahead * ring * (0.55 + 0.45 * ramp(points[:, 0], 30, 6))
    return move + lip(face, (0, upper_up, 0), (0, -lower_down, 0))


def swollen(face: Face, by_mm: float) -> np.ndarray:
    """(V, 3): the lips fuller from where they meet outwards."""
    on_upper, on_lower, rise = face.lip
    return np.outer((on_upper - on_lower) * face.lip_height * rise**0.7, (0, by_mm, 0))


def rolled(face: Face, upper: float, lower: float) -> np.ndarray:
    """(V, 3): the lips turned inwards over the teeth, by the share of each."""
    on_upper, on_lower, rise = face.lip
    tuck = np.sqrt(rise)
    return np.outer(on_upper * tuck * upper, (0, -2.2, -5.0)) + np.outer(on_lower * tuck * lower, (0, 2.2, -5.5))


def apple(face: Face, amount: float) -> np.ndarray:
    """(V, 3): the cheeks pushed up and out under the eye."""
    return pull(face, (38, -36, 58), (24, 20, 44), (1.2 * amount, 2.6 * amount, 1.8 * amount))


def smile(face: Face) -> np.ndarray:
    """(V, 3): corners up and out, cheeks after them."""
    return corners(face, (8.5, 8.5, -5.0), 1.15) + apple(face, 1.0)


def sided(field: Field, blend_mm: float = 13.0) -> Field:
    """The left of a field, fading out so far past the middle."""
    return lambda face: field(face) * face.left(blend_mm)[:, None]


def lids(upper: float, lower: float, sideways_degrees: float = 0.0) -> Field:
    return lambda face: face.lids(upper, lower, sideways_degrees)


def sideways(face: Face, by: float) -> np.ndarray:
    """(V, 3): both lips and what is around them to the left."""
    weight = bump(face.points, (0, -62, 72), (50, 34, 64)) ** 0.8 * face.inner
    return np.outer(weight, (by, 0, 0)) + np.outer(weight, (0, 0, -0.05 * by)) * np.sign(face.points[:, :1])


def squint(face: Face) -> np.ndarray:
    """(V, 3): the lids narrowed from below, the skin under them raised."""
    return face.lids(0.22, 1.6) + pull(face, (35, -22, 66), (22, 12, 40), (0, 1.5, 0.8))


def frown(face: Face) -> np.ndarray:
    """(V, 3): corners down, chin after them."""
    return corners(face, (1.0, -8.0, -1.5)) + pull(face, (20, -80, 68), (18, 16, 40), (0, -1.0, 1.0))


def stretched(face: Face) -> np.ndarray:
    """(V, 3): corners out and a little down, lips thinner."""
    return corners(face, (9.0, -3.0, -4.5), 1.25) + lip(face, (0, 0.5, -0.6), (0, -1.6, -0.6))


def lower_down(face: Face) -> np.ndarray:
    """(V, 3): the lower lip down, its teeth bared."""
    return lip(face, None, (1.0, -8.5, -0.5)) + pull(face, (12, -84, 70), (24, 18, 40), (0, -1.5, 0))


def upper_up(face: Face) -> np.ndarray:
    """(V, 3): the upper lip up, the fold beside the nose after it."""
    return lip(face, (0, 7.0, -0.4), None) + pull(face, (20, -42, 74), (22, 20, 40), (0, 2.4, 1.2))


def sneer(face: Face) -> np.ndarray:
    """(V, 3): the nostrils' wings up, the upper lip's sides after them."""
    wing = pull(face, (11, -31, 88), (12, 20, 22), (0.8, 5.5, 1.0))
    return wing + pull(face, (16, -50, 78), (14, 16, 30), (0, 3.0, 0.8))


def shrug_lower(face: Face) -> np.ndarray:
    """(V, 3): the lower lip up and out, pushed by the chin."""
    return lip(face, (0, 2.4, 0.6), (0, 3.4, 2.2)) + pull(face, (0, -86, 74), (26, 18, 40), (0, 3.6, 1.2))


def puffed(face: Face) -> np.ndarray:
    """(V, 3): the cheeks blown out, lips shut."""
    return pull(face, (44, -56, 46), (30, 30, 46), (8.5, 0, 4.0)) + lip(face, (0, 0, 1.0), (0, 0, 1.0))


# What each does in ARKit's words; millimetres to the left, up and forwards.
LEFT: dict[str, Field] = {
    "EyeBlinkLeft": lids(1.0, 1.0),  # closure of the lids over the eye
    "EyeLookDownLeft": lids(0.42, -0.35),  # lids as they go with a glance down …
    "EyeLookInLeft": lids(0, 0, -4.0),  # … towards the nose
    "EyeLookOutLeft": lids(0, 0, 4.0),  # … away from it
    "EyeLookUpLeft": lids(-0.16, 0.35),  # … up
    "EyeSquintLeft": sided(squint, 2),  # contraction of the face around the eye
    "EyeWideLeft": lids(-0.26, -0.35),  # widening of the lids
    "JawLeft": lambda face: face.jaw_moved(JAW_MOVES["JawLeft"]),  # leftward movement of the lower jaw
    "MouthLeft": lambda face: sideways(face, 10),  # leftward movement of both lips together
    "MouthSmileLeft": sided(smile),  # upward movement of the mouth's corner
    "MouthFrownLeft": sided(frown),  # downward movement of the corner
    "MouthDimpleLeft": sided(lambda face: corners(face, (5.0, 1.2, -6.0), 0.85)),  # backward movement of the corner
    "MouthStretchLeft": sided(stretched),  # leftward movement of the corner
    "MouthPressLeft": sided(lambda face: corners(face, (1.5, 0.5, -1.5)) + rolled(face, 0.30, 0.35)),  # lip on lip
    "MouthLowerDownLeft": sided(lower_down),  # downward movement of the lower lip
    "MouthUpperUpLeft": sided(upper_up),  # upward movement of the upper lip
    "BrowDownLeft": sided(lambda face: pull(face, (26, 28, 76), (34, 19, 50), (-2.2, -6.0, 0.8)), 3),  # outer brow down
    "BrowOuterUpLeft": sided(lambda face: pull(face, (45, 24, 62), (26, 26, 50), (0.8, 7.0, -1.5)), 3),  # and up
    "CheekSquintLeft": sided(lambda face: apple(face, 1.5) + face.lids(0, 0.9), 3),  # cheek up, around the eye
    "NoseSneerLeft": sided(sneer, 4),  # raising of the nose's side around the nostril
}  # fmt: skip
MIDDLE: dict[str, Field] = {
    "JawForward": lambda face: face.jaw_moved(JAW_MOVES["JawForward"]),  # forward movement of the lower jaw
    "JawOpen": opened,  # opening of the lower jaw
    "MouthClose": closed,  # closure of the lips independent of the jaw
    "MouthFunnel": lambda face: rounded(face, 13.5, 8.5, 4.5, 6.5),  # both lips into an open shape
    "MouthPucker": lambda face: rounded(face, 13.0, 8.5, 0, 0) + swollen(face, 2.0),  # closed lips drawn together
    "MouthRollLower": lambda face: rolled(face, 0, 1),  # lower lip towards the inside of the mouth
    "MouthRollUpper": lambda face: rolled(face, 1, 0),  # upper lip towards the inside
    "MouthShrugLower": shrug_lower,  # outward movement of the lower lip
    "MouthShrugUpper": lambda face: lip(face, (0, 3.0, 2.6), (0, 2.8, 0.6)),  # outward movement of the upper lip
    "BrowInnerUp": lambda face: pull(face, (13, 24, 80), (24, 26, 50), (0.4, 7.0, 0)),  # inner part of both brows up
    "CheekPuff": puffed,  # outward movement of both cheeks
}  # fmt: skip


def skin_fields(face: Face) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3) millimetres, for all that move the skin."""
    mirror = face.skin.mirror
    fields = {name: field(face) for name, field in {**LEFT, **MIDDLE}.items()}
    for name in LEFT:
        fields[name.replace("Left", "Right")] = fields[name][mirror] * (-1, 1, 1)
    for name in MIDDLE:
        fields[name] = (fields[name] + fields[name][mirror] * (-1, 1, 1)) / 2
    return {name: fields[name] for name in ARKIT if name in fields}


def jaw_fields(points: np.ndarray) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3) millimetres, for what is fixed to the jaw: lower teeth, tongue."""
    whole = np.ones(len(points))
    fields = {name: np.outer(whole, by) for name, by in JAW_MOVES.items()}
    return {**fields, "JawRight": -fields["JawLeft"], "JawOpen": jaw_turned(points, whole)}


def gaze_fields(points: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """An eyeball (V, 3) turned about its centre."""
    sign = 1 if side == "Left" else -1
    centre = EYE_CENTRE_MM * (sign, 1, 1)
    fields = {}
    for way, (x, y, z, degrees) in GAZE_DEGREES.items():
        arm = points - centre
        fields[f"EyeLook{way}{side}"] = rotated(arm, np.array([x, sign * y, z]), np.radians(degrees)) - arm
    return fields


def tongue_out(points: np.ndarray) -> np.ndarray:
    """(V, 3): the tongue rises, slides out between the lips and bends down over the lower one."""
    share = ramp(points[:, 2], points[:, 2].min() + 5, points[:, 2].max())
    rise = 9.5 * np.sin(0.8 * np.pi * share) - 8.0 * share**6
    return np.stack([-0.15 * points[:, 0] * share, rise, 44 * share], 1)
