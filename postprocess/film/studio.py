"""The camera and the lights that heads are shown with, of the three that draw them: our rasteriser, Blender, and the
viewer's page, to which they go as data. Colours of light are linear.
"""

from typing import NamedTuple

import numpy as np

from dataset.blendshapes import BROW
from postprocess.face.mesh import Mesh
from postprocess.face.turning import NECK_HEIGHT

FIELD_OF_VIEW_DEG = 18.0  # of a portrait lens: faces look like themselves from two metres away
MARGIN = 1.08  # the picture's height over the head's
BACKDROP_TOP, BACKDROP_BOTTOM = (0.30, 0.34, 0.40), (0.10, 0.115, 0.14)

Triple = tuple[float, float, float]


class Light(NamedTuple):
    """A light so far away that its rays are parallel."""

    direction: Triple  # towards it: to the picture's right, up, to the viewer; of any length
    colour: Triple  # and strength


class Surroundings(NamedTuple):
    """The light that comes from everywhere."""

    above: Triple
    below: Triple


# The rasteriser's. The first throws shadows: the key, at the picture's left; then the fill, and two rims from behind.
LIGHTS = (
    Light((-0.55, 0.60, 0.65), (1.10, 1.02, 0.92)),
    Light((0.85, 0.05, 0.55), (0.16, 0.19, 0.24)),
    Light((0.65, 0.45, -0.65), (0.75, 0.85, 1.05)),
    Light((-0.80, 0.30, -0.60), (0.40, 0.38, 0.36)),
)
AMBIENT = Surroundings(above=(0.22, 0.24, 0.28), below=(0.12, 0.10, 0.09))

# The viewer's, which go with the camera, so that a head is well lit from wherever one looks. The key throws shadows;
# the rim shows on the outline alone. Strengths are for the page's own tone curve.
VIEWER_FIELD_OF_VIEW_DEG = 22.0
VIEWER_LIGHTS = {
    "key": Light((-0.42, 0.55, 0.9), (2.25, 2.1375, 1.98)),
    "fill": Light((0.85, -0.05, 0.55), (0.341, 0.407, 0.55)),
    "rim": Light((0.55, 0.55, -0.75), (1.275, 1.38, 1.5)),
}
VIEWER_AMBIENT = Surroundings(above=(0.42, 0.45, 0.50), below=(0.20, 0.17, 0.16))


class Lamp(NamedTuple):
    """An area light of Blender's."""

    place: Triple  # from the picture's middle, as the head sees it: left, up, ahead, in heights of the picture
    size: float  # of its side, likewise
    power_w: float  # for a picture 1 m high


LAMPS = {
    "key": Lamp((1.0, 0.8, 1.6), 1.0, 85.0),
    "fill": Lamp((-1.6, 0.2, 1.2), 1.4, 30.0),
    "rim": Lamp((-0.8, 0.9, -1.6), 0.8, 50.0),
}


class Frame(NamedTuple):
    """What a camera shows: the middle (3,) and height of a square, and the direction (3,) in which the face looks."""

    middle: np.ndarray
    height: float
    front: np.ndarray

    @property
    def axes(self) -> np.ndarray:
        """(3, 3): a row each for the face's own left, up (z) and ahead."""
        up = np.array([0.0, 0.0, 1.0])
        return np.stack([np.cross(up, self.front), up, self.front])

    @property
    def neck(self) -> np.ndarray:
        """(3,): where the head turns."""
        return self.middle - (0.5 - NECK_HEIGHT) * self.height / MARGIN * self.axes[1]


BODY = 3.0  # times as tall as a face is across: no head is
NO_FACE = 30.0  # … as this is: what moves is no face, but a part of one
ABOVE, BELOW, BESIDE = 0.6, 0.4, 0.2  # of what a face is across, what is shown around it: the whole head, of most
ABOVE_A_MOUTH = 1.2


def box_around(whole: np.ndarray, moving: np.ndarray, brows: bool, up: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest corner (3,) of what is to be shown: a head, or of a body what is around its face.

    whole: (V, 3) all vertices. moving: (M, 3) those that blendshapes move, from the brows to the neck; without brows a
    mouth, which is half as much across. up: the axis that is.
    """
    low, high = whole.min(0), whole.max(0)
    if not len(moving):
        return low, high
    face_low, face_high = moving.min(0), moving.max(0)
    across = float((face_high - face_low).max()) * (1 if brows else 2)
    tall = float(high[up] - low[up])
    if not BODY * across < tall < NO_FACE * across:
        return low, high
    below, above = np.full(3, BESIDE), np.full(3, BESIDE)
    below[up], above[up] = BELOW, ABOVE if brows else ABOVE_A_MOUTH
    return np.maximum(low, face_low - below * across), np.minimum(high, face_high + above * across)


def framed(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """What is to be shown of a head: the same, y up."""
    return box_around(mesh.vertices, mesh.moving(), any(name in BROW for name in mesh.channels), up=1)


def frame_around(whole: np.ndarray, moving: np.ndarray, forward: np.ndarray, brows: bool = True) -> Frame:
    """The frame of a head, or of a body's face; lengths in one unit, z up.

    whole, moving, brows: as in box_around. forward: (3,), where a jaw that goes forward goes.
    """
    low, high = box_around(whole, moving, brows, up=2)
    front = np.array([forward[0], forward[1], 0.0])
    length = np.linalg.norm(front)
    front = front / length if length > 0 else np.array([0.0, -1.0, 0.0])  # where glTF's +z is in Blender
    return Frame((low + high) / 2, MARGIN * float((high - low).max()), front)
