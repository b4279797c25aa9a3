"""What a living face is computed with, for a program in another language: postprocess/viewer/life/ is one."""

from types import ModuleType
from typing import Any

from postprocess import flow
from postprocess.life import blinks, brows, enlivener, gaze, head, mood, movement, prosody, seeded

MODULES = (blinks, brows, enlivener, flow, gaze, head, mood, movement, prosody, seeded)


def life_constants() -> dict[str, dict[str, Any]]:
    """A module's last name → the constants that it knows by name, its own and others', JSON-able."""
    return {module.__name__.rpartition(".")[2]: constants_of(module) for module in MODULES}


def constants_of(module: ModuleType) -> dict[str, Any]:
    """The constants that a module knows by name, JSON-able where they are numbers, text and collections of these."""
    known = {name: value for name, value in vars(module).items() if name.isupper() and not name.startswith("_")}
    return {name: value for name, value in known.items() if not isinstance(value, type)}
