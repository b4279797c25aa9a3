"""Score predicted curves against recorded ones: clip by clip, their mean, by group of channels, and by channel."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from dataset.blendshapes import ARKIT, FACE, read_csv
from dataset.command import UserError, parser, run
from dataset.files import by_stem, find, written_whole
from dataset.stats import Stats, load_stats
from scripts.metrics import Scores, clip_scores, mean_scores

EXAMPLES = """
python scripts/evaluate.py --predictions csvs/ --targets data/facegood/bs
python scripts/evaluate.py --predictions csvs/ --targets bs/ --stats result/mine/best.safetensors --unseen --json a.json
python scripts/evaluate.py --predictions csvs/ --targets bs/ --ids val.txt --pieces 10 --fps 25
"""
LIVELIEST = 8
WIDTH = 110
TOLERATED_FRAMES = 2  # windows and rounding make lengths differ by so much without a fault

# Score → its heading and how it is written, in the order of the columns.
CLIP_COLUMNS = {
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
}
LAG_COLUMN = {"jaw_open_lag_ms": ("lag ms", "+.0f")}
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


def mean_face(stats: Stats, names: tuple[str, ...], frames: int, source: Path) -> np.ndarray:
    """The training mean held for the whole clip, (frames, len(names)): what a model must beat."""
    for name in names:
        if name not in stats.channels:
            raise UserError(f"{source}: no mean for {name}; give the stats of all channels in the csvs")
    return np.tile(stats.select(names).mean, (frames, 1))


def cells(scores: Scores, columns: dict[str, tuple[str, str]]) -> list[str]:
    """Scores as the table shows them, a dash for those without meaning."""
    values = {name: scores.get(name) for name in columns}
    return ["–" if values[name] is None else format(values[name], style) for name, (_, style) in columns.items()]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, the numbers to the right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
        for line in (head, *rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def clip_table(rows: dict[str, Scores]) -> str:
    """One row a clip or a mean; MAE to jerk are the face's."""
    head = ["clip", "frames", *(heading for heading, _ in (CLIP_COLUMNS | FACE_COLUMNS | LAG_COLUMN).values())]
    lines = []
    for clip, scores in rows.items():
        face = cells(scores["groups"]["face"], FACE_COLUMNS)
        lines.append([clip, f"{scores['frames']:.0f}", *cells(scores, CLIP_COLUMNS), *face, *cells(scores, LAG_COLUMN)])
    return table(head, lines)


def part_table(kind: str, parts: dict[str, Scores]) -> str:
    """One row a group or a channel."""
    head = [kind, *(heading for heading, _ in PART_COLUMNS.values())]
    return table(head, [[name, *cells(scores, PART_COLUMNS)] for name, scores in parts.items()])


def report(clips: dict[str, Scores], mean: Scores, baseline: Scores | None) -> str:
    """What the screen shows."""
    channels = mean["channels"]
    liveliest = sorted(channels, key=lambda name: -channels[name]["target_std"])[:LIVELIEST]
    still = [name for name in channels if not channels[name]["moving"]]
    floor = {} if baseline is None else {"(mean face)": baseline}
    tables = [
        clip_table({**clips, "(mean)": mean, **floor}),
        part_table("group", mean["groups"]),
        part_table("liveliest channel", {name: channels[name] for name in liveliest}),
    ]
    if still:
        tables.append(fill(f"target never moves, so no part in r: {', '.join(still)}", WIDTH))
    return "\n\n".join(tables)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Everything measured, floats in full."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--predictions", type=Path, required=True, metavar="PATH", help="a curve csv, or a folder")
    options.add_argument("--targets", type=Path, required=True, metavar="PATH", help="likewise, matched by file name")
    options.add_argument("--json", type=Path, metavar="PATH", help="also write every score here, unrounded")
    options.add_argument("--fps", type=float, default=30.0, help="frame rate of the csvs; for lag, jerk and pieces")
    options.add_argument("--ids", nargs="+", metavar="ID", help="only these clips: ids, or a file with an id a line")
    options.add_argument("--pieces", type=float, metavar="SECONDS", help="score DTW over pieces of this length")
    options.add_argument("--stats", type=Path, metavar="PATH", help="stats.json or checkpoint: score its mean face too")
    options.add_argument("--unseen", action="store_true", help="leave out the clips that --stats were computed from")
    given = options.parse_args()
    if not 0 < given.fps < float("inf"):
        raise UserError(f"--fps {given.fps:g}: must be more than 0")
    if given.pieces is not None and not 1 <= given.pieces * given.fps < float("inf"):
        raise UserError(f"--pieces {given.pieces:g}: must be at least one frame long")
    if given.unseen and given.stats is None:
        raise UserError("--unseen needs --stats: a stats.json or checkpoint, which names its training clips")
    return given


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


def main() -> None:
    given = parse()
    from tqdm import tqdm

    pairs, missing = match(given.predictions, given.targets, read_ids(given.ids))
    stats = load_stats(given.stats) if given.stats else None
    if stats and given.unseen:
        pairs = [pair for pair in pairs if pair.clip not in stats.clips]
        if not pairs:
            raise UserError(f"{given.stats}: trained on every clip that there is a prediction for; none is unseen")
    piece_frames = round(given.pieces * given.fps) if given.pieces else None
    clips: dict[str, Scores] = {}
    floors: dict[str, Scores] = {}
    for pair in tqdm(pairs, desc="scored", unit="clip", disable=None, leave=False):
        prediction, target, names = read_pair(pair)
        clips[pair.clip] = clip_scores(prediction, target, names, given.fps, piece_frames)
        if stats:
            constant = mean_face(stats, names, len(target), given.stats)
            floors[pair.clip] = clip_scores(constant, target, names, given.fps, piece_frames)
    mean = mean_scores(list(clips.values()))
    baseline = mean_scores(list(floors.values())) if floors else None

    print(report(clips, mean, baseline), "", *notes(clips, missing), sep="\n")
    if given.json:
        content = {"fps": given.fps, "pieces_s": given.pieces, "missing": missing._asdict(), "mean": mean}
        write_json(given.json, {**content, "clips": clips, "baseline": baseline, "baseline_clips": floors})
    frames = sum(scores["frames"] for scores in clips.values())
    where = f": {given.json}" if given.json else ""
    print(f"scored {len(clips)} clip{'s' * (len(clips) > 1)}, {frames:,} frames{where}")


if __name__ == "__main__":
    run(main)
