"""What other tools write, read to the values that are right: the shared cases, and small twins of our own."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, canonical, read_curves
from dataset.recordings.layout_facecap import is_facecap
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from tests.helpers import CASES, needs_case, refused

FIXED = {name: round(0.01 * (index + 1), 2) for index, name in enumerate(ARKIT)}  # of every channel but JawOpen


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def row(open_: float) -> list[float]:
    return list((FIXED | {"JawOpen": open_}).values())


def holds_the_fixed_values(recording: Recording, less: tuple[str, ...] = ()) -> None:
    for name, values in zip(ARKIT, recording.curves().T, strict=True):
        if name != "JawOpen":
            np.testing.assert_allclose(values, 0 if name in less else FIXED[name], atol=1e-9, err_msg=name)


def table(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> Path:
    path.write_text("\n".join(",".join(str(cell) for cell in cells) for cells in [header, *rows]) + "\n")
    return path


def document(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


# Names


@pytest.mark.parametrize(
    ("name", "arkit"),
    [
        ("A25_Jaw_Open", "JawOpen"),
        ("A11_Eye_Look_In_Left", "EyeLookInLeft"),
        ("A27_Jaw_Left", "JawLeft"),
        ("A28_Jaw_Right", "JawRight"),
        ("head__jawOpen", "JawOpen"),
        ("rig:jawOpen", "JawOpen"),
        ("a:b.head__A25_Jaw_Open", "JawOpen"),
        ("blendShapes.mouthSmile_L", "MouthSmileLeft"),
        ("jaw__open", "JawOpen"),
        ("A53_Jaw_Open", None),
        ("A00_Jaw_Open", None),
        ("lowerjawOpen", None),
        ("noseSneerLeft_helper", None),
        ("head_jawOpen", None),
        ("." * 100_000 + "x", None),
    ],
)
def test_a_tools_prefix_is_taken_off(name: str, arkit: str | None) -> None:
    assert canonical(name) == arkit


@needs_case("08-nvidia-a2f-csv")
def test_audio2face_3d_csv() -> None:
    recording = read_recording(CASES / "08-nvidia-a2f-csv" / "animation_frames.csv")
    assert (recording.fps, set(recording.names)) == (30, set(ARKIT))
    holds_the_fixed_values(recording)
    np.testing.assert_allclose(recording.clock_s(), np.arange(recording.frames) / 30, atol=1e-6)


def test_row_numbers_without_a_title_are_passed_over_and_time_code_is_seconds(tmp_path: Path) -> None:
    header = [f"blendShapes.{name}" for name in ARKIT]
    for title in ("", "Unnamed: 0"):
        rows = [[frame + 1, frame / 25, *row(frame / 10)] for frame in range(4)]
        recording = read_recording(table(tmp_path / "a.csv", [title, "timeCode", *header], rows))
        assert (recording.fps, recording.frames) == (25, 4)
        holds_the_fixed_values(recording)
    rows[2][0] = 7
    line = refused(read_recording, table(tmp_path / "a.csv", ["", "timeCode", *header], rows))
    assert '"" is no ARKit blendshape' in line
    rows = [[frame, frame, *row(0)] for frame in range(4)]
    assert "no ARKit blendshape" in refused(read_recording, table(tmp_path / "a.csv", ["", "", *header], rows))


@pytest.mark.parametrize("name", ["facediffuser.csv", "mediapipe.csv"])
@needs_case("21-tongueless")
def test_a_csv_without_a_tongue(name: str) -> None:
    recording = read_recording(CASES / "21-tongueless" / name)
    assert recording.fps == 30 and "TongueOut" not in recording.names
    holds_the_fixed_values(recording, less=("TongueOut",))


def test_no_layout_needs_a_tongue(tmp_path: Path) -> None:
    names, rows = list(ARKIT[:-1]), [row(0.1)[:-1], row(0.2)[:-1]]
    csv = table(tmp_path / "a.csv", names, rows)
    json_file = document(tmp_path / "b.json", {"names": names, "frames": rows})
    for path in (csv, json_file):
        holds_the_fixed_values(read_recording(path), less=("TongueOut",))
    assert not read_curves(csv)[:, -1].any()


# json


@needs_case("09-json-matrices")
def test_audio2face_json() -> None:
    recording = read_recording(CASES / "09-json-matrices" / "a2f.json")
    assert (recording.layout, recording.frames, recording.fps) == ("a2f", 45, 30)
    assert recording.select(("JawOpen",))[1, 0] == pytest.approx(0.422, abs=1e-9)
    holds_the_fixed_values(recording)


@needs_case("09-json-matrices")
def test_azures_chunks() -> None:
    recording = read_recording(CASES / "09-json-matrices" / "azure.json")
    assert (recording.layout, recording.frames, recording.fps) == ("azure", 60, 60)
    holds_the_fixed_values(recording)


def test_azures_chunks_stand_where_their_first_frame_says(tmp_path: Path) -> None:
    frame = [*row(0.3), 0.1, 0.2, 0.3]
    chunks = [{"FrameIndex": 0, "BlendShapes": [frame] * 3}, {"FrameIndex": 5, "BlendShapes": [frame] * 2}]
    recording = read_recording(document(tmp_path / "a.json", chunks))
    np.testing.assert_allclose(recording.clock_s() * 60, [0, 1, 2, 5, 6])
    assert recording.dropped_before.sum() == 2 and recording.angles["RightEyeRoll"].tolist() == [0.3] * 5
    assert read_recording(document(tmp_path / "a.json", chunks[0])).frames == 3
    chunks[1]["FrameIndex"] = 2
    assert "chunk 1 begins at frame 2" in refused(read_recording, document(tmp_path / "a.json", chunks))
    chunks[1]["FrameIndex"] = 10**12
    assert "chunk 1 is no" in refused(read_recording, document(tmp_path / "a.json", chunks))


def test_audio2face_json_without_its_names_is_refused(tmp_path: Path) -> None:
    matrix: dict[str, object] = {"exportFps": 30, "weightMat": [row(0.1)]}
    assert '"facsNames"' in refused(read_recording, document(tmp_path / "a.json", matrix))
    matrix["facsNames"] = [camel(name) for name in ARKIT]
    assert read_recording(document(tmp_path / "a.json", matrix)).frames == 1
    matrix["exportFps"] = True
    assert '"exportFps" must be a number' in refused(read_recording, document(tmp_path / "a.json", matrix))


@pytest.mark.parametrize("name", ["lost.json", "results.json"])
@needs_case("22-mediapipe-results")
def test_frames_without_a_face_are_dropped(name: str) -> None:
    recording = read_recording(CASES / "22-mediapipe-results" / name)
    assert (recording.frames, recording.fps, recording.dropped_before.tolist()) == (8, 30, [0] * 4 + [2] + [0] * 3)
    np.testing.assert_allclose(recording.clock_s() * 30, [0, 1, 2, 3, 6, 7, 8, 9], atol=1e-3)
    holds_the_fixed_values(recording, less=("TongueOut",))


def categories(open_: float) -> list[dict[str, object]]:
    return [
        {"category_name": camel(name), "score": value} for name, value in zip(ARKIT[:-1], row(open_)[:-1], strict=True)
    ]


def test_a_first_frame_without_a_face_keeps_its_time(tmp_path: Path) -> None:
    frames = [{"timestamp_ms": 40 * index, "face_blendshapes": []} for index in range(6)]
    for index in (2, 3, 5):
        frames[index]["face_blendshapes"] = [categories(index / 10)]
    recording = read_recording(document(tmp_path / "a.json", frames))
    np.testing.assert_allclose(recording.clock_s(), [0, 0.08, 0.12, 0.2])
    assert recording.select(("JawOpen",))[:, 0].tolist() == [0.2, 0.2, 0.3, 0.5]


def test_frames_without_a_face_need_times(tmp_path: Path) -> None:
    frames = [{"categories": categories(0.1)}, {"categories": []}, {"categories": categories(0.3)}]
    line = refused(read_recording, document(tmp_path / "a.json", frames))
    assert 'frame 1: no face was found in it, and nothing tells when frames stand: give each frame a "timestamp' in line
    recording = read_recording(document(tmp_path / "a.json", {"fps": 25, "frames": frames}))
    np.testing.assert_allclose(recording.clock_s(), [0, 0.08])
    assert "no face was found in any of its 2" in refused(
        read_recording, document(tmp_path / "a.json", frames[1:2] * 2)
    )
    faces = [{"faceBlendshapes": [{"categories": categories(0.1)}] * 2}]
    assert "several faces" in refused(read_recording, document(tmp_path / "a.json", faces))


# Face Cap


@needs_case("10-facecap-txt")
def test_a_take_of_face_cap() -> None:
    path = CASES / "10-facecap-txt" / "take" / "take_01.txt"
    recording = read_recording(path)
    assert is_facecap(path) and (recording.layout, recording.fps) == ("facecap", 60)
    holds_the_fixed_values(recording)
    even = recording.at_rate(30)
    assert even.frames == 30 and even.select(("JawOpen",))[1, 0] == pytest.approx(0.42, abs=0.01)


def test_face_caps_mistakes_have_their_line(tmp_path: Path) -> None:
    path, names = tmp_path / "a.txt", ",".join(map(camel, ARKIT))
    rows = [f"k,{40 * frame},0,0,0,1,2,3,4,5,6,7,{','.join(map(str, row(0.1)))}" for frame in range(3)]
    path.write_text("\n".join(["info,2", f"bs,{names}", *rows]))
    recording = read_recording(path)
    assert (recording.fps, recording.angles["HeadYaw"].tolist()) == (25, [2, 2, 2])
    path.write_text("\n".join([f"bs,{names}", rows[0], rows[1] + ",1"]))
    assert "line 3: 64 cells" in refused(read_recording, path)
    path.write_text(f"bs,{names}\n")
    assert "0 frames" in refused(read_recording, path)
    path.write_text("bs, said nobody, nothing, k.")
    assert not is_facecap(path) and not is_facecap(tmp_path / "none.txt")
    assert 'not as ".txt"' in refused(read_recording, path)
