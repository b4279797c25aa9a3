"""Render a csv on any head in Blender (3.4 or later), with its sound; or keep the keyframes for an animator.

Blender's own Python runs it: blender --background --python scripts/blender_render.py -- --csv a.csv --out a.mp4
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, parser, run
from config.files import written_whole
from dataset.blendshapes import CurveTable, read_csv
from postprocess.face.heads import DEFAULT_HEAD
from postprocess.face.names import arkit_places, no_arkit_shape

if TYPE_CHECKING:
    import bpy

EXAMPLES = """
blender --background --python scripts/blender_render.py -- --csv a.csv --wav a.wav --out a.mp4
blender --background --python scripts/blender_render.py -- --head head.fbx --csv a.csv --wav a.wav --fps 25 --out a.mp4
blender --background --python scripts/blender_render.py -- --head avatar.vrm --csv a.csv --wav a.wav --save a.blend
"""
FIRST_FRAME = 1  # where Blender's timeline begins
ENGINES = {"cycles": ("CYCLES",), "eevee": ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"), "workbench": ("BLENDER_WORKBENCH",)}
FIELD_OF_VIEW_DEG = 18.0  # a portrait lens
MARGIN = 1.08  # the picture's height over the head's
MOVES = 1e-4  # of a mesh's height: a shorter way is not a movement
BODY = 3.0  # times as tall as what moves in its face
# Seen by the head: left, up, ahead (picture heights), how large (likewise), how bright (W for a picture 1 m high).
LIGHTS = {
    "key": ((1.0, 0.8, 1.6), 1.0, 85.0), "fill": ((-1.6, 0.2, 1.2), 1.4, 30.0), "rim": ((-0.8, 0.9, -1.6), 0.8, 50.0),
}  # fmt: skip
BACKDROP = (0.10, 0.115, 0.14)  # linear


@dataclass(frozen=True)
class Frame:
    """What the camera shows: the middle (3,) and height of a square, and the direction (3,) in which the face looks."""

    middle: np.ndarray
    height: float
    front: np.ndarray


def main() -> None:
    """Import the head, set its keys, light it, then render or save."""
    given = arguments().parse_args(own_arguments(sys.argv))
    if given.out is None and given.save is None:
        raise UserError("nothing to write; give --out a.mp4, --save a.blend or both")
    table = read_csv(given.csv)
    for file in (given.head, given.wav):
        if file is not None and not file.is_file():
            raise UserError(f"{file}: no such file")
    try:
        import bpy  # noqa: F401
    except ImportError:
        raise UserError("this runs in Blender: blender --background --python scripts/blender_render.py -- …") from None
    meshes = import_head(given.head)
    moved = set_keys(given.head, meshes, table)
    set_timeline(len(table.values), given.fps, given.wav)
    set_stage(meshes, given)
    if given.save is not None:
        save(given.save)
    if given.out is not None:
        render(given.out, with_sound=given.wav is not None)
    report(given, table, moved, len(meshes))


def arguments() -> argparse.ArgumentParser:
    """What a person may say after Blender's own `--`."""
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--csv", type=Path, required=True, help="curves by ARKit's names")
    options.add_argument("--head", type=Path, default=DEFAULT_HEAD, help="fbx, glb, gltf, vrm or blend")
    options.add_argument("--wav", type=Path, help="sound for the video and the timeline")
    options.add_argument("--out", type=Path, help="the mp4 to render (H.264, AAC)")
    options.add_argument("--save", type=Path, help="the blend file to keep, shape keys keyframed and ready to edit")
    options.add_argument("--fps", type=frames_per_second, default=30.0, help="the csv's frames per second")
    options.add_argument("--size", type=even_number, default=720, help="pixels across and down, an even number")
    options.add_argument(
        "--engine", choices=ENGINES, default="cycles", help="workbench is fastest; eevee wants a graphics card"
    )
    options.add_argument("--samples", type=int, default=24, help="light paths a pixel; more is smoother and slower")
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


# ---- the head ----


def import_head(path: Path) -> list[bpy.types.Object]:
    """The meshes of a head file, in an otherwise empty scene."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    if "bool" not in vars(np):  # from numpy 1.24 to 1.26, on which Blender 3.4's glTF importer fails without it
        np.bool = bool  # type: ignore[misc,assignment]
    importers = {
        ".fbx": lambda: bpy.ops.import_scene.fbx(filepath=str(path)),
        ".blend": lambda: append_objects(path),
        **dict.fromkeys((".glb", ".gltf", ".vrm"), lambda: bpy.ops.import_scene.gltf(filepath=str(path))),
    }
    suffix = path.suffix.lower()
    if suffix not in importers:
        raise UserError(f"{path}: not a head that Blender imports here ({', '.join(importers)})")
    try:
        importers[suffix]()
    except Exception as error:  # importers raise whatever their parsers meet
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: Blender cannot import it ({reason})") from None
    meshes = [thing for thing in bpy.context.scene.objects if thing.type == "MESH"]
    for mesh in meshes:
        show_vertex_colours(mesh)
    return meshes


def append_objects(path: Path) -> None:
    """Everything in a blend file's scenes that is not a camera or a light."""
    import bpy

    with bpy.data.libraries.load(str(path)) as (there, here):
        here.objects = there.objects
    for thing in here.objects:
        if thing is not None and thing.type not in ("CAMERA", "LIGHT"):
            bpy.context.scene.collection.objects.link(thing)


def show_vertex_colours(mesh: bpy.types.Object) -> None:
    """Let a material without a picture show the mesh's colours, which importers leave aside."""
    colours = mesh.data.color_attributes
    for slot in mesh.material_slots if len(colours) else ():
        tree = slot.material.node_tree if slot.material else None
        if tree is None:
            continue
        shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
        if shader is not None and not shader.inputs["Base Color"].is_linked:
            node = tree.nodes.new("ShaderNodeVertexColor")
            node.layer_name = colours[0].name
            tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])


# ---- the keys ----


def set_keys(path: Path, meshes: list[bpy.types.Object], table: CurveTable) -> set[str]:
    """Keyframe every shape key with a channel's name, in any spelling; the channels that moved something.

    Raises UserError when no mesh has a shape key with a name of ARKit's.
    """
    import bpy

    bpy.context.preferences.edit.keyframe_new_interpolation_type = "LINEAR"
    shapes = [block.name for mesh in meshes for block in key_blocks(mesh)]
    if not arkit_places(shapes):
        raise no_arkit_shape(path, list(dict.fromkeys(shapes)))
    curves = dict(zip(table.names, table.values.T, strict=True))
    moved = set()
    for keys in {mesh.data.shape_keys for mesh in meshes if mesh.data.shape_keys}:
        keys.animation_data_clear()
        blocks = keys.key_blocks
        for name, places in arkit_places([block.name for block in blocks]).items():
            for place in places if name in curves else ():
                set_key(blocks[place], curves[name])
                moved.add(name)
    return moved


def key_blocks(mesh: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """A mesh's shape keys, the basis aside."""
    keys = mesh.data.shape_keys
    return [] if keys is None else [block for block in keys.key_blocks if block != keys.reference_key]


def set_key(block: bpy.types.ShapeKey, values: np.ndarray) -> None:
    """values: (frames,), one a frame."""
    block.mute = False
    block.slider_min, block.slider_max = min(0.0, float(values.min())), max(1.0, float(values.max()))
    for frame, value in enumerate(values.tolist(), FIRST_FRAME):
        block.value = value
        block.keyframe_insert("value", frame=frame)


def set_timeline(frames: int, fps: float, wav: Path | None) -> None:
    """The csv's rows from FIRST_FRAME on, and the sound from there."""
    import bpy

    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = blender_rate(fps)
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + frames - 1
    scene.frame_set(FIRST_FRAME)
    if wav is None:
        return
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # renamed in Blender 4.4
    try:
        strips.new_sound(wav.stem, str(wav.resolve()), channel=1, frame_start=FIRST_FRAME)
    except RuntimeError as error:
        raise UserError(f"{wav}: Blender cannot read it as sound ({str(error).strip()})") from None
    scene.sync_mode = "AUDIO_SYNC"


def blender_rate(fps: float) -> tuple[int, float]:
    """A whole number and what divides it: 29.97 is 30 / 1.001."""
    whole = max(1, round(fps))
    return whole, whole / fps


# ---- the stage ----


def set_stage(meshes: list[bpy.types.Object], given: argparse.Namespace) -> None:
    """A camera that shows the head, lights around it, and the renderer's settings."""
    frame = find_frame(meshes)
    add_camera(frame)
    add_lights(frame)
    set_renderer(given.engine, given.samples, given.size)


def find_frame(meshes: list[bpy.types.Object]) -> Frame:
    """The whole of a head, or of a body the part around what the shapes move; from where the jaw goes forward."""
    whole, moving, forward = [], [], np.zeros(3)
    for mesh in meshes:
        world = np.array(mesh.matrix_world)
        keys = mesh.data.shape_keys
        rest = coordinates(keys.reference_key.data if keys else mesh.data.vertices)
        whole.append(rest @ world[:3, :3].T + world[:3, 3])
        blocks = key_blocks(mesh)
        for name, places in arkit_places([block.name for block in blocks]).items():
            offsets = sum(coordinates(blocks[place].data) - rest for place in places) @ world[:3, :3].T
            far = np.linalg.norm(offsets, axis=1) > MOVES * np.ptp(whole[-1][:, 2])
            moving.append(whole[-1][far])
            if name in ("JawForward", "MouthFunnel", "MouthPucker"):
                forward += offsets.sum(0)
    return frame_around(np.concatenate(whole), np.concatenate(moving), forward)


def coordinates(points: Any) -> np.ndarray:
    """(V, 3) of a mesh's vertices or a shape key's data."""
    flat = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def frame_around(whole: np.ndarray, moving: np.ndarray, forward: np.ndarray) -> Frame:
    """whole, moving: (N, 3) vertices, z up. forward: (3,), where a jaw that goes forward goes.

    What moves reaches from the brows to the neck, so that a head or a bust is about twice as tall, and a body more.
    """
    low, high = whole.min(0), whole.max(0)
    face_low, face_high = moving.min(0), moving.max(0)
    face_tall = face_high[2] - face_low[2]
    if high[2] - low[2] > BODY * face_tall:
        low, high = face_low - 0.4 * face_tall, face_high + 0.6 * face_tall
    front = np.array([forward[0], forward[1], 0.0])
    length = np.linalg.norm(front)
    front = front / length if length > 0 else np.array([0.0, -1.0, 0.0])  # where glTF's +z is in Blender
    return Frame((low + high) / 2, MARGIN * float((high - low).max()), front)


def add_camera(frame: Frame) -> None:
    """A portrait lens straight in front of the face."""
    import bpy

    camera = bpy.data.cameras.new("camera")
    camera.angle = np.radians(FIELD_OF_VIEW_DEG)
    distance = frame.height / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)) + frame.height / 4  # to the face's plane
    camera.clip_start, camera.clip_end = distance / 100, distance * 10
    bpy.context.scene.camera = placed(camera, frame.middle + distance * frame.front, frame.middle)


def add_lights(frame: Frame) -> None:
    """Key, fill and rim light, and a dim even backdrop."""
    import bpy

    up = np.array([0.0, 0.0, 1.0])
    left = np.cross(up, frame.front)
    for name, (place, size, power) in LIGHTS.items():
        light = bpy.data.lights.new(name, "AREA")
        light.size, light.energy = size * frame.height, power * frame.height**2  # as bright at every scale
        where = frame.middle + frame.height * (np.array(place) @ np.stack([left, up, frame.front]))
        placed(light, where, frame.middle)
    world = bpy.data.worlds.new("backdrop")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*BACKDROP, 1)
    world.color = BACKDROP
    bpy.context.scene.world = world


def placed(data: bpy.types.ID, where: np.ndarray, towards: np.ndarray) -> bpy.types.Object:
    """A new object in the scene, whose -z looks at a place and whose y is up, as those of cameras and lights do."""
    import bpy
    from mathutils import Vector

    thing = bpy.data.objects.new(data.name, data)
    thing.location = where
    thing.rotation_euler = Vector(towards - where).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)
    return thing


def set_renderer(engine: str, samples: int, size: int) -> None:
    """The engine, its quality and the picture's size. Raises UserError for an engine that this Blender lacks."""
    import bpy

    scene = bpy.context.scene
    for name in ENGINES[engine]:
        try:
            scene.render.engine = name
            break
        except TypeError:  # Blender's versions name them differently
            continue
    else:
        raise UserError(f"--engine {engine}: this Blender has no such engine; try cycles")
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True  # between frames
    scene.view_settings.view_transform = "Standard"  # colours as the other pictures here show them
    if engine == "workbench":
        textured = any(image.size[0] for image in bpy.data.images)
        scene.display.shading.color_type = "TEXTURE" if textured else "VERTEX"
        scene.display.shading.show_cavity = True
    if engine == "cycles":
        scene.cycles.samples = samples
        scene.cycles.use_adaptive_sampling = True
        scene.cycles.max_bounces = 2  # a head alone has little to reflect
        denoisers = scene.cycles.bl_rna.properties["denoiser"].enum_items
        scene.cycles.use_denoising = len(denoisers) > 0  # Debian builds Blender without one


# ---- out ----


def save(path: Path) -> None:
    """Keep the scene as a blend file, whole or not at all."""
    import bpy

    with written_whole(path) as partial:
        bpy.ops.wm.save_as_mainfile(filepath=str(partial.resolve()), copy=True, check_existing=False)


def render(path: Path, with_sound: bool) -> None:
    """Write the mp4, whole or not at all."""
    import bpy

    settings = bpy.context.scene.render
    if hasattr(settings.image_settings, "media_type"):  # Blender 5.0 asks for it first
        settings.image_settings.media_type = "VIDEO"
    settings.image_settings.file_format = "FFMPEG"
    video = settings.ffmpeg
    video.format, video.codec, video.constant_rate_factor = "MPEG4", "H264", "HIGH"
    video.audio_codec, video.audio_bitrate = ("AAC" if with_sound else "NONE"), 192
    settings.use_file_extension = False  # the name as given, without Blender's frame numbers
    with written_whole(path) as partial:
        settings.filepath = str(partial.resolve())
        try:
            bpy.ops.render.render(animation=True)
        except RuntimeError as error:
            raise UserError(f"{path}: Blender cannot render it ({str(error).strip()})") from None
        if not partial.is_file():
            raise UserError(f"{path}: Blender rendered nothing; its messages above say why")


def report(given: argparse.Namespace, table: CurveTable, moved: set[str], meshes: int) -> None:
    """The closing line: what was written, and which channels found no shape."""
    written = " and ".join(str(path) for path in (given.save, given.out) if path is not None)
    silent = [name for name in table.names if name not in moved]
    missing = f"; not on this head: {', '.join(silent)}" if silent else ""
    print(
        f"wrote {written}: {len(table.values)} frames at {given.fps:g} fps, {len(moved)} channels on "
        f"{meshes} {'mesh' if meshes == 1 else 'meshes'}{missing}"
    )


if __name__ == "__main__":
    run(main)
