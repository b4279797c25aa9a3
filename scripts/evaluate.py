"""Score predicted curves against recorded ones: clip by clip, their mean, by group of channels, and by channel."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, parser, run
from config.files import by_stem, find, write_json
from config.tables import table
from dataset.audio import SOUND_SUFFIXES
from dataset.blendshapes import ARKIT, FACE, indices, read_csv
from dataset.phones import phones
from dataset.recordings.timing import USUAL_FPS
from dataset.stats import Stats, load_stats
from dataset.transcript import read_tsv
from postprocess.score.floors import LATE_FRAMES, late, mean_face, viseme_face
from postprocess.score.metrics import Scores, clip_scores, diversity, intervals, mean_scores
from postprocess.score.score_page import INDEX, MEAN_FACE, Rows, Scored, write_plots, write_report
from postprocess.score.score_pictures import Curves
from postprocess.score.speech_metrics import Speech, speech_scores

EXAMPLES = """
python scripts/evaluate.py --predictions csvs/ --targets data/facegood/bs
python scripts/evaluate.py --predictions csvs/ --targets bs/ --stats result/mine/best.safetensors --unseen --json a.json
python scripts/evaluate.py --predictions csvs/ --targets bs/ --ids val.txt --pieces 10 --fps 25
python scripts/evaluate.py --predictions csvs/ --targets bs/ --words tsv/ --wavs wav/ --report report.html
python scripts/evaluate.py --predictions csvs/ --targets bs/ --plots plots/
"""
LIVELIEST, PICTURED_CHANNELS = 8, 5
WIDTH = 110
TOLERATED_FRAMES = 2  # windows and rounding make lengths differ by so much without a fault

# Score → its heading and how it is written, in the order of the columns.
CLIP_COLUMNS = {
    "frames": ("frames", ".0f"),
    "contest": ("contest", ".4f"),
    "contest_per_step": ("per step", ".6f"),
    "exact_dtw": ("exact DTW", ".4f"),
    "exact_dtw_per_step": ("per step", ".6f"),
}
FACE_COLUMNS = {
    "mae": ("MAE", ".4f"),
    "rmse": ("RMSE", ".4f"),
    "correlation": ("r", ".3f"),
    "amplitude_ratio": ("amplitude ×", ".2f"),
    "jerk_ratio": ("jerk ×", ".2f"),
    "high_frequency_ratio": ("> 6 Hz ×", ".2f"),
}
LAG_COLUMN = {"jaw_open_lag_ms": ("lag ms", "+.0f")}
SPEECH_COLUMNS = {
    "mouth_error": ("mouth error", ".4f"),
    "upper_face_deviation": ("upper face", "+.4f"),
    "sound_lag_ms": ("sound lag ms", "+.0f"),
    "sound_correlation": ("sound r", ".2f"),
    "bilabials_closed": ("p b m closed", ".0%"),
    "closures_without_cause": ("closed else", ".0%"),
    "silence_motion": ("in silence /s", ".4f"),
    "diversity": ("diversity", ".4f"),
}
PART_COLUMNS = {**FACE_COLUMNS, "target_std": ("target std", ".4f"), "moving": ("moving", ".0f")}


class Matched(NamedTuple):
    """A clip that has both a prediction and a target."""

    clip: str
    prediction: Path
    target: Path


class Missing(NamedTuple):
    """The clips that lack one."""

    predictions: list[str]
    targets: list[str]


def match(predictions: Path, targets: Path, ids: Sequence[str] | None) -> tuple[list[Matched], Missing]:
    """Files matched by stem, those in ids only when given; two single files match whatever they are called.

    Raises UserError when no clip has both.
    """
    if predictions.is_file() and targets.is_file() and ids is None:
        return [Matched(predictions.stem, predictions, targets)], Missing([], [])
    predicted, recorded = by_stem(find(predictions, (".csv",))), by_stem(find(targets, (".csv",)))
    wanted = sorted(predicted.keys() | recorded.keys()) if ids is None else list(dict.fromkeys(ids))
    missing = Missing([clip for clip in wanted if clip not in predicted], [c for c in wanted if c not in recorded])
    pairs = [Matched(c, predicted[c], recorded[c]) for c in wanted if c in predicted and c in recorded]
    if not pairs:
        among = " among --ids" if ids is not None else ""
        raise UserError(f"{predictions}: no clip{among} has a csv both here and in {targets}; they match by file name")
    return pairs, missing


def read_ids(words: Sequence[str] | None) -> list[str] | None:
    """Clip ids from words that are ids, or files with an id a line."""
    if words is None:
        return None
    try:
        texts = [Path(word).read_text(encoding="utf-8").split() if Path(word).is_file() else [word] for word in words]
    except UnicodeDecodeError:
        raise UserError(f"--ids {' '.join(words)}: not a text file with a clip id a line") from None
    return [clip for text in texts for clip in text]


def read_pair(pair: Matched) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Prediction (frames, channels), target (frames, channels), and the names of the channels that both have."""
    prediction, target = read_csv(pair.prediction, required=FACE), read_csv(pair.target, required=FACE)
    names = tuple(name for name in ARKIT if name in prediction.names and name in target.names)
    return prediction.select(names), target.select(names), names


def read_speech(clip: str, words: dict[str, Path], sounds: dict[str, Path]) -> Speech:
    """What is known of a clip's sound and words; a TextGrid's phones as they are, a tsv's by rule."""
    from dataset.audio import read_audio
    from dataset.textgrid import read_grid

    audio = read_audio(sounds[clip]) if clip in sounds else None
    if clip not in words:
        return Speech(audio)
    if words[clip].suffix.lower() == ".tsv":
        tokens = read_tsv(words[clip])
        return Speech(audio, tokens, phones(tokens))
    grid = read_grid(words[clip])
    return Speech(audio, grid.words, grid.phones or phones(grid.words))


def floor_curves(
    target: np.ndarray, names: tuple[str, ...], speech: Speech, given: argparse.Namespace, stats: Stats | None
) -> dict[str, np.ndarray]:
    """What stands beside the prediction in the table, by name, each (frames, len(names)) as the target is."""
    floors: dict[str, np.ndarray] = {}
    if stats:
        floors[MEAN_FACE] = mean_face(stats, names, len(target), given.stats)
    if speech.words is not None:
        floors["viseme animator"] = viseme_face(phones(speech.words), names, len(target), given.fps)
    floors["target"] = target
    return floors | {f"target {by} late": late(target, by) for by in LATE_FRAMES}


def cells(scores: Scores, columns: dict[str, tuple[str, str]]) -> list[str]:
    """Scores as the table shows them, a dash for those without meaning."""
    values = {name: scores.get(name) for name in columns}
    return ["–" if values[name] is None else format(values[name], style) for name, (_, style) in columns.items()]


def clip_rows(rows: dict[str, Scores]) -> Rows:
    """The head and one row a clip, mean, interval's end or floor; MAE to > 6 Hz are the face's."""
    parts = (CLIP_COLUMNS, FACE_COLUMNS, LAG_COLUMN)
    lines = [["clip", *(heading for columns in parts for heading, _ in columns.values())]]
    for clip, scores in rows.items():
        sources = (scores, scores["groups"]["face"], scores)
        lines.append([clip, *(cell for of, columns in zip(sources, parts, strict=True) for cell in cells(of, columns))])
    return lines


def speech_rows(rows: dict[str, Scores]) -> Rows:
    """The same for the scores against sound and words; a column that is empty throughout is left out."""
    known = {name for scores in rows.values() for name, value in scores.items() if value is not None}
    columns = {name: column for name, column in SPEECH_COLUMNS.items() if name in known}
    head = ["clip", *(heading for heading, _ in columns.values())]
    return [head, *([clip, *cells(scores, columns)] for clip, scores in rows.items())]


def part_rows(kind: str, parts: dict[str, Scores]) -> list[list[str]]:
    """The head and one row a group or a channel."""
    head = [kind, *(heading for heading, _ in PART_COLUMNS.values())]
    return [head, *([name, *cells(scores, PART_COLUMNS)] for name, scores in parts.items())]


def liveliest(mean: Scores) -> list[str]:
    """The channels whose targets move most."""
    channels = mean["channels"]
    return sorted(channels, key=lambda name: -channels[name]["target_std"])[:LIVELIEST]


def tables(clips: dict[str, Scores], mean: Scores, ends: Scores, floors: dict[str, Scores]) -> list[Rows]:
    """What the screen and the page show, each table as rows of cells, its head first."""
    names = ("(95 % from)", "(95 % to)") if len(clips) > 1 else ()
    bounds = {name: end_scores(ends, index) | {"frames": None} for index, name in enumerate(names)}
    rows = {**clips, "(mean)": mean, **bounds, **{f"({name})": scores for name, scores in floors.items()}}
    return [
        clip_rows(rows),
        speech_rows(rows),
        part_rows("group", mean["groups"]),
        part_rows("liveliest channel", {name: mean["channels"][name] for name in liveliest(mean)}),
    ]


def end_scores(ends: Scores, index: int) -> Scores:
    """The lower (0) or upper (1) ends of what intervals gives."""
    return {
        name: end_scores(value, index) if isinstance(value, dict) else value and value[index]
        for name, value in ends.items()
    }


def never_moving(mean: Scores) -> list[str]:
    """A note on the channels that have no part in r; none where every target moves."""
    still = [name for name, scores in mean["channels"].items() if not scores["moving"]]
    return [f"target never moves, so no part in r: {', '.join(still)}"] if still else []


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--predictions", type=Path, required=True, metavar="PATH", help="a curve csv, or a folder")
    options.add_argument("--targets", type=Path, required=True, metavar="PATH", help="likewise, matched by file name")
    options.add_argument("--json", type=Path, metavar="PATH", help="also write every score here, unrounded")
    options.add_argument(
        "--fps", type=float, default=USUAL_FPS, help="frame rate of the csvs; for lag, jerk and pieces"
    )
    options.add_argument("--ids", nargs="+", metavar="ID", help="only these clips: ids, or a file with an id a line")
    options.add_argument("--pieces", type=float, metavar="SECONDS", help="score DTW over pieces of this length")
    options.add_argument("--stats", type=Path, metavar="PATH", help="stats.json or checkpoint: score its mean face too")
    options.add_argument("--words", type=Path, metavar="PATH", help="tsv or TextGrid files: score closures of the lips")
    options.add_argument("--wavs", type=Path, metavar="PATH", help="the sounds: score lag against them, and silences")
    options.add_argument(
        "--repeats",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="the same clips predicted by other seeds: score their diversity",
    )
    options.add_argument("--report", type=Path, metavar="FILE", help="also write tables and pictures as one HTML page")
    options.add_argument(
        "--plots", type=Path, metavar="DIR", help="also write a PNG a clip and of the channels, and a page of them"
    )
    options.add_argument("--unseen", action="store_true", help="leave out the clips that --stats were computed from")
    given = options.parse_args()
    if not 0 < given.fps < float("inf"):
        raise UserError(f"--fps {given.fps:g}: must be more than 0")
    if given.pieces is not None and not 1 <= given.pieces * given.fps < float("inf"):
        raise UserError(f"--pieces {given.pieces:g}: must be at least one frame long")
    if given.unseen and given.stats is None:
        raise UserError("--unseen needs --stats: a stats.json or checkpoint, which names its training clips")
    return given


def unknown(kind: str, files: dict[str, Path], pairs: Sequence[Matched]) -> list[str]:
    """A note on the clips that lack a file of a kind, where some were given."""
    lacking = [pair.clip for pair in pairs if files and pair.clip not in files]
    return [f"no {kind} for: {', '.join(lacking)}"] if lacking else []


def notes(clips: dict[str, Scores], missing: Missing) -> list[str]:
    """What a reader of the scores should know: lengths that differ, clips that are not among them."""
    lines = []
    for clip, scores in clips.items():
        frames, recorded = scores["frames"], scores["target_frames"]
        if abs(frames - recorded) > TOLERATED_FRAMES:
            shared = min(frames, recorded)
            lines.append(f"{clip}: {frames} frames, target {recorded}; MAE to lag are over the {shared} that both have")
    if missing.predictions:
        lines.append(f"no prediction for: {', '.join(missing.predictions)}")
    if missing.targets:
        lines.append(f"no target for: {', '.join(missing.targets)}")
    return lines


def score(
    prediction: np.ndarray, target: np.ndarray, names: tuple[str, ...], speech: Speech, given: argparse.Namespace
) -> Scores:
    """Every score of one prediction, (frames, len(names)), against its target and what it goes with."""
    piece_frames = round(given.pieces * given.fps) if given.pieces else None
    scores = clip_scores(prediction, target, names, given.fps, piece_frames)
    return scores | speech_scores(prediction, names, speech, given.fps)


def repeat_diversity(
    pair: Matched, prediction: np.ndarray, names: tuple[str, ...], repeats: list[dict[str, Path]]
) -> float | None:
    """Over the face, between the prediction and those of other seeds that have the clip."""
    face = indices(names, FACE)
    others = [read_csv(files[pair.clip], required=FACE).select(FACE) for files in repeats if pair.clip in files]
    return diversity([prediction[:, face], *others])


def _curves(pair: Matched) -> Curves:
    return Curves(*read_pair(pair))


def _files(path: Path | None, suffixes: tuple[str, ...]) -> dict[str, Path]:
    return by_stem(find(path, suffixes)) if path else {}


def main() -> None:
    given = parse()
    from tqdm import tqdm

    pairs, missing = match(given.predictions, given.targets, read_ids(given.ids))
    stats = load_stats(given.stats) if given.stats else None
    if stats and given.unseen:
        pairs = [pair for pair in pairs if pair.clip not in stats.clips]
        if not pairs:
            raise UserError(f"{given.stats}: trained on every clip that there is a prediction for; none is unseen")
    words, sounds = _files(given.words, (".tsv", ".textgrid")), _files(given.wavs, SOUND_SUFFIXES)
    repeats = [_files(path, (".csv",)) for path in given.repeats]
    clips: dict[str, Scores] = {}
    floors: dict[str, dict[str, Scores]] = {}
    for pair in tqdm(pairs, desc="scored", unit="clip", disable=None, leave=False):
        prediction, target, names = read_pair(pair)
        speech = read_speech(pair.clip, words, sounds)
        clips[pair.clip] = score(prediction, target, names, speech, given)
        if repeats:
            clips[pair.clip]["diversity"] = repeat_diversity(pair, prediction, names, repeats)
        for name, curves in floor_curves(target, names, speech, given, stats).items():
            floors.setdefault(name, {})[pair.clip] = score(curves, target, names, speech, given)
    mean, ends = mean_scores(list(clips.values())), intervals(list(clips.values()))
    floor_means = {name: mean_scores(list(scores.values())) for name, scores in floors.items()}

    shown = tables(clips, mean, ends, floor_means)
    remarks = [*never_moving(mean), *notes(clips, missing)]
    remarks += [*unknown("transcript", words, pairs), *unknown("sound", sounds, pairs)]
    print(*(f"{table(head, rows)}\n" for head, *rows in shown), *(fill(remark, WIDTH) for remark in remarks), sep="\n")
    if given.json:
        content = {"fps": given.fps, "pieces_s": given.pieces, "missing": missing._asdict(), "mean": mean}
        by_floor = {name: {"mean": floor_means[name], "clips": scores} for name, scores in floors.items()}
        write_json(given.json, {**content, "interval": ends, "clips": clips, "floors": by_floor})
    readers = {pair.clip: partial(_curves, pair) for pair in pairs}
    pictured = liveliest(mean)[:PICTURED_CHANNELS]
    scored = Scored(clips, mean, ends, floor_means, shown, remarks, pictured, given.fps, readers)
    if given.report:
        write_report(given.report, scored)
    if given.plots:
        write_plots(given.plots, scored)
    frames = sum(scores["frames"] for scores in clips.values())
    places = ", ".join(str(path) for path in (given.json, given.report, given.plots and given.plots / INDEX) if path)
    where = f": {places}" if places else ""
    print(f"scored {len(clips)} clip{'s' * (len(clips) > 1)}, {frames:,} frames{where}")


if __name__ == "__main__":
    run(main)
