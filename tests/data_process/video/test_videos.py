"""Videos become a corpus: by a made-up tracker in every part, and by MediaPipe where it is."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import data_process.prepare as prepare_command
import data_process.video.__main__ as video_command
from data_process.doctor.judgement import Sides
from data_process.doctor.measure import Measured
from data_process.doctor.video_findings import judge_video, wrong_persons
from data_process.stages import Item
from data_process.video.corpus_of_videos import write_rows
from data_process.video.known import compare, further_sections, known_columns, table
from data_process.video.measures import ClipMeasures, as_clip_measures
from data_process.video.readings import GAINS, READINGS, UNREAD, calibrated
from data_process.video.stage import VideoReport, VideoSettings, clip_item, clip_rows, write_clips
from data_process.video.tracked import Tracked, read_tracked, write_tracked
from dataset.blendshapes import ARKIT
from dataset.corpus import ClipFiles, Corpus
from dataset.recordings.layouts import read_recording
from tests.helpers import ROOT, SHARED, refused, refused_file, run_main, write_movie

MODEL = SHARED / "mediapipe" / "face_landmarker.task"
ADDRESS = SHARED / "video" / "address.mp4"
needs_tracker = pytest.mark.skipif(
    not (MODEL.exists() and ADDRESS.exists() and importlib.util.find_spec("mediapipe")),
    reason="needs mediapipe (requirements-video.txt), ../shared/data/mediapipe and ../shared/data/video",
)


def tracks(seconds: float = 6.0, fps: float = 30.0, lost: tuple[int, int] = (0, 0), cut: int = 0) -> Tracked:
    """A face that rests at 0.1 in all channels and opens its jaw; lost in some frames, cut at one."""
    frames = round(seconds * fps)
    times_s = np.arange(frames) / fps
    scores = np.full((frames, 52), 0.1, np.float32)
    scores[:, ARKIT.index("JawOpen")] += 0.4 * (np.sin(2 * np.pi * times_s) > 0.5)
    angles, boxes = np.zeros((frames, 3), np.float32), np.tile(np.array([100, 100, 180, 220], np.float32), (frames, 1))
    angles[:, 0] = 0.2
    builds = np.zeros((frames, 6), np.float32)
    for column in (scores, angles, boxes, builds):
        column[slice(*lost)] = np.nan
    shots = (np.arange(frames) >= cut).astype(int) if cut else np.zeros(frames, int)
    return Tracked(times_s, shots, np.full(frames, 0.01), scores, angles, boxes, builds, np.full(frames, np.nan))


def cut_into_clips(
    tmp_path: Path, tracked: Tracked, fps: float = 30.0, calibrate: bool = False
) -> tuple[Corpus, dict[str, dict[str, object]]]:
    corpus = Corpus(tmp_path / "out")
    video = write_movie(tmp_path / "me.mov", np.random.default_rng(0).normal(0, 0.1, (48_000 * 6, 1)), seconds=0.1)
    file = corpus.records("video") / "me.npz"
    write_tracked(file, tracked)
    item = clip_item("me", video, corpus, {"clips": len(clip_rows(tracked)), "has_sound": True})
    return corpus, write_clips(item, VideoSettings(fps, MODEL, calibrate=calibrate))


def test_a_video_of_one_take_is_a_clip_of_its_name(tmp_path: Path) -> None:
    corpus, found = cut_into_clips(tmp_path, tracks())
    assert list(found) == ["me"]
    recording = read_recording(corpus.place("bs", "me"))
    jaw = recording.curves()[:, ARKIT.index("JawOpen")]
    assert recording.frames == 180
    assert jaw.min() == 0 and jaw.max() == pytest.approx(0.4 / 0.9, abs=1e-5)  # its rest is 0, of what is left
    assert recording.curves()[:, ARKIT.index("MouthFunnel")].max() == 0
    assert recording.angles["HeadYaw"] == pytest.approx(np.full(180, 0.2), abs=1e-5)
    neutral = read_recording(corpus.place("neutral", "me")).curves()
    assert neutral == pytest.approx(np.full((1, 52), 0.1), abs=1e-5)


def test_sound_is_cut_where_the_clip_is(tmp_path: Path) -> None:
    import soundfile

    corpus, found = cut_into_clips(tmp_path, tracks(lost=(60, 70), cut=120), fps=25)
    assert list(found) == ["me_1", "me_2", "me_3"]
    whole, rate = soundfile.read(corpus.place("wav", "me_3"))
    assert (rate, len(whole)) == (16_000, 32_000)
    assert [found[clip]["video"]["start_s"] for clip in found] == pytest.approx([0, 70 / 30, 4])  # type: ignore[index]
    assert [read_recording(corpus.place("bs", clip)).frames for clip in found] == [50, 42, 50]
    assert "TongueOut" in found["me_1"]["bs"]["dead"] and "JawOpen" not in found["me_1"]["bs"]["dead"]  # type: ignore[index]
    assert found["me_1"]["video"]["lost_share"] == pytest.approx(10 / 120)  # type: ignore[index]


def test_tracks_are_kept_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    tracked = tracks()
    write_tracked(path, tracked)
    np.testing.assert_array_equal(read_tracked(path).scores, tracked.scores)
    path.write_bytes(b"PK")
    assert refused_file(read_tracked, path) == "not what tracking wrote; remove it and run again"


MEASURES = ClipMeasures(30.0, 0.0, 300.0, 0.0, 0.0, 0.0, 0.0, 0.005, (0.0,) * 6)


@pytest.mark.parametrize(
    ("change", "kind", "level"),
    [
        ({}, None, None),
        ({"lost_share": 0.2}, "lost face", "warning"),
        ({"face_px": 60.0}, "small face", "warning"),
        ({"face_px": 30.0}, "small face", "error"),
        ({"profile_share": 0.7}, "profile", "error"),
        ({"still_share": 0.3}, "still picture", "warning"),
        ({"source_fps": 12.0}, "slow video", "warning"),
        ({"rival_share": 0.5, "rival_moves": 0.8}, "more than one speaker", "warning"),
        ({"rival_share": 0.5, "rival_moves": 0.1}, None, None),
    ],
)
def test_the_doctor_judges_videos(change: dict[str, float], kind: str | None, level: str | None) -> None:
    from dataclasses import asdict

    measures = as_clip_measures({**asdict(MEASURES), **change, "start_s": 0.0})
    assert measures is not None
    assert [(f.kind, f.level) for f in judge_video("a", measures)] == ([(kind, level)] if kind else [])
    assert as_clip_measures(None) is None and as_clip_measures({"face_px": 1}) is None


def test_another_person_stands_out() -> None:
    from dataclasses import replace

    from data_process.doctor.measure import measure_curves
    from dataset.recordings.recording import Recording

    def clip(name: str, frames: int, build: float) -> Measured:
        values = np.random.default_rng(0).random((frames, 52))
        curves = measure_curves(Recording(ARKIT, values, None, 30.0, {}, "arkit"), 30.0, None, {})
        return Measured(ClipFiles(name), curves=curves, video=replace(MEASURES, build=(build,) * 6))

    clips = [clip("a", 300, 0.0), clip("b", 60, 0.05), clip("c", 60, 0.3)]
    speakers = {"a": "me", "b": "me", "c": "me"}
    assert [finding.clip for finding in wrong_persons(clips, Sides(speakers=speakers))] == ["c"]
    assert list(wrong_persons(clips, Sides(speakers={**speakers, "c": "you"}))) == []


def test_known_curves_are_compared_channel_by_channel() -> None:
    known = known_columns()
    frames = len(known["JawOpen"])
    scores = 0.5 * np.column_stack([known[name] for name in ARKIT]) + 0.1
    scores[:, ARKIT.index("TongueOut")] = 0
    scores[:, ARKIT.index("CheekPuff")] += 0.8 * known["JawOpen"]
    angles = np.column_stack([known[name] for name in ("HeadYaw", "HeadPitch", "HeadRoll")])
    nothing = np.zeros(frames)
    read = compare(Tracked(np.arange(frames) / 15, nothing, nothing, scores, angles, nothing, nothing, nothing))
    assert read["MouthFunnel"][:2] == pytest.approx((1, 0.5))
    assert read["JawOpen"][2] == "CheekPuff 0.80"
    assert read["TongueOut"][:2] == pytest.approx((0, 0))
    assert read["CheekPuff"][0] < 0.6
    assert read["HeadYaw"][:2] == pytest.approx((1, 1))


def test_what_is_written_below_the_table_stays(tmp_path: Path) -> None:
    readings = {"ours": dict.fromkeys(known_columns(), (0.5, 0.25, "JawOpen 0.10"))}
    page = tmp_path / "a.md"
    assert further_sections(page) == ""
    page.write_text(table(readings) + "\n## Pace\n\nfast\n\n## More\n", encoding="utf-8")
    assert further_sections(page) == "\n## Pace\n\nfast\n\n## More\n"


def test_the_readings_are_those_of_the_closed_loop() -> None:
    lines = (ROOT / "result" / "closed_loop.md").read_text(encoding="utf-8").splitlines()
    table = [line.replace("✗", "").strip("| ").split("|") for line in lines if line.startswith("| ")]
    measured = {cells[0].strip(): (float(cells[1]), float(cells[2])) for cells in table if cells[0].strip() in READINGS}
    assert measured == READINGS
    assert UNREAD == (
        "JawForward", "JawLeft", "JawRight", "MouthClose", "MouthDimpleLeft", "MouthDimpleRight", "MouthRollLower",
        "MouthRollUpper", "MouthPressLeft", "MouthPressRight", "CheekPuff", "CheekSquintLeft", "CheekSquintRight",
        "NoseSneerLeft", "NoseSneerRight", "TongueOut",
    )  # fmt: skip
    gains = {
        "JawOpen": 0.69, "MouthFunnel": 0.4, "MouthPucker": 0.87, "MouthStretchLeft": 0.4, "MouthStretchRight": 0.4,
    }  # fmt: skip
    assert dict(GAINS) == pytest.approx(gains)


def test_calibrated_curves_are_divided_by_their_gain(tmp_path: Path) -> None:
    curves = np.full((2, 52), 0.6)
    curves[1] = 0.0
    stretched = calibrated(curves)
    expected = [min(1.0, 0.6 / GAINS.get(name, 1.0)) for name in ARKIT]
    assert stretched.tolist() == [pytest.approx(expected), [0.0] * 52] and expected[ARKIT.index("MouthFunnel")] == 1
    corpus, _ = cut_into_clips(tmp_path, tracks(), calibrate=True)
    jaw = read_recording(corpus.place("bs", "me")).curves()[:, ARKIT.index("JawOpen")]
    assert jaw.max() == pytest.approx(0.4 / 0.9 / 0.69, abs=1e-5)


def test_the_manifest_says_what_the_tracker_does_not_read_and_what_was_calibrated(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.write_manifest({"b": {"speaker": "you"}, "c": {"speaker": "she", "uncaptured": "TongueOut"}})
    for calibrate in (True, False):
        rows = {clip: VideoSettings(calibrate=calibrate).manifest_row("me") for clip in "ac"}
        write_rows(corpus, VideoReport(rows=rows))
        found = corpus.read_manifest()
        assert {clip: row["speaker"] for clip, row in found.items()} == {"a": "me", "c": "she", "b": "you"}
        assert corpus.uncaptured() == {"a": UNREAD, "c": ("TongueOut",)}
        noted = [found[clip].get("calibrated", "") for clip in "abc"]
        stretched = "JawOpen/0.69" if calibrate else ""
        assert [note.split(" ")[0] for note in noted] == [stretched, "", stretched]


def test_what_is_missing_is_told_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").mkdir()
    write_movie(tmp_path / "in" / "a.mp4", None)
    words = ("--source", tmp_path / "in", "--out", tmp_path / "out", "--tracker", tmp_path / "none.task")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install -r requirements-video.txt" in refused(run_main, video_command, *words)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    line = refused(run_main, video_command, *words)
    assert line.startswith(f"{tmp_path / 'none.task'}: no such file; get the tracker's model") and "curl" in line
    assert "no video in it" in refused(run_main, video_command, "--source", tmp_path / "empty", *words[2:])


def test_prepare_takes_the_sound_of_videos_where_no_tracker_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    write_movie(tmp_path / "in" / "a.mp4", np.random.default_rng(0).normal(0, 0.1, (48_000, 1)), "aac")
    run_main(prepare_command, "--source", tmp_path / "in", "--out", tmp_path / "out", "--jobs", 1)
    assert Corpus(tmp_path / "out").place("wav", "a").is_file()
    assert "--tracker makes curves" in (tmp_path / "out" / "prepare.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of a real speech, tracked through prepare; returns the corpus."""
    import av

    folder = tmp_path_factory.mktemp("address")
    (folder / "speaker").mkdir()
    with av.open(str(ADDRESS)) as source, av.open(str(folder / "speaker" / "address.mp4"), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < 2.5:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    run_main(
        prepare_command, "--source", folder / "speaker", "--out", folder / "out", "--out_fps", 30,
        "--tracker", MODEL, "--jobs", 1,
    )  # fmt: skip
    return folder / "out"


@needs_tracker
def test_a_real_speech_becomes_a_clip(address: Path) -> None:
    corpus = Corpus(address)
    recording = read_recording(corpus.place("bs", "address"))
    jaw = recording.curves()[:, ARKIT.index("JawOpen")]
    assert jaw.max() > 0.15 and recording.curves()[:, ARKIT.index("TongueOut")].max() == 0
    assert np.degrees(recording.angles["HeadYaw"]).min() < -15  # he turns to his right
    document = json.loads(corpus.prepared.read_text(encoding="utf-8"))["clips"]["address"]
    assert (document["bs"]["layout"], document["bs"]["seconds"]) == ("mediapipe", pytest.approx(2.5, abs=0.1))
    assert document["video"]["source_fps"] == pytest.approx(12, abs=0.01)
    row = {"id": "address", "speaker": "speaker", "uncaptured": " ".join(UNREAD)}
    assert corpus.read_manifest() == {"address": row}
    assert not list(address.rglob("*.jpg"))


@needs_tracker
def test_what_is_tracked_is_not_tracked_again(address: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from data_process.video import stage

    def never(item: Item) -> None:
        raise AssertionError(item)

    monkeypatch.setattr(stage, "track_video", never)
    words = ("--source", address.parent / "speaker", "--out", address, "--out_fps", 25, "--tracker", MODEL, "--jobs", 1)
    run_main(video_command, *words)
    found = Corpus(address).read_prepared().clips["address"]["bs"]
    assert read_recording(Corpus(address).place("bs", "address")).frames == found["frames"]
    assert found["frames"] == pytest.approx(25 * found["seconds"], abs=0.51)
