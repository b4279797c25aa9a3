"""A cross-validation's scores as a table, and what each variant gains on the first one."""

from collections.abc import Mapping, Sequence

from config.tables import table
from postprocess.score.held_out import COLUMNS, cells, training_time
from postprocess.score.metrics import CONFIDENCE, Scores, intervals, mean_scores


def fold_table(variants: Mapping[str, Scores], ridge: Scores) -> str:
    """Each variant's folds, then the mean over all its clips, then the floors.

    variants: name → what model.trials.run_folds gives; ridge: what model.ridge_regression.run_ridge gives.
    """
    lines = []
    for name, result in variants.items():
        for number, fold in enumerate(result["folds"]):
            label = f"{name} fold {number}"
            lines.append([label, str(len(fold["clips"])), *cells(fold["mean"]), training_time([fold["train_s"]])])
        times = training_time([fold["train_s"] for fold in result["folds"]])
        lines.append([f"{name} (mean)", str(len(result["clips"])), *cells(result["mean"]), times])
    lines.append(["(ridge)", str(len(ridge["clips"])), *cells(ridge["mean"]), training_time([ridge["train_s"]])])
    floor = next(iter(variants.values()))
    lines.append(["(mean face)", str(len(floor["clips"])), *cells(floor["mean_face"]), "–"])
    return table(["variant", "clips", *COLUMNS, "train s"], lines)


def gain_lines(variants: Mapping[str, Scores]) -> list[str]:
    """Each variant's contest score, then its gain on the first, clip by clip, with bootstrap intervals over clips."""
    (first, base), *others = variants.items()
    lines = [
        f"{name}: contest {with_interval(list(found['clips'].values()), '.4f')}" for name, found in variants.items()
    ]
    for name, result in others:
        gains = [
            {"contest": result["clips"][clip]["contest"] - base["clips"][clip]["contest"]} for clip in base["clips"]
        ]
        better = sum(gain["contest"] < 0 for gain in gains)
        lines.append(
            f"{name} against {first}: {with_interval(gains, '+.4f')}, better on {better} of {len(gains)} clips"
        )
    return lines


def with_interval(clips: Sequence[Scores], style: str) -> str:
    """The mean contest score and, in brackets, its interval."""
    mean, interval = mean_scores(clips)["contest"], intervals(clips)["contest"]
    ends = f" ({CONFIDENCE:.0%}: {format(interval[0], style)} to {format(interval[1], style)})" if interval else ""
    return format(mean, style) + ends
