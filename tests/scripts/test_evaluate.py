import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, read_csv, write_columns, write_curves
from dataset.corpus import Corpus as CorpusFolder
from dataset.phones import phones
from dataset.stats import compute_stats, save_stats
from dataset.transcript import read_tsv, write_tsv
from postprocess.score.evaluation import ClipScores, read_speech, score
from postprocess.score.matching import ClipRates, CurvePair
from postprocess.score.metrics import clip_scores, intervals, mean_scores, nested
from postprocess.score.speech_metrics import Speech
from scripts import evaluate as script
from tests.helpers import DEMO, TEXTGRIDS, needs_shared

Write = Callable[..., np.ndarray]


def every_score(prediction: np.ndarray, target: np.ndarray, fps: float, pieces_s: float | None = None) -> ClipScores:
    """Without sound and words."""
    return score(CurvePair(prediction, target, ARKIT, ClipRates(fps, fps)), Speech(), pieces_s)


@pytest.fixture
def folders(tmp_path: Path, random_csv: Write) -> list[object]:
    """Predictions of a, b, c and targets of b, c, d, as arguments; b's prediction is 5 frames longer."""
    for seed, (side, clip, frames) in enumerate(
        [("p", "a", 20), ("p", "b", 45), ("p", "c", 32), ("t", "b", 40), ("t", "c", 31), ("t", "d", 20)]
    ):
        random_csv(tmp_path / side / f"{clip}.csv", frames, seed)
    return ["--predictions", tmp_path / "p", "--targets", tmp_path / "t"]


def test_scores_on_disk_are_those_of_the_metrics_to_the_last_bit(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None]
) -> None:
    run_main(script, *folders, "--json", tmp_path / "out" / "scores.json", "--fps", "25")
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    expected = {}
    for clip in "bc":
        prediction, target = (read_csv(tmp_path / side / f"{clip}.csv").values for side in "pt")
        expected[clip] = every_score(prediction, target, 25)
    assert scores["clips"] == expected
    assert scores["mean"] == mean_scores([expected["b"], expected["c"]])
    assert scores["missing"] == {"predictions": ["d"], "targets": ["a"]}
    assert scores["interval"] == nested(intervals([expected["b"], expected["c"]]))
    assert (scores["fps"], scores["pieces_s"]) == (25, None)
    assert list(scores["floors"]) == ["target", "target 1 late", "target 2 late"]


def test_a_target_that_is_late_turns_its_head_late(tmp_path: Path, run_main: Callable[..., None]) -> None:
    yaw = np.linspace(0, 1, 41)
    columns = {**dict.fromkeys(ARKIT, np.zeros(41)), "HeadYaw": yaw, "HeadPitch": 0 * yaw, "HeadRoll": 0 * yaw}
    write_columns(tmp_path / "a.csv", {**columns, "JawOpen": yaw})
    run_main(script, "--predictions", tmp_path, "--targets", tmp_path, "--fps", "25", "--json", tmp_path / "s.json")
    floors = json.loads((tmp_path / "s.json").read_text())["floors"]
    ranges = [floors[name]["mean"]["head_range_deg"] for name in ("target", "target 1 late", "target 2 late")]
    turns = [np.concatenate([np.zeros(by), yaw])[:41] for by in range(3)]
    assert ranges == pytest.approx([np.degrees(np.diff(np.percentile(turn, (2, 98)))[0]) for turn in turns], abs=1e-4)


def test_the_screen_shows_clips_mean_groups_channels_and_what_is_missing(
    folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *folders)
    screen = capsys.readouterr().out
    clips, speech, upper_face, lips, groups, channels, _ = screen.split("\n\n")
    head = "clip frames contest per step exact DTW per step MAE RMSE r amplitude × jerk × > 6 Hz × lag ms"
    assert " ".join(clips.split("\n")[0].split()) == head
    assert [line.split()[0] for line in clips.split("\n")[2:]] == [
        "b", "c", "(mean)", "(95", "(95", "(target)", "(target", "(target",
    ]  # fmt: skip
    assert " ".join(speech.split("\n")[0].split()) == "clip mouth error upper face"
    assert " ".join(upper_face.split("\n")[0].split()).startswith("clip blinks /min")
    assert [line.split("  ")[0] for line in lips.split("\n")[2:]] == [
        "lip gap", "mouth width", "protrusion", "chin drop", "rounding, std",
    ]  # fmt: skip
    assert [line.split()[0] for line in groups.split("\n")[2:]] == ["jaw", "mouth", "brow", "cheek_nose", "eye", "face"]
    assert len({line.split()[0] for line in channels.split("\n")[2:10]} & set(ARKIT)) == 8
    assert screen.endswith(
        "b: 45 frames, target 40; MAE to lag are over the 40 that both have\n"
        "no prediction for: d\n"
        "no target for: a\n"
        "scored 2 clips, 77 frames\n"
    )


def test_the_shown_numbers_are_the_measured_ones(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *folders, "--json", tmp_path / "s.json")
    clip = json.loads((tmp_path / "s.json").read_text())["clips"]["c"]
    shown = capsys.readouterr().out.splitlines()[3].split()
    face = clip["groups"]["face"]
    assert shown[:4] == ["c", "32", f"{clip['contest']:.4f}", f"{clip['contest_per_step']:.6f}"]
    assert shown[6:9] == [f"{face['mae']:.4f}", f"{face['rmse']:.4f}", f"{face['correlation']:.3f}"]
    assert shown[-1] == f"{clip['jaw_open_lag_ms']:+.0f}"


def test_the_mean_face_is_a_row_of_its_own(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stats = compute_stats([read_csv(tmp_path / "t" / "d.csv").values], ["d"])
    save_stats(tmp_path / "stats.json", stats)
    words = ["--stats", tmp_path / "stats.json"]
    run_main(script, *folders, *words, "--json", tmp_path / "s.json")
    scores = json.loads((tmp_path / "s.json").read_text())
    target = read_csv(tmp_path / "t" / "b.csv").values
    assert scores["floors"]["mean face"]["clips"]["b"] == every_score(np.tile(stats.mean, (40, 1)), target, 30)
    mean = scores["floors"]["mean face"]["mean"]
    floor = mean["groups"]["face"]
    assert floor["correlation"] == 0
    assert floor["amplitude_ratio"] == pytest.approx(0, abs=1e-12)
    assert mean["jaw_open_lag_ms"] is None
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("(mean face)"))
    assert row.split()[3] == f"{mean['contest']:.4f}"
    assert row.endswith("–")


def test_unseen_leaves_out_the_clips_that_stats_name(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None], refusal: Callable[..., str]
) -> None:
    stats = tmp_path / "stats.json"
    save_stats(stats, compute_stats([np.zeros((2, 52))], ["b"]))
    run_main(script, *folders, "--stats", stats, "--unseen", "--json", tmp_path / "s.json")
    assert list(json.loads((tmp_path / "s.json").read_text())["clips"]) == ["c"]
    save_stats(stats, compute_stats([np.zeros((2, 52))] * 2, ["b", "c"]))
    assert refusal(script, *folders, "--stats", stats, "--unseen") == (
        f"{stats}: trained on every clip that there is a prediction for; none is unseen"
    )


def test_only_the_wanted_clips(tmp_path: Path, folders: list[object], run_main: Callable[..., None]) -> None:
    (tmp_path / "val.txt").write_text("c\nd\n")
    run_main(script, *folders, "--ids", tmp_path / "val.txt", "--json", tmp_path / "s.json")
    scores = json.loads((tmp_path / "s.json").read_text())
    assert list(scores["clips"]) == ["c"]
    assert scores["missing"] == {"predictions": ["d"], "targets": []}
    run_main(script, *folders, "--ids", "b", "--json", tmp_path / "s.json")
    assert list(json.loads((tmp_path / "s.json").read_text())["clips"]) == ["b"]


def test_pieces_are_in_seconds(tmp_path: Path, folders: list[object], run_main: Callable[..., None]) -> None:
    run_main(script, *folders, "--pieces", "0.5", "--fps", "20", "--json", tmp_path / "s.json")
    scores = json.loads((tmp_path / "s.json").read_text())
    both = [read_csv(tmp_path / side / "b.csv").values for side in "pt"]
    assert scores["clips"]["b"] == every_score(both[0], both[1], 20, pieces_s=0.5)


def test_two_files_whatever_they_are_called_and_only_the_face_in_one(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    values = random_csv(tmp_path / "one.csv", 30)
    values[:, ARKIT.index("BrowInnerUp")] = 0.2
    write_curves(tmp_path / "target.csv", values)
    header = ",".join(FACE[::-1])
    rows = "\n".join(",".join(map(str, row)) for row in values[:, 14:51][:, ::-1])
    (tmp_path / "face.csv").write_text(f"{header}\n{rows}\n")
    words = [
        "--predictions",
        tmp_path / "face.csv",
        "--targets",
        tmp_path / "target.csv",
        "--json",
        tmp_path / "s.json",
    ]
    run_main(script, *words)
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["clips"]["face"]["contest"] == 0
    assert "eye" not in scores["mean"]["groups"]
    assert "target never moves, so no part in r: BrowInnerUp\n" in capsys.readouterr().out


def test_refusals(tmp_path: Path, folders: list[object], refusal: Callable[..., str]) -> None:
    p, t = tmp_path / "p", tmp_path / "t"
    assert refusal(script, *folders, "--unseen") == (
        "--unseen needs --stats: a stats.json or checkpoint, which names its training clips"
    )
    assert refusal(script, *folders, "--fps", "0") == "--fps 0: must be more than 0"
    assert refusal(script, *folders, "--pieces", "0.01") == "--pieces 0.01: must be at least one frame long"
    assert refusal(script, *folders, "--ids", "z") == (
        f"{p}: no clip among --ids has curves both here and in {t}; they match by file name"
    )
    assert refusal(script, "--predictions", p / "a.csv", "--targets", t) == (
        f"{p / 'a.csv'}: no clip has curves both here and in {t}; they match by file name"
    )
    assert refusal(script, "--predictions", tmp_path / "no", "--targets", t).endswith("no: no such file or folder")


def test_refusals_of_files(tmp_path: Path, folders: list[object], refusal: Callable[..., str]) -> None:
    jaw = tmp_path / "p" / "c.csv"
    jaw.write_text("JawOpen\n0\n")
    message = f"{jaw}, line 1: no column for JawForward, JawLeft, JawRight and 33 more"
    assert refusal(script, *folders, "--json", tmp_path / "s.json") == message
    assert not (tmp_path / "s.json").exists()
    face = tmp_path / "face.json"
    save_stats(face, compute_stats([np.zeros((2, 52))], ["a"]).select(FACE))
    words = ["--ids", "b", "--stats", face]
    assert refusal(script, *folders, *words) == (
        f"{face}: no mean for EyeBlinkLeft; give the stats of all channels in the csvs"
    )
    ids = tmp_path / "ids.txt"
    ids.write_bytes(b"\xff\xfe")
    assert refusal(script, *folders, "--ids", ids) == f"--ids {ids}: not a text file with a clip id a line"


def test_the_target_late_is_told_by_its_lag(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *folders, "--json", tmp_path / "s.json", "--fps", "20")
    floors = json.loads((tmp_path / "s.json").read_text())["floors"]
    assert floors["target"]["mean"]["groups"]["face"]["mae"] == 0
    for frames in (1, 2):
        mean = floors[f"target {frames} late"]["mean"]
        assert mean["jaw_open_lag_ms"] == pytest.approx(50 * frames, abs=15)
        assert mean["contest"] > 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    low, mean_row, high = (next(row for row in rows if row[: len(head)] == head) for head in (
        ["(95", "%", "from)"], ["(mean)"], ["(95", "%", "to)"],
    ))  # fmt: skip
    assert float(low[4]) <= float(mean_row[2]) <= float(high[4])


def test_words_and_wavs_of_the_demo_corpus_and_repeats(tmp_path: Path, run_main: Callable[..., None]) -> None:
    values = read_csv(DEMO / "bs" / "zh_002.csv").values
    write_curves(tmp_path / "b" / "zh_002.csv", values + 0.1)
    words = ["--predictions", DEMO / "bs", "--targets", DEMO / "bs", "--ids", "zh_002"]
    words += ["--transcript_path", DEMO / "tsv", "--wavs", DEMO / "wav"]
    words += ["--repeats", tmp_path / "b", "--json", tmp_path / "s.json"]
    run_main(script, *words)
    scores = json.loads((tmp_path / "s.json").read_text())
    clip, animator = scores["clips"]["zh_002"], scores["floors"]["viseme animator"]["mean"]
    assert clip["diversity"] == pytest.approx(0.1)
    assert (clip["bilabials_closed"], animator["bilabials_closed"]) == (1, 1)
    assert animator["groups"]["jaw"]["correlation"] > 0.7
    assert abs(clip["sound_lag_ms"]) < 40
    assert clip["silence_motion"] == scores["floors"]["target"]["mean"]["silence_motion"]


@needs_shared(TEXTGRIDS)
def test_a_textgrids_words_and_phones() -> None:
    speech = read_speech(TEXTGRIDS / "774.TextGrid", TEXTGRIDS / "774.wav")
    assert speech.audio is not None
    assert speech.words
    assert speech.phones
    assert max(phone.end_s for phone in speech.phones) <= len(speech.audio) / 16000


def test_the_page_holds_every_table_and_the_clips_curves(
    tmp_path: Path, folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "out" / "report.html"
    run_main(script, *folders, "--report", report)
    page, screen = report.read_text(encoding="utf-8"), capsys.readouterr().out
    assert screen.endswith(f"scored 2 clips, 77 frames: {report}\n")
    cells = set(re.findall(r"<td[^>]*>([^<]*)</td>", page))
    numbers = {word for line in screen.splitlines()[2:8] for word in line.split() if word[0].isdigit() and "." in word}
    assert len(numbers) > 20
    assert numbers <= cells
    assert page.count("<svg") == 3  # the channels' bars and two clips
    assert not re.findall(r'(?:src|href)="(?!#)', page)  # needs no other file
    first, second = re.findall("<h3>(.*?)</h3>", page)
    clips = {}
    for clip in "bc":
        prediction, target = (read_csv(tmp_path / side / f"{clip}.csv").values for side in "pt")
        clips[clip] = clip_scores(prediction, target, ARKIT, 30)
    assert clips[first]["contest_per_step"] > clips[second]["contest_per_step"]


def test_clips_without_words_are_named_and_words_that_are_not_there_refused(
    tmp_path: Path,
    folders: list[object],
    run_main: Callable[..., None],
    refusal: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = tmp_path / "tsv"
    words.mkdir()
    assert refusal(script, *folders, "--transcript_path", words) == f"{words}: no .tsv or .textgrid file in this folder"
    (words / "c.tsv").write_text("0.1\t0.5\t妈\n")
    run_main(script, *folders, "--transcript_path", words, "--json", tmp_path / "s.json")
    assert "no transcript for: b\nscored 2 clips" in capsys.readouterr().out
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["clips"]["b"]["bilabials_closed"] is None
    assert list(scores["floors"]["viseme animator"]["clips"]) == ["c"]
    missing = tmp_path / "none"
    assert refusal(script, *folders, "--wavs", missing) == f"{missing}: no such file or folder"


def curves_at(fps: float, seconds: float = 2.0) -> np.ndarray:
    """Slow motion of all channels, each at its own pace, as a camera of so many frames a second sees it."""
    time_s = np.arange(round(seconds * fps))[:, None] / fps
    return 0.4 + 0.3 * np.sin(2 * np.pi * time_s * np.linspace(0.5, 2, 52))


def write_timed(path: Path, values: np.ndarray, fps: float) -> None:
    header, rows = ",".join(("time_s", *ARKIT)), enumerate(values)
    lines = [",".join(f"{value:.9f}" for value in (index / fps, *row)) for index, row in rows]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_a_prediction_of_another_rate_is_compared_by_time(
    tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str], fps: float
) -> None:
    for clip in "ab":
        write_curves(tmp_path / "t" / f"{clip}.csv", curves_at(30))
        write_timed(tmp_path / "p" / f"{clip}.csv", curves_at(fps), fps)
    words = ["--predictions", tmp_path / "p", "--targets", tmp_path / "t", "--json", tmp_path / "s.json"]
    run_main(script, *words)
    said = f"predictions of {fps:g} frames a second, resampled by time to their targets' 30: a, b\n"
    assert said in capsys.readouterr().out.replace("\na, b", " a, b")
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["clip_fps"] == {"a": 30, "b": 30}
    assert (scores["clips"]["a"]["frames"], scores["clips"]["a"]["target_frames"]) == (60, 60)
    face = scores["mean"]["groups"]["face"]
    assert face["mae"] < 0.004  # straight lines between frames; rows against rows would be 0.2 apart
    assert face["correlation"] > 0.999


def test_a_targets_own_clock_bridges_the_frames_that_it_dropped(
    tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    values = curves_at(25)
    write_curves(tmp_path / "p" / "a.csv", values)
    document = {"names": ARKIT, "times_s": [i / 25 for i in range(50) if i % 9 != 3]}
    document["frames"] = [values[i].tolist() for i in range(50) if i % 9 != 3]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.json").write_text(json.dumps(document))
    words = ["--predictions", tmp_path / "p", "--targets", tmp_path / "t", "--json", tmp_path / "s.json"]
    run_main(script, *words, "--fps", "25")
    assert "resampled" not in capsys.readouterr().out
    clip = json.loads((tmp_path / "s.json").read_text())["clips"]["a"]
    assert (clip["frames"], clip["target_frames"]) == (50, 50)
    assert clip["groups"]["face"]["mae"] < 0.002


def test_files_of_one_clock_are_compared_as_they_are(tmp_path: Path, run_main: Callable[..., None]) -> None:
    values = curves_at(30)
    write_timed(tmp_path / "p" / "a.csv", values, 30)
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "a_names.txt").write_text("\n".join(ARKIT))
    words = ["--predictions", tmp_path / "p" / "a.csv", "--targets", tmp_path / "a.npy", "--json", tmp_path / "s.json"]
    run_main(script, *words)
    clip = json.loads((tmp_path / "s.json").read_text())["clips"]["a"]
    read = read_csv(tmp_path / "p" / "a.csv").values
    assert clip == every_score(read, values, 30)


def test_the_old_spelling_of_transcripts_names_the_new_one(
    folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_main(script, *folders, "--words", "tsv")
    assert "--words is now --transcript_path" in capsys.readouterr().err


def test_phones_need_no_target_and_stand_beside_it(
    tmp_path: Path, run_main: Callable[..., None], refusal: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    for clip in ("en_001", "en_002"):
        write_tsv(tmp_path / "phones" / f"{clip}.tsv", phones(read_tsv(DEMO / "tsv" / f"{clip}.tsv")))
    given = ["--predictions", DEMO / "bs", "--phones", tmp_path / "phones", "--ids", "en_001", "en_002"]
    run_main(script, *given, "--json", tmp_path / "a.json", "--report", tmp_path / "a.html")
    screen = capsys.readouterr().out
    head, _, *lines = screen.splitlines()
    assert head.split("  ")[0] == "at the phones"
    assert lines[2].split()[4] == "100%"  # p b m closed
    assert "scored 2 clips" in screen
    alone = json.loads((tmp_path / "a.json").read_text())
    assert list(alone) == ["fps", "phones"]
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "rounding at u w o ü, z" in page and "Channels" not in page

    run_main(script, *given, "--targets", DEMO / "bs", "--json", tmp_path / "b.json", "--report", tmp_path / "b.html")
    both = json.loads((tmp_path / "b.json").read_text())
    assert both["phones"]["mean"] == alone["phones"]["mean"] == both["phones"]["floors"]["target"]["mean"]
    assert both["mean"]["lips"]["gap"]["correlation"] == pytest.approx(1)
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "rounding at u w o ü, z" in page and "Channels" in page
    assert "--plots needs --targets" in refusal(script, *given, "--plots", tmp_path / "plots")
    assert "give --targets, --phones or both" in refusal(script, "--predictions", DEMO / "bs")


def test_what_a_corpus_says_is_not_captured_is_not_scored(
    tmp_path: Path, random_csv: Write, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = CorpusFolder(tmp_path / "me")
    curves = {clip: random_csv(corpus.place("bs", clip), 40, seed) for seed, clip in enumerate("ab")}
    predicted = {clip: random_csv(tmp_path / "p" / f"{clip}.csv", 40, 9) for clip in "ab"}
    corpus.write_manifest({"a": {"speaker": "me", "uncaptured": "MouthClose CheekPuff"}, "b": {"speaker": "me"}})
    words = ["--predictions", tmp_path / "p", "--targets", corpus.folder / "bs", "--json", tmp_path / "scores.json"]
    run_main(script, *words)
    line = "not scored, as manifest.csv says that the target does not capture it: MouthClose, CheekPuff: a"
    assert line in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())["clips"]
    assert scores["b"] == every_score(predicted["b"], curves["b"], 30)
    assert set(ARKIT) - set(scores["a"]["channels"]) == {"MouthClose", "CheekPuff"}
    jaw = ARKIT.index("JawOpen")
    assert scores["a"]["channels"]["JawOpen"]["mae"] == np.abs(predicted["a"] - curves["a"])[:, jaw].mean()
