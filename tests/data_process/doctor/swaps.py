"""Left and right in each other's place: the defect that the doctor is to find."""

from collections.abc import Sequence

import numpy as np

from data_process.doctor.side_checks import LEFT
from dataset.blendshapes import ARKIT, indices

SIDEWAYS = ("JawLeft", "MouthLeft")  # the pairs that Live Link Face writes right before left


def swap_sides(curves: np.ndarray, pairs: Sequence[str] = LEFT) -> np.ndarray:
    """The curves with the left channels named in `pairs` and their right ones in each other's place."""
    swapped = curves.copy()
    rights = [f"{name.removesuffix('Left')}Right" for name in pairs]
    swapped[:, indices(ARKIT, (*pairs, *rights))] = curves[:, indices(ARKIT, (*rights, *pairs))]
    return swapped
