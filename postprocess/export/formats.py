"""Every format that curves leave in: who reads it, what writes it, and what it has a place for."""

from collections.abc import Callable
from dataclasses import dataclass

from dataset.recordings.layout_writers import write_alphabetical, write_arkit, write_json, write_livelink
from postprocess.export import vmd
from postprocess.export.glb import channels_without_a_shape, write_glb
from postprocess.export.unity import write_unity
from postprocess.export.vmd import write_vmd
from postprocess.export.vrma import write_vrma


@dataclass(frozen=True)
class Format:
    """A format, and how it is written."""

    suffix: str
    write: Callable[..., None]  # (path, recording, option=…)
    reader: str  # who opens it, in words
    options: tuple[str, ...] = ()  # what `write` can be told besides
    angles: bool | str = False  # has a place for the head's angles; or the option that gives it one
    times: bool = True  # … for frames at uneven times
    fps: float | None = None  # the only rate that it can have
    lacking: Callable[..., tuple[str, ...]] | None = None  # (option=…) → the channels that it has no place for


FORMATS: dict[str, Format] = {
    "arkit": Format(".csv", write_arkit, "this project: the 52 columns in the contest's order", times=False),
    "alphabetical": Format(".csv", write_alphabetical, "the same, columns by alphabet", times=False),
    "livelink": Format(".csv", write_livelink, "Unreal, MotionBuilder, Faceit: as Live Link Face records", angles=True),
    "json": Format(".json", write_json, "scripts of your own: names, frames, fps, angles", angles=True),
    "glb": Format(
        ".glb",
        write_glb,
        "browsers, Blender, Godot: a head that moves",
        ("head",),
        angles=True,
        lacking=channels_without_a_shape,
    ),
    "unity": Format(".anim", write_unity, "Unity: an animation clip of blend shapes", ("path", "bone"), angles="bone"),
    "vrma": Format(".vrma", write_vrma, "VRM models: an animation of expressions", ("names",), angles=True),
    "vmd": Format(".vmd", write_vmd, "MikuMikuDance: morph keys", ("names",), angles=True, times=False, fps=vmd.FPS),
}
