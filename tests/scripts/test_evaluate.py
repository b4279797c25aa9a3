import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, read_csv, write_curves
from dataset.stats import compute_stats, save_stats
from scripts import evaluate as script
from scripts.metrics import clip_scores, mean_scores

Write = Callable[..., np.ndarray]


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
        expected[clip] = clip_scores(prediction, target, ARKIT, 25)
    assert scores["clips"] == expected
    assert scores["mean"] == mean_scores([expected["b"], expected["c"]])
    assert scores["missing"] == {"predictions": ["d"], "targets": ["a"]}
    assert (scores["fps"], scores["pieces_s"], scores["baseline"]) == (25, None, None)


def test_the_screen_shows_clips_mean_groups_channels_and_what_is_missing(
    folders: list[object], run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *folders)
    screen = capsys.readouterr().out
    clips, groups, channels, _ = screen.split("\n\n")
    head = "clip frames contest per step exact DTW per step MAE RMSE r amplitude × jerk × lag ms"
    assert " ".join(clips.split("\n")[0].split()) == head
    assert [line.split()[0] for line in clips.split("\n")[2:]] == ["b", "c", "(mean)"]
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
    assert scores["baseline_clips"]["b"] == clip_scores(np.tile(stats.mean, (40, 1)), target, ARKIT, 30)
    floor = scores["baseline"]["groups"]["face"]
    assert floor["correlation"] == 0
    assert floor["amplitude_ratio"] == pytest.approx(0, abs=1e-12)
    assert scores["baseline"]["jaw_open_lag_ms"] is None
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("(mean face)"))
    assert row.split()[3] == f"{scores['baseline']['contest']:.4f}"
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
    assert scores["clips"]["b"] == clip_scores(both[0], both[1], ARKIT, 20, piece_frames=10)


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
        f"{p}: no clip among --ids has a csv both here and in {t}; they match by file name"
    )
    assert refusal(script, "--predictions", p / "a.csv", "--targets", t) == (
        f"{p / 'a.csv'}: no clip has a csv both here and in {t}; they match by file name"
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
