"""Rendering in Blender: what it is told, what it frames, and, where Blender is installed, the video it makes."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from config.errors import UserError
from dataset.blendshapes import write_curves
from dataset.recordings.layout_writers import write_json
from dataset.recordings.recording import Recording
from postprocess.face.gltf import write_head
from postprocess.face.mesh import Head, Part
from postprocess.face.turning import NECK_HEIGHT, quaternions
from postprocess.film.blender import FIRST_FRAME, blender_rate, turned_by
from postprocess.film.studio import MARGIN, Frame, frame_around
from scripts.blender_render import arguments, main, own_arguments
from tests.helpers import ROOT, run_command

SCRIPT = ROOT / "scripts" / "blender_render.py"
Triple = tuple[float, float, float]
NAMES = ("JawOpen", "MouthSmileLeft", "TongueOut")


def test_only_what_follows_blenders_dashes_is_ours() -> None:
    argv = ["blender", "--background", "--python", "scripts/blender_render.py", "--", "--csv", "a.csv"]
    assert own_arguments(argv) == ["--csv", "a.csv"]
    assert own_arguments(["scripts/blender_render.py", "--help"]) == ["--help"]


@pytest.mark.parametrize("fps", [30, 25, 60, 29.97, 59.94, 12.5, 0.4])
def test_a_rate_is_a_whole_number_and_a_divisor(fps: float) -> None:
    whole, divisor = blender_rate(fps)
    assert isinstance(whole, int)
    assert whole >= 1
    assert whole / divisor == pytest.approx(fps)
    assert divisor >= 1e-5  # Blender's least


@pytest.mark.parametrize(
    "bad", [["--size", "511"], ["--size", "0"], ["--fps", "0"], ["--fps", "x"], ["--engine", "lux"]]
)
def test_a_setting_that_cannot_be_is_refused(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        arguments().parse_args(["--csv", "a.csv", *bad])
    assert end.value.code == 2
    assert bad[0] in capsys.readouterr().err


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> np.ndarray:
    """Its two corners."""
    return np.array([low, high], float)


def test_a_head_is_framed_whole() -> None:
    head, face = box((-0.1, -0.1, -0.2), (0.1, 0.1, 0.15)), box((-0.07, -0.1, -0.1), (0.07, 0, 0.05))
    frame = frame_around(head, face, np.array([0, -5.0, 1.0]))
    np.testing.assert_allclose(frame.middle, (0, 0, -0.025))
    assert frame.height == pytest.approx(MARGIN * 0.35)
    np.testing.assert_allclose(frame.front, (0, -1, 0))  # level, however the jaw slants


def test_of_a_body_the_face_is_framed_and_seen_from_where_the_jaw_goes() -> None:
    body, face = box((-0.8, -0.2, 0), (0.8, 0.2, 1.7)), box((-0.07, 0, 1.45), (0.07, 0.1, 1.6))
    frame = frame_around(body, face, np.array([0, 3.0, 0]))
    assert 1.5 < frame.middle[2] < 1.6
    assert 0.2 < frame.height < 0.4
    np.testing.assert_allclose(frame.front, (0, 1, 0))


def test_without_a_jaw_the_front_is_gltfs() -> None:
    corners = box((0, 0, 0), (1, 1, 1))
    np.testing.assert_allclose(frame_around(corners, corners, np.zeros(3)).front, (0, -1, 0))


@pytest.mark.parametrize(
    ("front", "left"), [((0, -1.0, 0), (1.0, 0, 0)), ((0, 1.0, 0), (-1.0, 0, 0)), ((1.0, 0, 0), (0, 1.0, 0))]
)
def test_a_head_turns_on_blenders_axes(front: Triple, left: Triple) -> None:
    """By hand, whichever way the head looks: 20° to its left and 10° up; its left ear 15° down."""
    frame = Frame(np.zeros(3), MARGIN, np.array(front))
    found = turned_by(quaternions(np.array([[20.0, 10, 0], [0, 0, 15]])), frame)
    looks, leans = Rotation.from_quat(found[:, [1, 2, 3, 0]])  # scipy's w comes last
    yaw, pitch, roll = np.radians([20, 10, 15])
    ahead = np.cos(pitch) * (np.cos(yaw) * np.array(front) + np.sin(yaw) * np.array(left))
    np.testing.assert_allclose(looks.apply(front), ahead + np.array([0, 0, np.sin(pitch)]), atol=1e-12)
    np.testing.assert_allclose(leans.apply(left), np.cos(roll) * np.array(left) - (0, 0, np.sin(roll)), atol=1e-12)
    np.testing.assert_allclose(frame.neck, (0, 0, NECK_HEIGHT - 0.5))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A head of a square and its curves: JawOpen rises by 0.05 a frame to beyond 1, the smile falls below 0."""
    square = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    jaw, smile = np.zeros_like(square), np.zeros_like(square)
    jaw[:2], smile[2] = (0, -0.05, 0), (0.02, 0, 0)
    colours = np.tile(np.array([0.9, 0.02, 0.02], np.float32), (4, 1))
    face = Part("face", square, triangles, colours, 0.9, {"JawOpen": jaw, "MouthSmileLeft": smile})
    write_head(tmp_path / "head.glb", Head((face, Part("still", square * 0.1, triangles, colours))))
    rise = np.arange(24) * 0.05
    write_curves(tmp_path / "a.csv", np.stack([rise, -rise / 2, rise], axis=1), NAMES)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "nothing to write; give --out a.mp4"),
        (["--out", "a.mp4", "--head", "no.fbx"], r"no\.fbx: no such file"),
        (["--out", "a.mp4", "--wav", "no.wav"], r"no\.wav: no such file"),
        (["--out", "a.mp4", "--head", "head.glb"], "this runs in Blender: blender --background --python"),
    ],
)
def test_mistakes_are_named_before_anything_is_done(
    clip: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], message: str
) -> None:
    monkeypatch.chdir(clip)
    monkeypatch.setattr("sys.argv", ["blender_render.py", "--csv", "a.csv", *given])
    with pytest.raises(UserError, match=message):
        main()
    assert not (clip / "a.mp4").exists()


THIRD_PARTY = """
import sys
before = set(sys.modules)
import scripts.blender_render
files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
print(sorted({name.partition(".")[0] for name, file in files.items() if "site-packages" in file}))
"""


def test_it_asks_of_blenders_python_for_numpy_alone() -> None:
    done = run_command(ROOT, "-c", THIRD_PARTY)
    assert done.stdout == "['numpy']\n", done.stderr


def blender(folder: Path, *given: str, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    """What Blender says when it runs a script in the folder. Skips where there is no Blender."""
    program = shutil.which("blender")
    if program is None:
        pytest.skip("blender is not on PATH")
    command = [program, "--background", "--factory-startup", "--python", str(script), "--", *given]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


PROBE = """
import bpy, json
bpy.ops.wm.open_mainfile(filepath={file!r})
scene = bpy.context.scene
face = next(o for o in scene.objects if o.type == "MESH" and o.data.shape_keys)
blocks = face.data.shape_keys.key_blocks
rows = []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    rows.append([blocks["jawOpen"].value, blocks["mouthSmileLeft"].value])
strip = scene.sequence_editor.sequences_all[0]
print("FOUND", json.dumps([rows, scene.render.fps / scene.render.fps_base, strip.frame_start, strip.sound.filepath]))
"""


def test_blender_keeps_the_keys_and_the_sound_for_an_animator(clip: Path) -> None:
    import soundfile

    soundfile.write(clip / "a.wav", np.zeros(16000, np.float32), 16000)
    done = blender(clip, "--csv", "a.csv", "--head", "head.glb", "--wav", "a.wav", "--fps", "25", "--save", "a.blend")
    assert "wrote a.blend: 24 frames at 25 fps, 2 channels on 2 meshes; not on this head: " in done.stdout, done.stderr
    assert "TongueOut" in done.stdout
    (clip / "probe.py").write_text(PROBE.format(file=str(clip / "a.blend")))
    probed = blender(clip, script=clip / "probe.py")
    rows, fps, start, sound = json.loads(probed.stdout.partition("FOUND")[2].partition("\n")[0] or probed.stderr)
    rise = np.arange(24) * 0.05
    np.testing.assert_allclose(rows, np.stack([rise, -rise / 2], axis=1), atol=1e-5)
    assert (fps, start) == (25, FIRST_FRAME)
    assert sound.endswith("a.wav")


def test_blender_renders_a_video_with_its_sound(clip: Path) -> None:
    import av
    import soundfile

    soundfile.write(clip / "a.wav", 0.1 * np.sin(np.arange(16000) / 5).astype(np.float32), 16000)
    (clip / "b.csv").write_text("\n".join((clip / "a.csv").read_text().splitlines()[:1] + ["0," * 51 + "0"] * 3))
    done = blender(clip, "--csv", "b.csv", "--head", "head.glb", "--wav", "a.wav", "--out", "a.mp4", "--size", "64",
                   "--samples", "4")  # fmt: skip
    assert "wrote a.mp4: 3 frames at 30 fps" in done.stdout, done.stdout + done.stderr
    with av.open(str(clip / "a.mp4")) as video:
        assert [stream.codec_context.name for stream in video.streams] == ["h264", "aac"]
        assert video.streams.video[0].average_rate == 30
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (64, 64, 3)
    middle, corner = frames[1][28:36, 28:36].mean((0, 1)), frames[1][:4, :4].mean((0, 1))
    assert middle[0] > 3 * middle[1]  # the head's own red, in the middle
    assert corner[0] < corner[2] < 150  # before a dim blue backdrop


def test_blender_plays_curves_that_tell_their_rate_at_another(clip: Path) -> None:
    curves = np.linspace(0, 1, 60)[:, None]
    write_json(clip / "b.json", Recording(("JawOpen",), curves, None, 50.0, {}, "json"))
    done = blender(clip, "--csv", "b.json", "--head", "head.glb", "--save", "a.blend", "--out_fps", "25")
    assert "wrote a.blend: 30 frames at 25 fps, 2 channels on 2 meshes" in done.stdout, done.stderr


TURN_PROBE = """
import bpy, json
bpy.ops.wm.open_mainfile(filepath={file!r})
scene = bpy.context.scene
face = next(o for o in scene.objects if o.type == "MESH" and o.data.shape_keys)
rows = []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    rows.append([list(row) for row in face.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world])
print("FOUND", json.dumps(rows))
"""


def test_blender_turns_the_head_about_its_neck(clip: Path) -> None:
    angles = {"HeadYaw": np.radians([0, 0, 20.0])}
    write_json(clip / "b.json", Recording(("JawOpen",), np.zeros((3, 1)), None, 30.0, angles, "json"))
    done = blender(clip, "--csv", "b.json", "--head", "head.glb", "--save", "a.blend")
    assert "wrote a.blend" in done.stdout, done.stderr
    (clip / "probe.py").write_text(TURN_PROBE.format(file=str(clip / "a.blend")))
    probed = blender(clip, script=clip / "probe.py")
    rest, _, turned = np.array(json.loads(probed.stdout.partition("FOUND")[2].partition("\n")[0] or probed.stderr))
    cosine, sine = np.cos(np.radians(20)), np.sin(np.radians(20))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])  # about z: from -y, ahead, to +x, its left
    np.testing.assert_allclose(turned[:3, :3], turn @ rest[:3, :3], atol=1e-5)


def test_blender_names_a_head_without_arkit_shapes(clip: Path) -> None:
    (clip / "bad.glb").write_bytes(b"not a head")
    done = blender(clip, "--csv", "a.csv", "--head", "bad.glb", "--save", "a.blend")
    assert done.returncode == 1
    assert "error: bad.glb: Blender cannot import it" in done.stderr
    assert not (clip / "a.blend").exists()
