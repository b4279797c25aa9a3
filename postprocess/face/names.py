"""How tools spell the blendshapes of a head: ARKit's camelCase, a rig's prefix, some shapes in two halves."""

from collections.abc import Sequence
from pathlib import Path

from config.errors import UserError
from dataset.blendshapes import canonical, without_prefix

# Rigs that are posed side by side (ICT-FaceKit, FaceIt) split these, which ARKit moves as one.
_WHOLES = ("BrowInnerUp", "CheekPuff")
_HALVES = {f"{whole}{side}".lower(): whole for whole in _WHOLES for side in ("Left", "Right", "L", "R")}


def camel_case(name: str) -> str:
    """JawOpen → jawOpen, ARKit's own spelling."""
    return name[0].lower() + name[1:]


def arkit_places(shapes: Sequence[str]) -> dict[str, list[int]]:
    """ARKit name → where among a mesh's shapes it stands: one place, or those of its halves, to be added."""
    wholes: dict[str, list[int]] = {}
    halves: dict[str, list[int]] = {}
    for place, shape in enumerate(shapes):
        name, half = canonical(shape), _half_of(shape)
        if name is not None:
            wholes.setdefault(name, [place])
        elif half is not None:
            halves.setdefault(half, []).append(place)
    return halves | wholes


def _half_of(shape: str) -> str | None:
    return _HALVES.get(without_prefix(shape).replace("_", "").lower())


def no_arkit_shape(path: Path, shapes: Sequence[str]) -> UserError:
    """What to raise for a head that cannot be moved, naming the shapes that it has instead."""
    more = f" and {len(shapes) - 5} more" if len(shapes) > 5 else ""
    found = ", ".join(shapes[:5]) + more if shapes else "none at all"
    return UserError(f"{path}: none of its shapes is an ARKit blendshape; it has {found}")
