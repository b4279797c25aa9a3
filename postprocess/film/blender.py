"""A head in Blender: its shapes and turns keyframed, lit and framed, then rendered or kept for an animator.

Runs inside Blender's own Python (3.4 or later), which has numpy and nothing else of ours. Blender is z up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from config.files import written_whole
from dataset.blendshapes import BROW
from dataset.recordings.recording import Recording
from postprocess.export.head_bone import TURNING, is_head
from postprocess.face.names import arkit_places, no_arkit_shape
from postprocess.face.turning import has_turns, quaternions, turns_deg
from postprocess.film.studio import BACKDROP_BOTTOM, FIELD_OF_VIEW_DEG, LAMPS, Frame, frame_around

try:
    import bpy
    from mathutils import Matrix, Quaternion, Vector
except ImportError:  # another Python: only what needs no scene works
    bpy = None

FIRST_FRAME = 1  # where Blender's timeline begins
ENGINES = {"cycles": ("CYCLES",), "eevee": ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"), "workbench": ("BLENDER_WORKBENCH",)}
MOVES = 1e-4  # of a mesh's height: a shorter way is not a movement


@dataclass(frozen=True)
class Quality:
    """How pictures are rendered."""

    engine: str  # of ENGINES
    samples: int  # light paths a pixel
    size: int  # pixels across and down, even


def set_scene(head: Path, recording: Recording, fps: float, wav: Path | None, quality: Quality) -> tuple[set[str], int]:
    """The head, its keys, the sound, camera and lights → (the channels that move the head, how many meshes it has).

    recording: a frame every 1 / fps s. Raises UserError for what Blender cannot read and a head without ARKit shapes.
    """
    meshes = import_head(head)
    moved = set_keys(head, meshes, recording)
    set_timeline(recording.frames, fps, wav)
    frame = find_frame(meshes)
    if has_turns(recording):
        set_turns(frame, turned_by(quaternions(turns_deg(recording)), frame))
    add_camera(frame)
    add_lights(frame)
    set_renderer(quality)
    return moved, len(meshes)


# ---- the head ----


def import_head(path: Path) -> list[bpy.types.Object]:
    """The meshes of a head file, in an otherwise empty scene."""
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


def set_keys(path: Path, meshes: list[bpy.types.Object], recording: Recording) -> set[str]:
    """Keyframe every shape key with a channel's name, in any spelling; the channels that moved something.

    Raises UserError when no mesh has a shape key with a name of ARKit's.
    """
    bpy.context.preferences.edit.keyframe_new_interpolation_type = "LINEAR"
    shapes = [block.name for mesh in meshes for block in key_blocks(mesh)]
    if not arkit_places(shapes):
        raise no_arkit_shape(path, list(dict.fromkeys(shapes)))
    curves = dict(zip(recording.names, recording.values.T, strict=True))
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


def set_turns(frame: Frame, rotations: np.ndarray) -> None:
    """Keyframe the turns of the bone called head or, where there are no bones, of everything about the neck.

    rotations: (frames, 4) as turned_by gives. A body whose head's bone is not to be told holds it still.
    """
    armatures = [thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE"]
    heads = [(holder, bone) for holder in armatures for bone in holder.pose.bones if is_head(bone.name)]
    if armatures and not heads:
        return
    at_rest = Quaternion()
    if heads:
        holder, turning = heads[0]
        at_rest = holder.matrix_world.to_quaternion() @ turning.bone.matrix_local.to_quaternion()
    else:
        turning = put_above(frame.neck)
    turning.rotation_mode = "QUATERNION"
    for number, rotation in enumerate(rotations.tolist(), FIRST_FRAME):
        turning.rotation_quaternion = at_rest.inverted() @ Quaternion(rotation) @ at_rest
        turning.keyframe_insert("rotation_quaternion", frame=number)


def turned_by(turns: np.ndarray, frame: Frame) -> np.ndarray:
    """turns: (frames, 4) x, y, z, w on glTF's axes → (frames, 4) w, x, y, z on Blender's, of a face ahead of frame."""
    return np.column_stack([turns[:, 3], turns[:, :3] @ frame.axes])


def put_above(pivot: np.ndarray) -> bpy.types.Object:
    """An empty at (3,) that holds everything in the scene."""
    things = [thing for thing in bpy.context.scene.objects if thing.parent is None]
    empty = bpy.data.objects.new(TURNING, None)
    empty.location = pivot
    bpy.context.scene.collection.objects.link(empty)
    for thing in things:
        thing.parent, thing.matrix_parent_inverse = empty, Matrix.Translation(-Vector(pivot))
    return empty


def set_timeline(frames: int, fps: float, wav: Path | None) -> None:
    """So many frames from FIRST_FRAME on, and the sound from there."""
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


def find_frame(meshes: list[bpy.types.Object]) -> Frame:
    """The whole of a head, or of a body the part around what the shapes move; from where the jaw goes forward."""
    whole, moving, forward, brows = [], [], np.zeros(3), False
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
            brows |= name in BROW
            if name in ("JawForward", "MouthFunnel", "MouthPucker"):
                forward += offsets.sum(0)
    return frame_around(np.concatenate(whole), np.concatenate(moving), forward, brows)


def coordinates(points: Any) -> np.ndarray:
    """(V, 3) of a mesh's vertices or a shape key's data."""
    flat = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def add_camera(frame: Frame) -> None:
    """A portrait lens straight in front of the face."""
    camera = bpy.data.cameras.new("camera")
    camera.angle = np.radians(FIELD_OF_VIEW_DEG)
    distance = frame.height / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)) + frame.height / 4  # to the face's plane
    camera.clip_start, camera.clip_end = distance / 100, distance * 10
    bpy.context.scene.camera = placed(camera, frame.middle + distance * frame.front, frame.middle)


def add_lights(frame: Frame) -> None:
    """Key, fill and rim light, and a dim even backdrop."""
    for name, (place, size, power_w) in LAMPS.items():
        light = bpy.data.lights.new(name, "AREA")
        light.size, light.energy = size * frame.height, power_w * frame.height**2  # as bright at every scale
        where = frame.middle + frame.height * (np.array(place) @ frame.axes)
        placed(light, where, frame.middle)
    world = bpy.data.worlds.new("backdrop")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*BACKDROP_BOTTOM, 1)
    world.color = BACKDROP_BOTTOM
    bpy.context.scene.world = world


def placed(data: bpy.types.ID, where: np.ndarray, towards: np.ndarray) -> bpy.types.Object:
    """A new object at (3,), whose -z looks at a place (3,) and whose y is up, as cameras and lights ask."""
    thing = bpy.data.objects.new(data.name, data)
    thing.location = where
    thing.rotation_euler = Vector(towards - where).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)
    return thing


def set_renderer(quality: Quality) -> None:
    """The engine, its quality and the picture's size. Raises UserError for an engine that this Blender lacks."""
    scene = bpy.context.scene
    for name in ENGINES[quality.engine]:
        try:
            scene.render.engine = name
            break
        except TypeError:  # Blender's versions name them differently
            continue
    else:
        raise UserError(f"--engine {quality.engine}: this Blender has no such engine; try cycles")
    scene.render.resolution_x = scene.render.resolution_y = quality.size
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True  # between frames
    scene.view_settings.view_transform = "Standard"  # colours as the other pictures here show them
    if quality.engine == "workbench":
        textured = any(image.size[0] for image in bpy.data.images)
        scene.display.shading.color_type = "TEXTURE" if textured else "VERTEX"
        scene.display.shading.show_cavity = True
    if quality.engine == "cycles":
        scene.cycles.samples = quality.samples
        scene.cycles.use_adaptive_sampling = True
        scene.cycles.max_bounces = 2  # a head alone has little to reflect
        denoisers = scene.cycles.bl_rna.properties["denoiser"].enum_items
        scene.cycles.use_denoising = len(denoisers) > 0  # Debian builds Blender without one


# ---- out ----


def save(path: Path) -> None:
    """Keep the scene as a blend file, whole or not at all."""
    with written_whole(path) as partial:
        bpy.ops.wm.save_as_mainfile(filepath=str(partial.resolve()), copy=True, check_existing=False)


def render(path: Path, with_sound: bool) -> None:
    """Write the mp4, whole or not at all."""
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
