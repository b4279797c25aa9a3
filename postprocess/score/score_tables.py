"""The scores of an evaluation as tables of text: clip by clip, their mean, by group of channels, and by channel."""

from collections.abc import Mapping

from postprocess.score.evaluation import Scored
from postprocess.score.floors import TARGET
from postprocess.score.metrics import Intervals, Scores, nested
from postprocess.score.phone_evaluation import PhoneScored

Rows = list[list[str]]
"""A table: its head, then a row a line, all of one length."""

# Score → its heading and how it is written, in the order of the columns.
Columns = Mapping[str, tuple[str, str]]
CLIP_COLUMNS: Columns = {
    "frames": ("frames", ".0f"),
    "contest": ("contest", ".4f"),
    "contest_per_step": ("per step", ".6f"),
    "exact_dtw": ("exact DTW", ".4f"),
    "exact_dtw_per_step": ("per step", ".6f"),
}
FACE_COLUMNS: Columns = {
    "mae": ("MAE", ".4f"),
    "rmse": ("RMSE", ".4f"),
    "correlation": ("r", ".3f"),
    "amplitude_ratio": ("amplitude ×", ".2f"),
    "jerk_ratio": ("jerk ×", ".2f"),
    "high_frequency_ratio": ("> 6 Hz ×", ".2f"),
}
LAG_COLUMN: Columns = {"jaw_open_lag_ms": ("lag ms", "+.0f")}
SPEECH_COLUMNS: Columns = {
    "mouth_error": ("mouth error", ".4f"),
    "upper_face_deviation": ("upper face", "+.4f"),
    "sound_lag_ms": ("sound lag ms", "+.0f"),
    "sound_correlation": ("sound r", ".2f"),
    "bilabials_closed": ("p b m closed", ".0%"),
    "closures_without_cause": ("closed else", ".0%"),
    "silence_motion": ("in silence /s", ".4f"),
    "diversity": ("diversity", ".4f"),
}
UPPER_FACE_COLUMNS: Columns = {
    "blinks_a_minute": ("blinks /min", ".1f"),
    "blink_speed_ratio": ("closing ×", ".2f"),
    "partial_blinks": ("partial", ".0%"),
    "gaze_at": ("gaze at", ".0%"),
    "head_range_deg": ("head °", ".1f"),
    "head_jerk": ("head jerk °/s³", ".0f"),
}
PART_COLUMNS: Columns = {**FACE_COLUMNS, "target_std": ("target std", ".4f"), "moving": ("moving", ".0f")}
PHONE_ROWS: Columns = {
    "gap_at_pbm": ("lip gap at p b m, z", "+.2f"),
    "gap_at_fv": ("lip gap at f v, z", "+.2f"),
    "bilabials_closed": ("p b m closed", ".0%"),
    "closures_without_cause": ("closed else", ".0%"),
    "rounding_at_uwo": ("rounding at u w o ü, z", "+.2f"),
    "jaw_at_open": ("chin drop at open vowels, z", "+.2f"),
    "jaw_at_mid": ("… at mid vowels", "+.2f"),
    "jaw_at_close": ("… at close vowels", "+.2f"),
    "jaw_height_correlation": ("… and vowel height, r", "+.2f"),
    "silence_gap_mm": ("lip gap in silence, mm", ".2f"),
    "silence_open": ("open in silence", ".0%"),
    "silence_motion_mm_s": ("motion in silence, mm/s", ".2f"),
}
LIP_ROWS = {
    "gap": "lip gap",
    "width": "mouth width",
    "protrusion": "protrusion",
    "chin_drop": "chin drop",
    "rounding": "rounding, std",
}


def tables(scored: Scored) -> list[Rows]:
    """What the screen and the page show; a row of a clip begins with its id, of something else with a bracket."""
    mean = scored.mean
    rows = {
        **scored.clips,
        "(mean)": mean,
        **_bounds(scored),
        **{f"({name})": scores for name, scores in scored.floor_means.items()},
    }
    return [
        clip_rows(rows),
        *(known_rows(rows, columns) for columns in (SPEECH_COLUMNS, UPPER_FACE_COLUMNS) if _known(rows, columns)),
        part_rows("lips, mm", {LIP_ROWS[name]: scores for name, scores in mean["lips"].items()}),
        part_rows("group", mean["groups"]),
        part_rows("liveliest channel", {name: mean["channels"][name] for name in scored.liveliest}),
    ]


def phone_rows(scored: PhoneScored) -> Rows:
    """The head and one row a measure: the prediction and the target with their intervals, then the floors."""
    rest = {name: scores for name, scores in scored.floor_means.items() if name != TARGET}
    measured = [("prediction", scored.mean, scored.ends)]
    if TARGET in scored.floors:
        measured.append((TARGET, scored.floor_means[TARGET], scored.floor_ends[TARGET]))
    columns = [[name, *cells(mean, PHONE_ROWS)] for name, mean in rest.items()]
    with_ends = [
        column
        for name, mean, ends in measured
        for column in ([name, *cells(mean, PHONE_ROWS)], ["95 %", *_spans(ends, PHONE_ROWS)])
    ]
    headings = ["at the phones", *(heading for heading, _ in PHONE_ROWS.values())]
    return [list(row) for row in zip(headings, *with_ends, *columns, strict=True)]


def _spans(ends: Intervals, columns: Columns) -> list[str]:
    """Intervals as a table shows them."""
    found = [(ends.get(name), style) for name, (_, style) in columns.items()]
    return ["–" if span is None else " to ".join(format(end, style) for end in span) for span, style in found]


def remarks(scored: Scored) -> list[str]:
    """What to know of the tables, a line each: channels that have no part in r, and what the evaluation remarks."""
    still = [name for name, scores in scored.mean["channels"].items() if not scores["moving"]]
    return [*([f"target never moves, so no part in r: {', '.join(still)}"] if still else []), *scored.remarks]


def clip_rows(rows: Mapping[str, Scores]) -> Rows:
    """The head and one row a clip, mean, interval's end or floor; MAE to > 6 Hz are the face's."""
    parts = (CLIP_COLUMNS, FACE_COLUMNS, LAG_COLUMN)
    lines = [["clip", *(heading for columns in parts for heading, _ in columns.values())]]
    for clip, scores in rows.items():
        sources = (scores, scores["groups"]["face"], scores)
        lines.append([clip, *(cell for of, columns in zip(sources, parts, strict=True) for cell in cells(of, columns))])
    return lines


def known_rows(rows: Mapping[str, Scores], columns: Columns) -> Rows:
    """The same for scores that not every clip has; a column that is empty throughout is left out."""
    columns = _known(rows, columns)
    head = ["clip", *(heading for heading, _ in columns.values())]
    return [head, *([clip, *cells(scores, columns)] for clip, scores in rows.items())]


def _known(rows: Mapping[str, Scores], columns: Columns) -> Columns:
    known = {name for scores in rows.values() for name, value in scores.items() if value is not None}
    return {name: column for name, column in columns.items() if name in known}


def part_rows(kind: str, parts: Mapping[str, Scores]) -> Rows:
    """The head and one row a group or a channel."""
    head = [kind, *(heading for heading, _ in PART_COLUMNS.values())]
    return [head, *([name, *cells(scores, PART_COLUMNS)] for name, scores in parts.items())]


def cells(scores: Scores, columns: Columns) -> list[str]:
    """Scores as a table shows them, a dash for those without meaning."""
    values = {name: scores.get(name) for name in columns}
    return ["–" if values[name] is None else format(values[name], style) for name, (_, style) in columns.items()]


def _bounds(scored: Scored) -> dict[str, Scores]:
    """The lower and the upper ends of the means' intervals, as scores; of the length that clips have there is none."""
    if len(scored.clips) == 1:
        return {}
    ends = {path: interval for path, interval in scored.ends.items() if path != "frames"}
    return {
        name: nested({path: interval and interval[end] for path, interval in ends.items()})
        for end, name in enumerate(("(95 % from)", "(95 % to)"))
    }
