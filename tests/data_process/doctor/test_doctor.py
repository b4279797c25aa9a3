"""The data doctor on real clips: planted defects are found, clean clips raise none, and --fix gives a clean corpus."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import data_process.doctor.__main__ as command
from config.errors import UserError
from data_process.doctor import record
from data_process.doctor.diagnosis_page import write_diagnosis_page
from data_process.doctor.examine import examine
from data_process.doctor.findings import judge
from data_process.doctor.judgement import Finding, Sides
from data_process.doctor.measure import Measured, measure, measure_curves
from data_process.doctor.mend import Cut, cut_words, mend
from data_process.doctor.report import Diagnosis, terminal_lines, write_findings
from data_process.facegood import convert
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, read_csv, read_curves, write_curves
from dataset.corpus import ClipFiles, read_manifest
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.transcript import Word
from tests.data_process.doctor.swaps import SIDEWAYS, swap_sides
from tests.helpers import (
    CAPTURES,
    DEMO,
    FACEGOOD,
    KILLED_STATUS,
    ROOT,
    launch,
    printed_by,
    refused,
    run_command,
    skip_without,
)  # fmt: skip

FPS, RATE = 30, 16_000
PIECE_S = 20

Pair = tuple[np.ndarray, np.ndarray]  # (samples,) 16 kHz and (frames, 52)


def inspect(corpus: Path, fps: float | None = None, val: Sequence[str] = (), strict: bool = False) -> Diagnosis:
    """The diagnosis in the only process."""
    diagnosis = examine(corpus, fps, val, strict=strict)
    assert diagnosis is not None
    return diagnosis


def pieces(folder: Path, seconds: float, each: int | None = None) -> Iterator[tuple[str, Pair]]:
    """Name and content of pieces of a corpus's clips, of so many seconds, the first `each` of every clip."""
    frames = round(seconds * FPS)
    for wav in sorted((folder / "wav").iterdir()):
        audio, curves = read_audio(wav), read_curves(folder / "bs" / f"{wav.stem}.csv")
        for number, start in enumerate(range(0, len(curves) - frames + 1, frames)[:each]):
            samples = slice(round(start / FPS * RATE), round((start + frames) / FPS * RATE))
            yield f"{wav.stem}_{number}", (audio[samples], curves[start : start + frames])


def write_corpus(folder: Path, clips: dict[str, Pair]) -> Path:
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    for name, (audio, curves) in clips.items():
        soundfile.write(folder / "wav" / f"{name}.wav", audio, RATE, subtype="PCM_16")
        write_curves(folder / "bs" / f"{name}.csv", curves)
    return folder


# The defects, each planted into a clip as recorders, exporters and scripts leave them.


def late(clip: Pair) -> Pair:
    """Curves 120 ms late: three frames and 0.6, by linear interpolation."""
    audio, curves = clip
    times = np.arange(len(curves)) - 0.12 * FPS
    return audio, np.stack([np.interp(times, np.arange(len(curves)), column) for column in curves.T], axis=1)


def early(clip: Pair) -> Pair:
    audio, curves = clip
    return np.concatenate([np.zeros(round(0.12 * RATE), np.float32), audio])[: len(audio)], curves


def lost_here_and_there(clip: Pair) -> Pair:
    audio, curves = clip
    lost = np.random.default_rng(5).choice(len(curves), len(curves) // 20, replace=False)
    return audio, np.delete(curves, lost, axis=0)


def lost_at_once(clip: Pair) -> Pair:
    audio, curves = clip
    start = len(curves) // 3
    return audio, np.delete(curves, np.arange(start, start + len(curves) // 20), axis=0)


def freeze(clip: Pair) -> Pair:
    """One second held, where the mouth moves most."""
    audio, curves = clip
    motion = np.abs(np.diff(curves, axis=0)).sum(axis=1)
    start = int(np.convolve(motion, np.ones(FPS), "valid").argmax())
    held = curves.copy()
    held[start : start + FPS] = held[start]
    return audio, held


def saturate(clip: Pair) -> Pair:
    audio, curves = clip
    return audio, (curves * 4).clip(0, 1)


def tremble(clip: Pair) -> Pair:
    audio, curves = clip
    return audio, (curves + np.random.default_rng(6).normal(0, 0.02, curves.shape)).clip(0, 1)


def doubled(clip: Pair) -> Pair:
    """25 frames a second filled up to 30 by doubling every fifth."""
    audio, curves = clip
    rows = np.arange(len(curves)) * 5 // 6
    return audio, curves[np.round(rows * 6 / 5).astype(int).clip(0, len(curves) - 1)]


def offset_face(clip: Pair) -> Pair:
    audio, curves = clip
    return audio, (curves + 0.4).clip(0, 1)


def clip_sound(clip: Pair) -> Pair:
    audio, curves = clip
    return (audio * 4).clip(-0.999, 0.999), curves


DEFECTS: dict[str, tuple[Callable[[Pair], Pair], set[str]]] = {
    "curves 120 ms late": (late, {"lag"}),
    "curves 120 ms early": (early, {"lag"}),
    "5 % of frames lost, scattered": (lost_here_and_there, {"drift"}),
    "5 % of frames lost at once": (lost_at_once, {"drift"}),
    "frozen for 1 s": (freeze, {"frozen"}),
    "saturated": (saturate, {"saturated"}),
    "trembling": (tremble, {"jitter"}),
    "doubled frames": (doubled, {"doubled frames"}),
    "no rest": (offset_face, {"no rest"}),
    "clipped sound": (clip_sound, {"clipped sound"}),
}


def kinds(findings: list[Finding]) -> set[str]:
    return {finding.kind for finding in findings if finding.level != "note"}


def planted_table(clips: dict[str, Pair], folder: Path) -> dict[str, tuple[int, int, int]]:
    """Defect → (clips in which it was found, planted, clean clips that raise it)."""
    clean = inspect(write_corpus(folder / "clean", clips), FPS)
    table = {}
    for number, (name, (plant, expected)) in enumerate(DEFECTS.items()):
        corpus = write_corpus(folder / f"defect{number}", {clip: plant(content) for clip, content in clips.items()})
        found = {finding.clip for finding in inspect(corpus, FPS).findings if finding.kind in expected}
        false = {finding.clip for finding in clean.findings if finding.kind in expected}
        table[name] = (len(found & clips.keys()), len(clips), len(false))
    return table


@pytest.fixture(scope="session")
def facegood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without(FACEGOOD)
    out = tmp_path_factory.mktemp("facegood") / "corpus"
    convert(FACEGOOD, out)
    return out


@pytest.fixture(scope="session")
def clips(facegood: Path) -> dict[str, Pair]:
    """A piece of each of the five clips."""
    return dict(pieces(facegood, PIECE_S, each=1))


def captured_pieces(seconds: float = PIECE_S) -> dict[str, Recording]:
    """Pieces of the Live Link Face captures."""
    skip_without(CAPTURES)
    found, frames = {}, round(seconds * FPS)
    for path in sorted(CAPTURES.glob("*.csv")):
        whole = read_recording(path)
        for number, start in enumerate(range(0, whole.frames - frames + 1, frames)):
            rows = slice(start, start + frames)
            angles = {name: values[rows] for name, values in whole.angles.items()}
            piece = replace(whole, values=whole.values[rows], times_s=None, angles=angles)
            found[f"{path.stem}_{number}"] = piece
    return found


def swapped(recording: Recording, pairs: tuple[str, ...] | None = None) -> Recording:
    curves = swap_sides(recording.curves(), pairs) if pairs else swap_sides(recording.curves())
    return replace(recording, names=ARKIT, values=curves)


def measured(recordings: dict[str, Recording]) -> dict[str, Measured]:
    return {
        name: Measured(ClipFiles(name, wav=Path(name), bs=Path(name)), curves=measure_curves(recording, FPS, None, {}))
        for name, recording in recordings.items()
    }


def sides(clips: dict[str, Measured]) -> dict[str, str]:
    """Clip → level of its finding on the sides, notes left out."""
    found = [finding for finding in judge(list(clips.values()), Sides()) if finding.kind == "sides"]
    return {finding.clip: finding.level for finding in found if finding.level != "note"}


def test_every_planted_defect_is_found_and_clean_clips_raise_none(clips: dict[str, Pair], tmp_path: Path) -> None:
    table = planted_table(clips, tmp_path)
    print(
        "\n".join(
            f"{name:32} {found}/{planted} found, {false} false alarms"
            for name, (found, planted, false) in table.items()
        )
    )
    assert {name: counts[0] for name, counts in table.items()} == dict.fromkeys(DEFECTS, len(clips))
    assert {name: counts[2] for name, counts in table.items()} == dict.fromkeys(DEFECTS, 0)


def test_whole_clean_clips_and_the_demo_corpus_raise_no_warning(facegood: Path, tmp_path: Path) -> None:
    demo = shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns(".stages"))
    for corpus in (facegood, demo):
        assert kinds(list(inspect(corpus, FPS).findings)) == set()


def test_swapped_sides_are_found_by_the_eyes_angles() -> None:
    recordings = captured_pieces()
    clean = measured(recordings)
    assert sides(clean) == {}
    telling = {name for name, clip in clean.items() if clip.curves and clip.curves.gaze is not None}
    assert len(telling) >= 10
    for name in telling:
        assert sides(clean | measured({name: swapped(recordings[name])})) == {name: "error"}


def test_swapped_sides_are_suspected_by_the_faces_asymmetry() -> None:
    recordings = {name: replace(recording, angles={}) for name, recording in captured_pieces().items()}
    clean = measured(recordings)
    assert sides(clean) == {}
    for name, recording in recordings.items():
        assert sides(clean | measured({name: swapped(recording)})) == {name: "warning"}
    several = list(recordings)[::3]
    assert sides(clean | measured({name: swapped(recordings[name]) for name in several})).keys() == set(several)


def test_jaw_and_mouth_read_by_position_are_suspected_in_a_single_clip() -> None:
    for name, recording in captured_pieces().items():
        assert sides(measured({name: swapped(replace(recording, angles={}), SIDEWAYS)})) == {name: "warning"}


def test_a_swap_of_mirrored_sides_is_said_to_be_invisible(clips: dict[str, Pair], tmp_path: Path) -> None:
    mirrored = {name: (audio, (curves + swap_sides(curves)) / 2) for name, (audio, curves) in clips.items()}
    findings = inspect(write_corpus(tmp_path, mirrored), FPS).findings
    assert [(f.level, f.clip) for f in findings if f.kind == "sides"] == [("note", "")]


def test_captures_tell_their_own_rate_and_lost_frames(tmp_path: Path) -> None:
    captured_pieces()
    (tmp_path / "bs").mkdir()
    for path in CAPTURES.glob("*.csv"):
        shutil.copy(path, tmp_path / "bs")
    report = inspect(tmp_path, 60)
    assert {clip.id: (clip.curves.fps, clip.curves.dropped) for clip in report.clips if clip.curves} == {
        "alex_rom_3": (30.0, 3),
        "alex_rom_4": (30.0, 2),
    }
    assert kinds(list(report.findings)) == {"no sound"}
    assert [f.level for f in report.findings if f.kind == "lost frames"] == ["note", "note"]


def test_what_prepare_found_in_the_raw_files_is_judged_too(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, dict(list(clips.items())[:2]))
    first, second = sorted(clips)[:2]
    raw = {
        "wav": {"clipped_share": 0.02, "dc_offset": 0.0, "silent_share": 0.1, "hum_db": 3.0, "peak": 1.0},
        "bs": {"source_frames": 1100, "dropped_frames": 100, "doubled_frames": 0},
    }
    (corpus / "prepare.json").write_text(json.dumps({"fps": 30.0, "clips": {first: raw, second: {}}}))
    report = inspect(corpus)
    found = {(f.clip, f.kind, f.level) for f in report.findings if f.level != "note"}
    assert found == {(first, "clipped sound", "error"), (first, "lost frames", "error")}
    (corpus / "prepare.json").write_text("[]")
    with pytest.raises(UserError, match="not what prepare wrote"):
        inspect(corpus)


def test_the_rate_that_prepare_wrote_is_the_default(clips: dict[str, Pair], tmp_path: Path) -> None:
    name, (audio, curves) = next(iter(clips.items()))
    corpus = write_corpus(tmp_path / "corpus", {name: (audio, curves[::2])})
    (corpus / "prepare.json").write_text('{"fps": 15.0, "clips": {"gone": {}}}')
    assert kinds(list(inspect(corpus).findings)) == set()
    mend(inspect(corpus), tmp_path / "fixed")
    assert kinds(list(inspect(tmp_path / "fixed").findings)) == set()


def altered_copies(audio: np.ndarray) -> dict[str, np.ndarray]:
    quiet_noise = np.random.default_rng(7).normal(0, 0.05 * audio.std(), len(audio))
    return {
        "as it is": audio,
        "quieter": audio * 0.2,
        "cut by 1.234 s": audio[round(1.234 * RATE) :],
        "its middle 8 s": audio[6 * RATE + 77 : 14 * RATE + 77],
        "with noise": audio + quiet_noise,
        "through 8 kHz": np.repeat(audio[::2], 2)[: len(audio)],
    }


@pytest.mark.parametrize(
    "change", ["as it is", "quieter", "cut by 1.234 s", "its middle 8 s", "with noise", "through 8 kHz"]
)
def test_a_training_clip_in_validation_is_an_error(clips: dict[str, Pair], tmp_path: Path, change: str) -> None:
    name, (audio, curves) = next(iter(clips.items()))
    copy = altered_copies(audio)[change].astype(np.float32)
    corpus = write_corpus(tmp_path, clips | {"validation": (copy, curves[: round(len(copy) / RATE * FPS)])})
    found = [finding for finding in inspect(corpus, FPS, ["validation"]).findings if finding.kind == "duplicate"]
    assert [(finding.level, finding.clip, finding.mend) for finding in found] == [("error", name, "drop")]
    assert "validation" in found[0].message


def test_a_copy_on_the_same_side_is_a_warning_for_the_later_one(clips: dict[str, Pair], tmp_path: Path) -> None:
    first = next(iter(clips))
    found = inspect(write_corpus(tmp_path, clips | {"zz_again": clips[first]}), FPS).findings
    assert [(f.level, f.clip) for f in found if f.kind == "duplicate"] == [("warning", "zz_again")]


def test_another_clips_sound_is_no_match(clips: dict[str, Pair], tmp_path: Path) -> None:
    names = list(clips)
    crossed = {
        name: (clips[other][0], clips[name][1]) for name, other in zip(names, names[1:] + names[:1], strict=True)
    }
    found = {f.clip for f in inspect(write_corpus(tmp_path, crossed), FPS).findings if f.level != "note"}
    assert found == set(names)


def test_curves_of_another_rate_are_recognised(clips: dict[str, Pair], tmp_path: Path) -> None:
    name, clip = next(iter(clips.items()))
    report = inspect(write_corpus(tmp_path, {name: clip}), 60)
    (found,) = [finding for finding in report.findings if finding.kind == "duration"]
    assert (found.level, found.mend) == ("error", "")
    assert "600 frames would be 30 fps" in found.message
    assert "--fps 30" in found.advice


def test_a_constant_delay_of_the_rig_is_told_once(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {name: late(clip) for name, clip in clips.items()})
    (found,) = [finding for finding in inspect(corpus, FPS).findings if finding.kind == "common lag"]
    assert 90 < float(re.findall(r"(\d+) ms late", found.message)[0]) < 150


def test_missing_and_unreadable_files_are_errors_with_their_line(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, dict(list(clips.items())[:3]))
    names = sorted(clips)[:3]
    (corpus / "wav" / f"{names[0]}.wav").unlink()
    (corpus / "bs" / f"{names[1]}.csv").write_text("JawOpen\nx\n")
    (corpus / "bs" / f"{names[2]}.csv").unlink()
    found = {finding.clip: finding.message for finding in inspect(corpus, FPS).findings if finding.level == "error"}
    assert found[names[0]] == "curves without sound"
    assert "JawOpen is not a number" in found[names[1]]
    assert found[names[2]] == "sound without curves"
    with pytest.raises(UserError, match="JawOpen is not a number"):
        inspect(corpus, FPS, strict=True)


def test_sound_and_faces_that_do_nothing(clips: dict[str, Pair], tmp_path: Path) -> None:
    audio, curves = next(iter(clips.values()))
    still = {"silent": (np.zeros_like(audio), curves), "still": (audio, np.zeros_like(curves))}
    found = inspect(write_corpus(tmp_path, still), FPS).findings
    assert {(f.clip, f.kind) for f in found if f.level == "error"} == {
        ("silent", "no speech"),
        ("still", "still mouth"),
    }


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (40, 2), (800, 1), (8000, 15), (40_000, 3)])
def test_the_shortest_clips_break_nothing(tmp_path: Path, samples: int, frames: int) -> None:
    rng = np.random.default_rng(0)
    report = inspect(write_corpus(tmp_path, {"a": (rng.normal(0, 0.1, samples), rng.random((frames, 52)))}), FPS)
    write_diagnosis_page(tmp_path / "page.html", report)
    write_findings(tmp_path / "report.json", report)


def test_speakers_on_both_sides_and_splits_by_manifest(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, clips)
    a, b, c, d, e = sorted(clips)
    rows = [(a, "ann", "train"), (b, "ann", "val"), (c, "bob", "train"), (d, "bob", "train"), (e, "eve", "val")]
    lines = ["id,speaker,split", *(",".join(row) for row in rows)]
    (corpus / "manifest.csv").write_text("\n".join(lines))
    report = inspect(corpus, FPS)
    assert report.sides.val == {b, e}
    (found,) = [finding for finding in report.findings if finding.kind == "speaker leakage"]
    assert (found.level, found.clip) == ("warning", "")
    assert found.message.startswith("ann speaks in 1 training and 1 validation")
    assert inspect(corpus, FPS, [a]).sides.val == {a}


def test_validation_by_folder(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, clips)
    first, *others = sorted(clips)
    for folder, names in (("val", [first]), ("train", others)):
        (corpus / "wav" / folder).mkdir()
        for name in names:
            (corpus / "wav" / f"{name}.wav").rename(corpus / "wav" / folder / f"{name}.wav")
    assert inspect(corpus, FPS).sides.val == {first}


def test_a_neutral_pose_that_is_none(clips: dict[str, Pair], tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, clips)
    first, second, *_ = sorted(clips)
    pose = np.zeros((1, 52))
    write_curves(corpus / "neutral" / f"{first}.csv", pose)
    pose[0, ARKIT.index("MouthSmileLeft")] = 0.3
    write_curves(corpus / "neutral" / f"{second}.csv", pose)
    found = [finding for finding in inspect(corpus, FPS).findings if finding.kind == "neutral"]
    assert [(finding.clip, "MouthSmileLeft 0.30" in finding.message) for finding in found] == [(second, True)]


def test_fix_shifts_trims_and_drops_into_a_clean_corpus(clips: dict[str, Pair], tmp_path: Path) -> None:
    shifted, ahead, long, broken, kept = sorted(clips)
    audio, curves = clips[long]
    defects = {
        shifted: late(clips[shifted]),
        ahead: early(clips[ahead]),
        long: (np.concatenate([audio, np.zeros(RATE, np.float32)]), curves),
        broken: lost_here_and_there(clips[broken]),
        kept: clips[kept],
        "zz_copy": clips[kept],
    }
    corpus = write_corpus(tmp_path / "corpus", defects)
    (corpus / "tsv").mkdir()
    for name in defects:
        (corpus / "tsv" / f"{name}.tsv").write_text("# aligned by hand\n0.05\t0.10\ta\n1.00\t1.50\tb\n19.9\t20.0\tz\n")
    out = tmp_path / "clean"
    line = mend(inspect(corpus, FPS), out)
    assert line.splitlines()[0].startswith("mended 3 clips, copied 1, left out 2")
    assert (out / "left_out.txt").read_text().splitlines() == sorted((out / "left_out.txt").read_text().splitlines())
    assert {row.split(":")[0] for row in (out / "left_out.txt").read_text().splitlines()} == {broken, "zz_copy"}
    again = inspect(out, FPS)
    assert kinds(list(again.findings)) == set()
    for clip in again.clips:
        assert clip.sound and clip.curves and clip.lag
        assert abs(clip.sound.duration_s - clip.curves.duration_s) < 1e-3 or clip.id == kept
        assert abs(clip.lag.ms) < 40
    for folder, suffix in (("wav", "wav"), ("bs", "csv"), ("tsv", "tsv")):
        name = f"{folder}/{kept}.{suffix}"
        assert (out / name).read_bytes() == (corpus / name).read_bytes()
    # Early curves lose sound at the start, so words move to the front by the lag; late ones lose curves.
    lines = (out / "tsv" / f"{ahead}.tsv").read_text().splitlines()
    assert lines[0] == "# aligned by hand"
    assert 0.85 < float(lines[-2].split("\t")[0]) < 0.91


def test_fix_writes_to_new_folders_outside_of_the_corpus_only(clips: dict[str, Pair], tmp_path: Path) -> None:
    report = inspect(write_corpus(tmp_path / "corpus", dict(list(clips.items())[:1])), FPS)
    with pytest.raises(UserError, match="exists already"):
        mend(report, tmp_path)
    with pytest.raises(UserError, match="lies in the corpus"):
        mend(report, tmp_path / "corpus" / "fixed")


KILLED = """
import os, sys
from pathlib import Path
from data_process.doctor import mend
from data_process.doctor.examine import examine
corpus, out, clip = sys.argv[1:]
write = mend._cut_sound
def cut_sound(source, target, how):
    write(source, target, how)
    if source.stem == clip:
        os._exit(9)
mend._cut_sound = cut_sound
mend.mend(examine(Path(corpus), 30), Path(out))
"""


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".stages" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_fix_goes_on_after_a_kill_and_takes_up_what_changed(clips: dict[str, Pair], tmp_path: Path) -> None:
    first, second, third, *_ = sorted(clips)
    folder = write_corpus(tmp_path / "corpus", {name: late(clips[name]) for name in (first, second, third)})
    whole, out = tmp_path / "whole", tmp_path / "killed"
    mend(inspect(folder, FPS), whole)
    words = [sys.executable, "-c", KILLED, *map(str, (folder, out, second))]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == KILLED_STATUS
    assert not out.exists(), "half a corpus passes for none"
    (half,) = tmp_path.glob(".*.partial")
    kept = (half / "wav" / f"{first}.wav").stat().st_mtime_ns
    line = mend(inspect(folder, FPS), out)
    assert line == f"mended 3 clips, copied 0, left out 0\n{out}"
    assert (out / "wav" / f"{first}.wav").stat().st_mtime_ns == kept, "what was done is not done again"
    assert contents(out) == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "killed", "whole"]

    assert mend(inspect(folder, FPS), out) == line, "and again, when nothing has changed"
    (out / "wav" / "mine.txt").write_text("by hand")
    for kind in ("wav/{}.wav", "bs/{}.csv"):
        (folder / kind.format(third)).unlink()
    mend(inspect(folder, FPS), out)
    assert contents(out) == {"wav/mine.txt": b"by hand"} | {
        name: content for name, content in contents(whole).items() if third not in name
    }
    other = write_corpus(tmp_path / "other", {first: clips[first]})
    assert refused(mend, inspect(other, FPS), out) == f"{out}: exists already; name a new folder"


def test_words_move_with_the_sound() -> None:
    words = [Word("a", 0.0, 0.1), Word("b", 0.1, 0.3), Word("c", 0.5, 0.9), Word("d", 1.3, 1.4)]
    cut = cut_words(words, Cut(frames=0, sound_s=0.2, length_s=0.6))
    assert [word.text for word in cut] == ["b", "c"]
    np.testing.assert_allclose([word[1:] for word in cut], [(0.0, 0.1), (0.3, 0.6)])


def test_the_command_reports_and_exits_with_1_for_an_error(clips: dict[str, Pair], tmp_path: Path) -> None:
    (first, clip), (second, other), *_ = clips.items()
    corpus = write_corpus(tmp_path / "<corpus> & co", {first: late(clip), second: other})
    html, content = tmp_path / "report.html", tmp_path / "report.json"
    words = ("--corpus", corpus, "--html", html, "--json", content, "--jobs", 1)
    done = run_command(ROOT, "-m", "data_process.doctor", *words)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[2:4] == ["ERROR    lag", lines[3]]
    assert re.match(rf"  {first}: curves 1\d\d ms late", lines[3])
    assert "--fix does: shift" in lines[4]
    findings = json.loads(content.read_text(encoding="utf-8"))
    assert findings["totals"]["error"] == 1
    assert 90 < findings["clips"][first]["lag_ms"] < 150
    assert abs(findings["clips"][second]["lag_ms"]) < 40
    page = html.read_text(encoding="utf-8")
    assert "&lt;corpus&gt; &amp; co" in page
    assert "<corpus>" not in page
    assert page.count("<svg") == 4  # lengths, lags, channels, the clip with the error
    assert set(re.findall(r'(?:src|href)="([^"#]{1,12})', page)) <= {"data:image/p"}  # nothing is fetched


def test_a_clean_corpus_exits_with_0(clips: dict[str, Pair], tmp_path: Path) -> None:
    said = printed_by(command, "--corpus", write_corpus(tmp_path, dict(list(clips.items())[:2])))  # no SystemExit
    assert said.splitlines()[-1].startswith("0 errors, 0 warnings")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--corpus", "nowhere"], "nowhere: no clip here"),
        (["--corpus", DEMO, "--val", "x*"], "no clip matches --val x*"),
        (["--corpus", DEMO, "--fps", "0"], "--fps 0: expected"),
    ],
)
def test_mistakes_get_one_line(words: list[object], line: str, refusal: Callable[..., str]) -> None:
    assert line in refusal(command, *words)


@pytest.mark.parametrize(("text", "line"), [("id,who\na,b\n", "no column speaker"), ("\xff", "not a csv text")])
def test_manifests_that_are_none(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=line):
        read_manifest(tmp_path / "manifest.csv")


def test_the_commands_beside_it_still_find_pythons_own_inspect() -> None:
    probe = "import inspect; print(inspect.__file__)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT / "data_process", capture_output=True, text=True)
    assert str(ROOT) not in done.stdout


def test_the_terminal_names_a_few_clips_of_a_kind_and_counts_the_rest() -> None:
    findings = [Finding("error", "lag", f"clip{i}", "late", "shift", "shift") for i in range(20)]
    lines = list(terminal_lines(Diagnosis(Path("corpus"), [], Sides(), findings)))
    assert "ERROR    lag: 20 clips" in lines
    assert "  … and 12 more; --json and --html have them all" in lines
    assert sum(line.startswith("  clip") for line in lines) == 8
    assert lines[-1] == "20 errors, 0 warnings, 0 notes"


def test_a_table_is_cut_with_all_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Timecode,jawOpen\n" + "".join(f"{i},{i}.50\n" for i in range(10)))
    cut = read_csv(tmp_path / "a.csv").cut(Cut(frames=2, sound_s=0.0, length_s=0.5).rows(fps=10))
    np.testing.assert_array_equal(cut.values[:, 0], [2.5, 3.5, 4.5, 5.5, 6.5])
    cut.write(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "Timecode,jawOpen\n" + "".join(f"{i},{i}.50\n" for i in range(2, 7))


def test_a_clip_that_has_not_changed_is_not_measured_again(
    clips: dict[str, Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path, dict(list(clips.items())[:3]))
    first = inspect(corpus, FPS)
    measured: list[str] = []

    def note(files: ClipFiles, fps: float, prepared: Mapping[str, Mapping[str, Any]]) -> Measured:
        measured.append(files.id)
        return measure(files, fps, prepared)

    monkeypatch.setattr(record, "measure", note)
    again = inspect(corpus, FPS)
    assert not measured
    assert again.findings == first.findings
    for one, other in zip(first.clips, again.clips, strict=True):
        assert record.encode(one) == record.encode(other)
    changed = sorted(clips)[1]
    path = corpus / "bs" / f"{changed}.csv"
    path.write_text(path.read_text().rstrip().rsplit("\n", 1)[0] + "\n")
    inspect(corpus, FPS)
    assert measured == [changed]
    inspect(corpus, FPS + 1)
    assert len(measured) == 4


def test_two_processes_measure_a_share_each_and_the_first_reports_on_all(
    clips: dict[str, Pair], tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "corpus", dict(list(clips.items())[:4]))
    words = ("-m", "data_process.doctor", "--corpus", corpus, "--jobs", 1, "--json")
    first, second = launch(2, *words, tmp_path / "{rank}.json")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stdout == ""
    assert not (tmp_path / "1.json").exists()
    assert sorted(json.loads((tmp_path / "0.json").read_text())["clips"]) == sorted(clips)[:4]
