"""Vertex colours of the skin, linear: warm where blood is near, darker where less light comes in."""

import numpy as np

from postprocess.face.mesh import normals
from postprocess.face.sculptor.clay import head_distance
from postprocess.face.sculptor.parts import SKIN, mixed
from postprocess.face.sculptor.skin import CAVITY_RINGS, CREASE, FIRST_LIP, LIP_RINGS, Skin, ramp

BLUSH = np.array([0.66, 0.26, 0.19])
LIP = np.array([0.50, 0.155, 0.135])
MOUTH_INSIDE = np.array([0.46, 0.115, 0.10])


def open_sky(skin: Skin) -> np.ndarray:
    """(V,): 1 where the clay leaves the sky free, less in hollows (Quilez's five-tap ambient occlusion)."""
    normal = normals(skin.vertices, skin.triangles).astype(float)
    hidden = np.zeros(len(skin.vertices))
    for reach_mm, weight in ((2.0, 0.30), (5.0, 0.25), (10.0, 0.2), (18.0, 0.14), (30.0, 0.1)):
        free = head_distance(skin.vertices + reach_mm * normal)
        hidden += weight * np.clip(1 - free / reach_mm, 0, 1)
    return np.clip(1 - hidden, 0.25, 1)


def blob(skin: Skin, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    """(V,): a soft spot on both sides, 1 in its centre."""
    points = skin.vertices * 1.0
    points[:, 0] = np.abs(points[:, 0])
    return np.exp(-((((points - centre) / radii) ** 2).sum(1)))


def paint(skin: Skin) -> np.ndarray:
    """(V, 3): the skin's colours, linear, 0 to 1."""
    colours = np.tile(SKIN, (len(skin.vertices), 1))
    for centre, radii, strength in (
        ((38, -32, 62), (17, 13, 30), 0.45),
        ((0, -32, 102), (11, 9, 14), 0.40),
        ((0, -96, 76), (14, 9, 20), 0.18),
        ((34, -14, 70), (17, 6, 20), 0.20),
        ((34, 14, 76), (16, 5, 20), 0.22),
    ):
        colours = mixed(strength * blob(skin, centre, radii), colours, BLUSH)
    sky = open_sky(skin)
    sky[skin.both(skin.neck[2:])] = 1  # its lower edge is no part of the clay
    colours *= (0.45 + 0.55 * sky)[:, None] ** np.array([0.55, 1.0, 1.15])
    _paint_mouth(skin, colours)
    _paint_lids(skin, colours)
    return np.clip(colours, 0, 1)


def _paint_mouth(skin: Skin, colours: np.ndarray) -> None:
    columns = skin.mouth.shape[1]
    rise = np.abs(np.cos(np.linspace(0, np.pi, columns)))
    for ring, indices in enumerate(skin.mouth):
        if ring >= FIRST_LIP:
            s = LIP_RINGS[ring - FIRST_LIP]
            red = ramp(np.array(s), 1.12, 0.85) * (0.35 + 0.65 * rise**0.5)
            crease = 1 - 0.45 * ramp(np.array(s), 0.22, 0.0)
            colour = mixed(red, colours[indices], LIP * crease)
        else:
            depth = CAVITY_RINGS[FIRST_LIP - 1 - ring][0]
            colour = np.tile(mixed(ramp(np.array(depth), 0.5, 4), LIP * 0.5, MOUTH_INSIDE), (columns, 1))
            colour = colour * (1 - 0.80 * ramp(np.array(depth), 8, 56))
        for side in (indices, skin.mirror[indices]):
            colours[side] = colour


def _paint_lids(skin: Skin, colours: np.ndarray) -> None:
    columns = skin.eye.shape[1]
    up = np.sin(2 * np.pi * np.arange(columns) / columns)
    for ring, (upper, lower) in enumerate(((0.12, 0.5), (0.14, 0.62), (0.35, 0.85), (0.8, 0.96))):
        shade = np.where(up > 0, upper, lower)[:, None]
        tint = shade ** np.array([0.8, 1.05, 1.05])
        for side in (skin.eye[ring], skin.mirror[skin.eye[ring]]):
            colours[side] *= tint
    for side in (skin.eye[CREASE], skin.mirror[skin.eye[CREASE]]):
        colours[side] *= (1 - 0.22 * np.clip(up, 0, 1))[:, None]
