"""What leaves for other tools, read again by each format's own rules and not by our readers."""

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from config.errors import UserError
from dataset.blendshapes import ARKIT, canonical, write_curves
from dataset.recordings.layout_writers import write_json, write_livelink
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.viseme_animator import Phone, animate
from postprocess.export.expressions import NAMES, mmd_morphs, vrm_expressions
from postprocess.export.glb import channels_without_a_shape, write_glb
from postprocess.export.keyframes import corners, keyframes
from postprocess.export.unity import write_unity
from postprocess.export.vmd import write_vmd
from postprocess.export.vrma import write_vrma
from postprocess.face.gltf import write_head
from postprocess.face.mesh import Head, Part
from tests.heads import GltfBuilder
from tests.helpers import CAPTURES, CASES, needs_case, needs_shared, random_curves

KEPT = 1e-4  # how near a coefficient comes back
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
LIFT = np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, 0], [0, 0, 0]], np.float32)


def curves(frames: int = 24, seed: int = 0) -> np.ndarray:
    """(frames, 52): noise, one channel still, one still for a while."""
    values = random_curves(frames, seed)
    values[:, ARKIT.index("CheekPuff")] = 0.25
    values[5:15, ARKIT.index("JawOpen")] = 0.5
    return values


def recorded(folder: Path, values: np.ndarray, fps: float = 30.0) -> Recording:
    """By way of a csv, as people have it."""
    write_curves(folder / "take.csv", values)
    recording = read_recording(folder / "take.csv")
    return Recording(recording.names, recording.values, None, fps, {}, "arkit")


# glTF, by its specification


class Glb(NamedTuple):
    tree: dict[str, Any]
    data: bytes

    def floats(self, index: int) -> np.ndarray:
        accessor = self.tree["accessors"][index]
        assert accessor["componentType"] == 5126
        view = self.tree["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(self.data, "<f4", accessor["count"] * width, start).reshape(-1, width)

    def tracks(self, path: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Node → (times, values) of the first animation."""
        animation, found = self.tree["animations"][0], {}
        for channel in animation["channels"]:
            if channel["target"]["path"] != path:
                continue
            sampler = animation["samplers"][channel["sampler"]]
            assert sampler.get("interpolation", "LINEAR") == "LINEAR"
            accessor = self.tree["accessors"][sampler["input"]]
            times = self.floats(sampler["input"])[:, 0]
            assert accessor["min"] == [times[0]] and accessor["max"] == [times[-1]]
            found[channel["target"]["node"]] = times, self.floats(sampler["output"])
        return found


def read_glb(path: Path) -> Glb:
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    chunks, place = {}, 12
    while place < length:
        size, kind = struct.unpack_from("<I4s", content, place)
        assert size % 4 == 0
        chunks[kind] = content[place + 8 : place + 8 + size]
        place += 8 + size
    return Glb(json.loads(chunks[b"JSON"]), chunks[b"BIN\0"])


def weights_by_name(glb: Glb) -> dict[str, dict[str, np.ndarray]]:
    """Node's name → shape's name → (keys,)."""
    found = {}
    for index, (times, values) in glb.tracks("weights").items():
        node = glb.tree["nodes"][index]
        names = glb.tree["meshes"][node["mesh"]]["extras"]["targetNames"]
        found[node["name"]] = dict(zip(names, values.reshape(len(times), len(names)).T, strict=True))
    return found


def two_part_head(file: Path) -> Path:
    colours = np.full((4, 3), 0.5, np.float32)
    face = Part("face", SQUARE, TRIANGLES, colours, offsets={name: LIFT for name in ARKIT if name != "TongueOut"})
    write_head(file, Head((face, Part("tongue", SQUARE, TRIANGLES, colours, offsets={"TongueOut": LIFT}))))
    return file


def test_every_channel_moves_its_shapes_on_a_head(tmp_path: Path) -> None:
    values = curves()
    write_glb(tmp_path / "take.glb", recorded(tmp_path, values, 25), two_part_head(tmp_path / "head.glb"))
    glb = read_glb(tmp_path / "take.glb")
    np.testing.assert_allclose(glb.tracks("weights")[0][0], np.arange(24) / 25, atol=1e-6)
    weights = weights_by_name(glb)
    assert list(weights) == ["face", "tongue"]
    moved = {canonical(name): column for part in weights.values() for name, column in part.items()}
    assert len(moved) == 52
    for name, column in zip(ARKIT, values.T, strict=True):
        np.testing.assert_allclose(moved[name], column, atol=KEPT)
    assert glb.tree["animations"][0]["name"] == "take"
    assert not channels_without_a_shape(tmp_path / "head.glb")


def test_the_head_we_ship_speaks(tmp_path: Path) -> None:
    values = curves(5)
    write_glb(tmp_path / "take.glb", recorded(tmp_path, values))
    weights = weights_by_name(read_glb(tmp_path / "take.glb"))
    assert {canonical(name) for part in weights.values() for name in part} == set(ARKIT)
    for part in weights.values():
        for name, column in part.items():
            np.testing.assert_allclose(column, values[:, ARKIT.index(str(canonical(name)))], atol=KEPT)


@needs_case("01-glb-integer-weights")
def test_a_head_with_whole_weights_speaks(tmp_path: Path) -> None:
    """As Blender 3.4 and later write them: [0, 0, ...]."""
    case = CASES / "01-glb-integer-weights"
    recording = read_recording(case / "a.csv").with_rate(30.0)
    write_glb(tmp_path / "o.glb", recording, case / "head.glb")
    ((times, values),) = read_glb(tmp_path / "o.glb").tracks("weights").values()
    table = values.reshape(len(times), -1)
    assert table.shape == (30, 53)
    assert not table[:, 0].any()  # visemeAA, which no curve drives
    np.testing.assert_allclose(table[:, 1:], recording.curves(), atol=KEPT)
    np.testing.assert_allclose(table[:2, 18], (0.3, 0.4220), atol=1e-4)


@pytest.mark.parametrize("on", ["node", "mesh"])
def test_weights_in_the_file_may_be_whole_and_shapes_that_no_curve_drives_keep_them(tmp_path: Path, on: str) -> None:
    builder = GltfBuilder()
    builder.primitive["targets"] *= 3
    builder.tree["meshes"][0]["extras"]["targetNames"] = ["wide", "jawOpen", "visemeAA"]
    builder.tree["meshes"][0]["weights"] = [0, 0, 0]
    builder.tree["nodes" if on == "node" else "meshes"][0]["weights"] = [1, 1, 0]
    values = curves()
    write_glb(tmp_path / "o.glb", recorded(tmp_path, values), builder.save(tmp_path / "a.gltf"))
    table = np.stack(list(weights_by_name(read_glb(tmp_path / "o.glb"))["Face"].values()), axis=1)
    expected = np.stack([np.ones(24), values[:, ARKIT.index("JawOpen")], np.zeros(24)], axis=1)
    np.testing.assert_allclose(table, expected, atol=KEPT)


def avatar(folder: Path) -> Path:
    """Another tool's gltf: buffer and picture beside it, shapes in halves, one of its own, a motion, extensions."""
    blobs = [
        SQUARE.tobytes(),
        TRIANGLES.astype(np.uint16).tobytes(),
        LIFT.tobytes(),
        np.array([0, 1], np.float32).tobytes(),
    ]
    blobs += [np.zeros((2, 3), np.float32).tobytes(), SQUARE[:, :2].tobytes()]
    starts = np.cumsum([0, *map(len, blobs)]).tolist()
    shapes = ["browInnerUp_L", "browInnerUp_R", "bigNose", "Face.jawOpen"]
    attributes = {"POSITION": 0, "TEXCOORD_0": 5}
    primitive = {"attributes": attributes, "indices": 1, "material": 0, "targets": [{"POSITION": 2}] * 4}
    tree = {
        "asset": {"version": "2.0", "generator": "another tool", "extras": {"empty": {}, "none": None}},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Face", "mesh": 0, "weights": [0.1, 0.2, 0.3, 0.4], "extras": {"kept": []}}],
        "meshes": [
            {
                "primitives": [primitive],
                "extras": {"targetNames": shapes},
            }
        ],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "extensions": {"KHR_materials_unlit": {}}}
        ],
        "textures": [{"source": 0}],
        "images": [{"uri": "my%20skin.png"}],
        "animations": [
            {
                "name": "nod",
                "samplers": [{"input": 3, "output": 4}],
                "channels": [{"sampler": 0, "target": {"node": 0, "path": "translation"}}],
            }
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC3", "min": [0, 0, 0], "max": [0, 0, 0.5]},
            {"bufferView": 3, "componentType": 5126, "count": 2, "type": "SCALAR", "min": [0], "max": [1]},
            {"bufferView": 4, "componentType": 5126, "count": 2, "type": "VEC3"},
            {"bufferView": 5, "componentType": 5126, "count": 4, "type": "VEC2"},
        ],
        "bufferViews": [
            {"buffer": n % 2, "byteOffset": start if n % 2 == 0 else start + 4, "byteLength": len(blob)}
            for n, (start, blob) in enumerate(zip(starts, blobs, strict=False))
        ],
        "buffers": [
            {"uri": "face.bin", "byteLength": starts[-1]},
            {"uri": "moved.bin", "byteLength": starts[-1] + 4},
        ],
    }  # fmt: skip
    (folder / "face.bin").write_bytes(b"".join(blobs))
    (folder / "moved.bin").write_bytes(b"abcd" + b"".join(blobs))
    (folder / "my skin.png").write_bytes(png())
    (folder / "avatar.gltf").write_text(json.dumps(tree))
    return folder / "avatar.gltf"


def png() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 150, 120)).save(stream, "PNG")
    return stream.getvalue()


def test_another_makers_head_keeps_all_it_has(tmp_path: Path) -> None:
    head = avatar(tmp_path)
    before = json.loads(head.read_text())
    values = curves(3)
    write_glb(tmp_path / "take.glb", recorded(tmp_path, values), head)
    glb = read_glb(tmp_path / "take.glb")
    for kind in ("asset", "extensionsUsed", "scene", "scenes", "nodes", "meshes", "materials", "textures"):
        assert glb.tree[kind] == before[kind], kind
    assert [animation["name"] for animation in glb.tree["animations"]] == ["take", "nod"]
    assert glb.tree["accessors"][:6] == before["accessors"]
    np.testing.assert_array_equal(glb.floats(0), SQUARE)
    np.testing.assert_array_equal(glb.floats(2), LIFT)
    np.testing.assert_array_equal(glb.floats(3)[:, 0], [0, 1])  # which lay in the second buffer, shifted
    image = glb.tree["images"][0]
    view = glb.tree["bufferViews"][image["bufferView"]]
    assert image["mimeType"] == "image/png" and "uri" not in image
    assert glb.data[view["byteOffset"] :][: view["byteLength"]] == png()
    weights = weights_by_name(glb)["Face"]
    brow, jaw = (values[:, ARKIT.index(name)] for name in ("BrowInnerUp", "JawOpen"))
    np.testing.assert_allclose(weights["browInnerUp_L"], brow, atol=KEPT)
    np.testing.assert_allclose(weights["browInnerUp_R"], brow, atol=KEPT)
    np.testing.assert_allclose(weights["Face.jawOpen"], jaw, atol=KEPT)
    np.testing.assert_allclose(weights["bigNose"], 0.3)  # as the file has it at rest
    assert len(channels_without_a_shape(head)) == 50


def test_the_expressions_of_a_vrm_move_its_shapes(tmp_path: Path) -> None:
    head = avatar(tmp_path)
    tree = json.loads(head.read_text())
    tree["meshes"][0]["extras"]["targetNames"] = ["a", "b", "c", "d"]
    binds = [{"node": 0, "index": 1, "weight": 0.5}, {"node": 0, "index": 3, "weight": 1.0}]
    tree["extensions"] = {"VRMC_vrm": {"expressions": {"custom": {"JawOpen": {"morphTargetBinds": binds}}}}}
    head.write_text(json.dumps(tree))
    values = curves(3)
    write_glb(tmp_path / "take.glb", recorded(tmp_path, values), head)
    weights, jaw = weights_by_name(read_glb(tmp_path / "take.glb"))["Face"], values[:, ARKIT.index("JawOpen")]
    np.testing.assert_allclose(weights["b"], jaw / 2, atol=KEPT)
    np.testing.assert_allclose(weights["d"], jaw, atol=KEPT)
    np.testing.assert_allclose(weights["a"], 0.1)


def test_a_folder_of_obj_shapes_becomes_a_glb_that_moves(tmp_path: Path) -> None:
    (tmp_path / "obj").mkdir()
    for name, lift in (("neutral", 0.0), ("jawOpen", 0.5)):
        lines = [f"v {x} {y} {z + lift * (n == 1)}" for n, (x, y, z) in enumerate(SQUARE.tolist())]
        (tmp_path / "obj" / f"{name}.obj").write_text("\n".join([*lines, "f 1 2 3", "f 1 3 4"]))
    values = curves(3)
    write_glb(tmp_path / "take.glb", recorded(tmp_path, values), tmp_path / "obj")
    (part,) = weights_by_name(read_glb(tmp_path / "take.glb")).values()
    np.testing.assert_allclose(part["jawOpen"], values[:, ARKIT.index("JawOpen")], atol=KEPT)


def test_a_head_that_cannot_move_is_refused(tmp_path: Path) -> None:
    head = avatar(tmp_path)
    recording = recorded(tmp_path, curves(3))
    tree = json.loads(head.read_text())
    tree["meshes"][0]["extras"]["targetNames"] = ["a", "b", "c", "d"]
    head.write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"avatar\.gltf: none of its shapes is an ARKit blendshape; it has a, b, c, d"):
        write_glb(tmp_path / "take.glb", recording, head)
    tree["nodes"][0]["mesh"] = 7
    head.write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"avatar\.gltf: damaged glTF .*; export it again"):
        write_glb(tmp_path / "take.glb", recording, head)
    with pytest.raises(UserError, match=r"no\.glb: no such file"):
        write_glb(tmp_path / "take.glb", recording, tmp_path / "no.glb")
    assert not (tmp_path / "take.glb").exists()


VALIDATE = """
const validator = require("gltf-validator"), fs = require("fs");
for (const file of process.argv.slice(1))
    validator.validateBytes(new Uint8Array(fs.readFileSync(file))).then((report) => {
        const errors = report.issues.messages.filter((message) => message.severity < 2);  // and warnings
        if (errors.length) console.log(file, JSON.stringify(errors));
    });
"""


def node(*words: object) -> subprocess.CompletedProcess[str]:
    command = ["node", "-e", *map(str, words)]
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)


def has_validator() -> bool:
    try:
        return node('require.resolve("gltf-validator")').returncode == 0
    except OSError:
        return False


def test_the_khronos_validator_finds_nothing_wrong(tmp_path: Path) -> None:
    if not has_validator():
        pytest.skip("node or its package gltf-validator is absent")
    recording, files = recorded(tmp_path, curves(5)), [tmp_path / f"{n}.glb" for n in range(4)]
    write_glb(files[0], recording)
    write_glb(files[1], recording, two_part_head(tmp_path / "head.glb"))
    write_glb(files[2], recording, avatar(tmp_path))
    write_vrma(files[3], recording)
    done = node(VALIDATE, *files)
    assert (done.stdout, done.stderr) == ("", "")


# Times


def uneven() -> Recording:
    """Frames at 60 a second, some missing, two at one time."""
    times = np.array([0, 1, 2, 2, 5, 6]) / 60
    return Recording(ARKIT, curves(6), times, 60.0, {}, "livelink")


def test_dropped_frames_stay_gaps_and_of_two_at_one_time_the_last_counts(tmp_path: Path) -> None:
    recording = uneven()
    times, values = keyframes(recording)
    np.testing.assert_allclose(times, np.array([0, 1, 2, 5, 6]) / 60, atol=1e-7)
    np.testing.assert_array_equal(values, recording.values[[0, 1, 3, 4, 5]])
    write_glb(tmp_path / "a.glb", recording, two_part_head(tmp_path / "head.glb"))
    np.testing.assert_array_equal(read_glb(tmp_path / "a.glb").tracks("weights")[0][0], times)
    clip = read_unity(tmp_path, recording)
    jaw = curve_of(clip, "blendShape.jawOpen")
    np.testing.assert_allclose([key["time"] for key in jaw], times, atol=1e-7)


def test_times_without_a_rate_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="rate"):
        keyframes(Recording(ARKIT, curves(3), None, None, {}, "arkit"))


@pytest.mark.parametrize("values", [[1], [1, 1], [0, 1], [0, 0, 0], [0, 0, 0, 1, 1, 1, 2, 3, 3], [2, 1, 1, 2]])
def test_corners_are_enough_to_draw_the_line(values: list[float]) -> None:
    kept = corners(np.array(values, float))
    drawn = np.interp(np.arange(len(values)), kept, np.array(values, float)[kept])
    np.testing.assert_array_equal(drawn, values)
    inside = [n for n in range(1, len(values) - 1) if values[n - 1] == values[n] == values[n + 1]]
    assert sorted([*kept, *inside]) == list(range(len(values)))


# Unity


class UnityLoader(yaml.SafeLoader):
    pass


UnityLoader.add_multi_constructor(
    "tag:unity3d.com,2011:", lambda loader, _, found: loader.construct_mapping(found, deep=True)
)


def read_unity(folder: Path, recording: Recording, **settings: Any) -> dict[str, Any]:
    write_unity(folder / 'a "b".anim', recording, **settings)
    text = (folder / 'a "b".anim').read_text(encoding="utf-8")
    assert text.startswith("%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n--- !u!74 &7400000\nAnimationClip:\n")
    clip = yaml.load(text, UnityLoader)["AnimationClip"]
    assert clip["m_Name"] == 'a "b"'
    return clip


def curve_of(clip: dict[str, Any], attribute: str, path: str = "") -> list[dict[str, Any]]:
    (found,) = (c for c in clip["m_FloatCurves"] if (c["attribute"], c["path"]) == (attribute, path))
    assert found["classID"] == 137  # SkinnedMeshRenderer
    return found["curve"]["m_Curve"]


def hermite(keys: list[dict[str, Any]], time_s: float) -> float:
    """Unity's own interpolation: a cubic through two keys, with the slopes that they have."""
    if time_s >= keys[-1]["time"]:
        return keys[-1]["value"]
    right = next(n for n, key in enumerate(keys) if key["time"] > time_s)
    a, b = keys[right - 1], keys[right]
    step = b["time"] - a["time"]
    t = (time_s - a["time"]) / step
    return (
        (2 * t**3 - 3 * t**2 + 1) * a["value"]
        + (t**3 - 2 * t**2 + t) * step * a["outSlope"]
        + (t**3 - t**2) * step * b["inSlope"]
        + (3 * t**2 - 2 * t**3) * b["value"]
    )


def test_a_unity_clip_runs_through_every_frame_on_straight_lines(tmp_path: Path) -> None:
    values = curves(20)
    clip = read_unity(tmp_path, recorded(tmp_path, values, 25))
    assert clip["m_SampleRate"] == 25
    assert clip["m_AnimationClipSettings"]["m_StopTime"] == pytest.approx(19 / 25)
    assert len(clip["m_FloatCurves"]) == 52
    for name, column in zip(ARKIT, values.T, strict=True):
        keys = curve_of(clip, f"blendShape.{name[0].lower()}{name[1:]}")
        for frame in (0, 4, 5, 9.5, 10, 14, 15, 15.25, 19):
            expected = np.interp(frame, np.arange(20), column)
            assert hermite(keys, frame / 25) / 100 == pytest.approx(expected, abs=KEPT), name
    assert len(curve_of(clip, "blendShape.cheekPuff")) == 2
    assert len(curve_of(clip, "blendShape.jawOpen")) == 12  # of its ten still frames the outer two


def test_each_renderer_of_a_unity_head_has_every_curve(tmp_path: Path) -> None:
    clip = read_unity(tmp_path, recorded(tmp_path, curves(1)), path=["Head/Gesicht: ü", "Teeth"])
    assert len(clip["m_FloatCurves"]) == 104
    (key,) = curve_of(clip, "blendShape.jawOpen", "Head/Gesicht: ü")
    assert (key["value"], key["inSlope"], key["outSlope"]) == (pytest.approx(100 * curves(1)[0, 17]), 0, 0)
    assert curve_of(clip, "blendShape.jawOpen", "Teeth") == [key]


def test_a_unity_head_turns_as_the_angles_say(tmp_path: Path) -> None:
    """By hand: Unity turns about z, then x, then y, on x to the head's own right, y up, z ahead."""
    yaw, pitch, roll = 20.0, 10.0, 15.0  # to the own left, up, to the right shoulder
    angles = {
        name: np.radians([0, 0, degrees, 0, 0])
        for name, degrees in (("HeadYaw", yaw), ("HeadPitch", pitch), ("HeadRoll", roll))
    }
    recording = Recording(ARKIT, curves(5), None, 30.0, angles, "livelink")
    assert read_unity(tmp_path, recording)["m_EulerCurves"] == []
    (turned,) = read_unity(tmp_path, recording, bone="Neck/Head: ü")["m_EulerCurves"]
    assert turned["path"] == "Neck/Head: ü" and turned["curve"]["m_RotationOrder"] == 4  # of Unity's: ZXY
    keys = turned["curve"]["m_Curve"]
    assert [round(30 * key["time"]) for key in keys] == [0, 1, 2, 3, 4]
    euler = [keys[2]["value"][axis] for axis in "yxz"]
    matrix = Rotation.from_euler("YXZ", euler, degrees=True).as_matrix()
    a, b, c = np.radians([yaw, pitch, roll])
    np.testing.assert_allclose(matrix[:, 2], [-np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)], atol=1e-6)
    assert matrix[1, 0] == pytest.approx(-np.sin(c) * np.cos(b), abs=1e-6)  # its right ear goes down
    assert keys[1]["outSlope"] == pytest.approx({axis: 30 * keys[2]["value"][axis] for axis in "xyz"})
    assert keys[3]["inSlope"] == pytest.approx({axis: -30 * keys[2]["value"][axis] for axis in "xyz"})


# MikuMikuDance


def read_vmd(path: Path) -> dict[str, dict[int, float]]:
    """Morph → frame → weight, by the layout that tools agree on; bones are read_vmd_head's, else all must be empty."""
    content = path.read_bytes()
    assert content[:30] == b"Vocaloid Motion Data 0002" + bytes(5)
    (bones,) = struct.unpack_from("<I", content, 50)
    (morphs,) = struct.unpack_from("<I", content, 54 + 111 * bones)
    found: dict[str, dict[int, float]] = {}
    frames, start = [], 58 + 111 * bones
    for n in range(morphs):
        name, frame, weight = struct.unpack_from("<15sIf", content, start + 23 * n)
        found.setdefault(name.rstrip(b"\0").decode("shift_jis"), {})[frame] = weight
        frames.append(frame)
    assert frames == sorted(frames)
    assert sum(map(len, found.values())) == morphs
    assert content[start + 23 * morphs :] == bytes(16)  # no camera, light, shadow, inverse kinematics
    return found


def read_vmd_head(path: Path) -> np.ndarray:
    """(frames, 4) x, y, z, w of the head's bone, which stays where it is."""
    content = path.read_bytes()
    (bones,) = struct.unpack_from("<I", content, 50)
    rows = [struct.unpack_from("<15sI7f64s", content, 54 + 111 * n) for n in range(bones)]
    assert [row[0].rstrip(b"\0").decode("shift_jis") for row in rows] == ["頭"] * bones
    assert [row[1:5] for row in rows] == [(frame, 0, 0, 0) for frame in range(bones)]
    assert {row[9][:16] for row in rows} <= {bytes([20] * 8 + [107] * 8)}
    return np.array([row[5:9] for row in rows]).reshape(bones, 4)


def played(keys: dict[int, float], frames: int) -> np.ndarray:
    return np.interp(np.arange(frames), list(keys), list(keys.values()))


def test_a_vmd_holds_every_channel_by_its_own_name(tmp_path: Path) -> None:
    values = curves()
    write_vmd(tmp_path / "a.vmd", recorded(tmp_path, values), "jawOpen")
    morphs = read_vmd(tmp_path / "a.vmd")
    assert len(morphs) == 52
    for name, column in zip(ARKIT, values.T, strict=True):
        short = (name[0].lower() + name[1:])[:15]
        np.testing.assert_allclose(played(morphs[short], 24), column, atol=KEPT)


def test_a_vmd_has_30_frames_a_second(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 1, 121)[:, None], 52, axis=1)
    write_vmd(tmp_path / "a.vmd", recorded(tmp_path, ramp, 60), "JawOpen")
    jaw = played(read_vmd(tmp_path / "a.vmd")["JawOpen"], 61)
    np.testing.assert_allclose(jaw[8:-8], np.linspace(0, 1, 61)[8:-8], atol=0.01)


# VRM


def test_a_vrma_holds_every_channel_as_an_expression(tmp_path: Path) -> None:
    values = curves()
    values[3, 0], values[4, 0] = 1.2, -0.1
    write_vrma(tmp_path / "a.vrma", recorded(tmp_path, values, 24))
    glb = read_glb(tmp_path / "a.vrma")
    assert glb.tree["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension = glb.tree["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    nodes = {name: use["node"] for name, use in extension["expressions"]["custom"].items()}
    assert tuple(nodes) == ARKIT
    for name, column in zip(ARKIT, values.T, strict=True):
        times, places = glb.tracks("translation")[nodes[name]]
        np.testing.assert_allclose(times, np.arange(24) / 24, atol=1e-6)
        np.testing.assert_allclose(places[:, 0], column.clip(0, 1), atol=KEPT)


def test_a_vrma_has_the_bones_that_vrm_requires_in_a_t_pose(tmp_path: Path) -> None:
    write_vrma(tmp_path / "a.vrma", recorded(tmp_path, curves(2)))
    tree = read_glb(tmp_path / "a.vrma").tree
    bones = {
        name: bone["node"] for name, bone in tree["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"].items()
    }
    limbs = ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
    assert set(bones) == {"hips", "spine", "head", *(side + limb for side in ("left", "right") for limb in limbs)}
    places: dict[int, np.ndarray] = {}
    waiting = [(bones["hips"], np.zeros(3))]
    while waiting:
        index, above = waiting.pop()
        places[index] = above + tree["nodes"][index]["translation"]
        waiting += [(child, places[index]) for child in tree["nodes"][index].get("children", [])]
    where = {name: places[index] for name, index in bones.items()}
    for limb in limbs:
        np.testing.assert_allclose(where[f"left{limb}"] * (-1, 1, 1), where[f"right{limb}"])
    arm = [where[f"left{limb}"] for limb in limbs[:3]]
    assert arm[0][0] < arm[1][0] < arm[2][0] and arm[0][1] == arm[1][1] == arm[2][1]
    assert where["head"][1] > where["spine"][1] > where["hips"][1] > where["leftLowerLeg"][1] > where["leftFoot"][1]
    assert not set(bones.values()) & set(read_glb(tmp_path / "a.vrma").tracks("translation"))


# The head's turns, where a format has a place for them

TURNS = {"yaw": (0.3, (1, 0, 0)), "pitch": (0.2, (0, 1, 0)), "roll": (0.25, (0, 0, 1))}  # radians, glTF's axis of each


def nodding() -> Recording:
    """Still, then each of Live Link Face's head angles by itself, one a frame, for five frames each."""
    angles = {f"Head{name.title()}": np.zeros(24) for name in TURNS}
    for place, (name, (angle, _)) in enumerate(TURNS.items()):
        angles[f"Head{name.title()}"][9 + 5 * place : 14 + 5 * place] = angle
    return Recording(ARKIT, np.zeros((24, 52)), None, 30.0, angles, "livelink")


def where_the_nose_goes(turned: np.ndarray) -> np.ndarray:
    """(3, 3): what yaw, pitch and roll make of a point ahead, of one ahead and of one to the head's own left."""
    still, yaw, pitch, roll = Rotation.from_quat(turned[[0, 11, 16, 21]])
    assert still.magnitude() < 1e-6
    return np.stack([yaw.apply((0, 0, 1)), pitch.apply((0, 0, 1)), roll.apply((1, 0, 0))])


LEFT_UP_AND_DOWN = [  # towards the own left; upwards; the left side upwards, the head to its right shoulder
    (np.sin(0.3), 0, np.cos(0.3)),
    (0, np.sin(0.2), np.cos(0.2)),
    (np.cos(0.25), np.sin(0.25), 0),
]


def test_a_vrma_and_a_glb_turn_the_head(tmp_path: Path) -> None:
    write_vrma(tmp_path / "a.vrma", nodding())
    vrma = read_glb(tmp_path / "a.vrma")
    bone = vrma.tree["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]["head"]["node"]
    (node, (times, turned)) = next(iter(vrma.tracks("rotation").items()))
    assert node == bone and len(times) == 24
    np.testing.assert_allclose(where_the_nose_goes(turned), LEFT_UP_AND_DOWN, atol=1e-6)

    write_glb(tmp_path / "a.glb", nodding(), two_part_head(tmp_path / "head.glb"))
    glb = read_glb(tmp_path / "a.glb")
    ((node, (_, turned)),) = glb.tracks("rotation").items()
    np.testing.assert_allclose(where_the_nose_goes(turned), LEFT_UP_AND_DOWN, atol=1e-6)
    assert glb.tree["scenes"][0]["nodes"] == [node]
    (below,) = glb.tree["nodes"][node]["children"]
    assert glb.tree["nodes"][below]["children"] == [0, 1]
    np.testing.assert_allclose(np.add(*(glb.tree["nodes"][n]["translation"] for n in (node, below))), 0, atol=1e-9)
    assert set(weights_by_name(glb)) == {"face", "tongue"}


def test_a_bone_turns_the_head_however_it_and_its_holders_lie(tmp_path: Path) -> None:
    neck, own = Rotation.from_euler("xyz", [20, 70, -40], degrees=True), Rotation.from_euler("y", 30, degrees=True)
    builder = GltfBuilder()
    builder.tree["nodes"] += [{"name": "neck", "rotation": neck.as_quat().tolist(), "children": [2]},
                              {"name": "mixamorig:Head", "rotation": own.as_quat().tolist()}]  # fmt: skip
    builder.tree["scenes"][0]["nodes"] = [0, 1]
    builder.tree["skins"] = [{"joints": [1, 2]}]
    write_glb(tmp_path / "a.glb", nodding(), builder.save(tmp_path / "body.gltf"))
    ((node, (_, turned)),) = read_glb(tmp_path / "a.glb").tracks("rotation").items()
    assert node == 2
    in_the_world = neck * Rotation.from_quat(turned) * (neck * own).inv()  # by how much the bone turned what it holds
    np.testing.assert_allclose(where_the_nose_goes(in_the_world.as_quat()), LEFT_UP_AND_DOWN, atol=1e-6)


def test_a_vmd_turns_the_head_on_its_own_axes(tmp_path: Path) -> None:
    write_vmd(tmp_path / "a.vmd", nodding())
    read_vmd(tmp_path / "a.vmd")
    mirror = np.array([1, 1, -1])  # MikuMikuDance's z runs away from the viewer, its x to the model's left
    still, yaw, pitch, roll = Rotation.from_quat(read_vmd_head(tmp_path / "a.vmd")[[0, 11, 16, 21]])
    assert still.magnitude() < 1e-6
    seen = [yaw.apply((0, 0, -1)), pitch.apply((0, 0, -1)), roll.apply((1, 0, 0))]
    np.testing.assert_allclose(np.array(seen) * mirror, LEFT_UP_AND_DOWN, atol=1e-6)


# What is lost where a model has vowels only


@pytest.mark.parametrize("vowel", "aiueo")
def test_a_spoken_vowel_is_that_vowel(vowel: str, tmp_path: Path) -> None:
    values = animate([Phone(vowel, 0.3, 0.7)], 1.0, 30, seed=0)
    weights = vrm_expressions(values, "vowels")
    mouth = {name: weights[name] for name in ("aa", "ih", "ou", "ee", "oh")}
    assert max(mouth, key=lambda name: mouth[name][15]) == dict(zip("aiueo", mouth, strict=True))[vowel]
    assert min(column.min() for column in mouth.values()) >= 0
    assert np.max(sum(mouth.values())) <= 1 + 1e-9
    assert max(column[0] for column in mouth.values()) < 0.05  # silence
    write_vmd(tmp_path / "a.vmd", Recording(ARKIT, values.astype(float), None, 30.0, {}, "arkit"))
    morphs = read_vmd(tmp_path / "a.vmd")
    japanese = dict(zip("aiueo", "あいうえお", strict=True))
    np.testing.assert_allclose(played(morphs[japanese[vowel]], 30)[15], max(c[15] for c in mouth.values()), atol=KEPT)


def test_closed_lips_are_no_vowel_though_the_jaw_is_open() -> None:
    values = np.zeros((1, 52))
    values[0, [ARKIT.index("JawOpen"), ARKIT.index("MouthClose")]] = 0.3
    assert max(weights[0] for weights in vrm_expressions(values, "vowels").values()) == 0


def test_lids_and_brows_go_to_the_side_they_are_on() -> None:
    values = np.zeros((1, 52))
    for name, value in (("EyeBlinkLeft", 0.9), ("EyeBlinkRight", 0.2), ("BrowInnerUp", 0.4), ("MouthSmileLeft", 1)):
        values[0, ARKIT.index(name)] = value
    vrm, mmd = vrm_expressions(values, "vowels"), mmd_morphs(values, "vowels")
    assert (vrm["blinkLeft"][0], vrm["blinkRight"][0]) == (0.9, 0.2)
    assert (mmd["まばたき"][0], mmd["ウィンク２"][0], mmd["ｳｨﾝｸ２右"][0]) == pytest.approx((0.2, 0.7, 0))
    assert (mmd["困る"][0], mmd["口角上げ"][0], mmd["口角下げ"][0]) == (0.4, 0.5, 0)


def test_the_names_that_models_have() -> None:
    values = curves(1)
    assert tuple(vrm_expressions(values, "JawOpen")) == ARKIT
    assert list(mmd_morphs(values, "jawOpen"))[17] == "jawOpen"
    assert set(vrm_expressions(values, "vowels")) == {"aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight"}
    for names in NAMES:
        assert all(len(name.encode("shift_jis")) <= 15 or names != "vowels" for name in mmd_morphs(values, names))


# Live Link Face and json


@needs_shared(CAPTURES)
@pytest.mark.parametrize("stem", ["alex_rom_3", "alex_rom_4"])
def test_a_real_capture_leaves_as_live_link_face_wrote_it(stem: str, tmp_path: Path) -> None:
    source = CAPTURES / f"{stem}.csv"
    write_livelink(tmp_path / "a.csv", read_recording(source))
    real, ours = (path.read_text().split("\n") for path in (source, tmp_path / "a.csv"))
    assert len(ours) == len(real)
    assert ours[0] == real[0]
    for line, expected in list(zip(ours, real, strict=True))[1:-1:50]:
        cells, wanted = line.split(","), expected.split(",")
        assert cells[:2] == wanted[:2]  # the timecode to the thousandth of a frame, and 61
        np.testing.assert_allclose([float(cell) for cell in cells[2:]], [float(cell) for cell in wanted[2:]], atol=1e-6)


def test_unreals_importer_finds_every_frame_at_its_time(tmp_path: Path) -> None:
    """By what LiveLinkFaceImporter of Unreal 5 does: names of the first two columns, full lines, 60 frames a second."""
    values = curves(40)
    write_livelink(tmp_path / "a.csv", recorded(tmp_path, values, 24))
    header, *lines = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines())
    assert header[:2] == ["Timecode", "BlendShapeCount"]
    times_s = []
    for line, row in zip(lines, values, strict=True):
        assert len(line) == len(header) == 63 and all(line)
        assert re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\.\d{3}", line[0])
        hours, minutes, seconds, frames = map(float, line[0].split(":"))
        times_s.append(hours * 3600 + minutes * 60 + seconds + frames / 60)
        cells = dict(zip(header, line, strict=True))
        np.testing.assert_allclose([float(cells[name]) for name in ARKIT], row, atol=KEPT)
    np.testing.assert_allclose(times_s, np.arange(40) / 24, atol=1e-4)


def test_json_names_every_number(tmp_path: Path) -> None:
    values = curves()
    write_json(tmp_path / "a.json", recorded(tmp_path, values, 50))
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["fps"] == 50
    assert sorted(document["names"]) == sorted(ARKIT)
    order = [document["names"].index(name) for name in ARKIT]
    np.testing.assert_allclose(np.array(document["frames"])[:, order], values, atol=KEPT)
