"""Render curves on any head in Blender (3.4 or later), with their sound; or keep the keyframes for an animator.

Blender's own Python runs it: blender --background --python scripts/blender_render.py -- --csv a.csv --out a.mp4
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.face.heads import DEFAULT_HEAD
from postprocess.film import blender

EXAMPLES = """
blender --background --python scripts/blender_render.py -- --csv a.csv --wav a.wav --out a.mp4
blender --background --python scripts/blender_render.py -- --head head.fbx --csv a.csv --wav a.wav --fps 25 --out a.mp4
blender --background --python scripts/blender_render.py -- --head avatar.vrm --csv a.csv --wav a.wav --save a.blend
"""


def main() -> None:
    """Import the head, set its keys, light it, then render or save."""
    given = arguments().parse_args(own_arguments(sys.argv))
    if given.out is None and given.save is None:
        raise UserError("nothing to write; give --out a.mp4, --save a.blend or both")
    keep_apart([given.csv, given.head, given.wav], [("--out", given.out), ("--save", given.save)])
    recorded = read_recording(given.csv).with_rate(given.fps)
    fps = given.out_fps or recorded.fps or given.fps
    recording = recorded.at_rate(fps)
    for file in (given.head, given.wav):
        if file is not None and not file.is_file():
            raise UserError(f"{file}: no such file")
    if blender.bpy is None:
        raise UserError("this runs in Blender: blender --background --python scripts/blender_render.py -- …")
    quality = blender.Quality(given.engine, given.samples, given.size)
    moved, meshes = blender.set_scene(given.head, recording, fps, given.wav, quality)
    if given.save is not None:
        blender.save(given.save)
    if given.out is not None:
        blender.render(given.out, with_sound=given.wav is not None)
    written = " and ".join(str(path) for path in (given.save, given.out) if path is not None)
    silent = [name for name in recording.names if name not in moved]
    missing = f"; not on this head: {', '.join(silent)}" if silent else ""
    on = f"{len(moved)} channels on {meshes} {'mesh' if meshes == 1 else 'meshes'}"
    print(f"wrote {written}: {recording.frames} frames at {fps:g} fps, {on}{missing}")


def arguments() -> argparse.ArgumentParser:
    """What a person may say after Blender's own `--`."""
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--csv", type=Path, required=True, metavar="PATH", help="curves, of any layout")
    add("--head", type=Path, default=DEFAULT_HEAD, metavar="PATH", help="fbx, glb, gltf, vrm or blend")
    add("--wav", type=Path, metavar="PATH", help="sound for the video and the timeline")
    add("--out", type=Path, metavar="MP4", help="the movie to render (H.264, AAC)")
    add("--save", type=Path, metavar="BLEND", help="the file to keep, shape keys keyframed and ready to edit")
    add("--fps", type=frames_per_second, default=USUAL_FPS, help="frames a second of curves that tell no times")
    add("--out_fps", type=frames_per_second, help="frames a second of the timeline (default: those of the curves)")
    add("--size", type=even_number, default=720, help="pixels across and down, an even number")
    engines = "workbench is fastest; eevee wants a graphics card"
    add("--engine", choices=blender.ENGINES, default="cycles", help=engines)
    add("--samples", type=int, default=24, help="light paths a pixel; more is smoother and slower")
    return options


def own_arguments(argv: list[str]) -> list[str]:
    """What comes after Blender's `--`, or after the program where another Python runs this."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


def frames_per_second(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < 1000:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def even_number(text: str) -> int:
    """H.264 halves the colours' resolution."""
    value = int(text)
    if value < 2 or value % 2:
        raise argparse.ArgumentTypeError(f"{text} is not an even number of pixels")
    return value


if __name__ == "__main__":
    run(main)
