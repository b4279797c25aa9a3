"""An ablation's scores, ranked: as a table, as a Markdown page, and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from config.files import written_whole
from config.grid import BASE, Grid
from config.look import COLOURS, FONT_POINTS, INK, save
from config.study import Epoch
from postprocess.score.held_out import COLUMNS, cells, spread, training_time
from postprocess.score.metrics import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTES: dict[Epoch, str] = {
    "last": "The last epoch of each training is scored.",
    "best": "Each training's epoch with the least validation loss is scored, picked on the same held-out clips.",
}

Trials = Mapping[str, Sequence[Scores]]
"""Each variant's trials, one a seed, as model.trials.run_grid gives them."""


def ranked(trials: Trials) -> list[str]:
    """Names by their mean contest score, best first."""
    return sorted(trials, key=lambda name: _mean_contest(trials[name]))


def _contests(trials: Sequence[Scores]) -> list[float]:
    return [trial["mean"]["contest"] for trial in trials]


def _mean_contest(trials: Sequence[Scores]) -> float:
    return sum(_contests(trials)) / len(trials)


def ablation_rows(trials: Trials, ridge: Scores) -> tuple[list[str], list[list[str]]]:
    """Head and lines: mean ± std over the seeds, best first, and the floors: ridge regression and the mean face."""
    reference = _mean_contest(trials[BASE]) if BASE in trials else None
    lines = []
    for name in ranked(trials):
        seeds = trials[name]
        against = f"{100 * (_mean_contest(seeds) / reference - 1):+.1f} %" if reference and name != BASE else "–"
        measured = [spread([score(trial["mean"]) for trial in seeds], style) for score, style in COLUMNS.values()]
        lines.append([name, measured[0], against, *measured[1:], training_time([trial["train_s"] for trial in seeds])])
    mean_face = next(iter(trials.values()))[0]["mean_face"]
    floors = [("(ridge)", ridge["mean"], training_time([ridge["train_s"]])), ("(mean face)", mean_face, "–")]
    for name, scores, train_s in floors:
        first, *others = cells(scores)
        lines.append([name, first, "–", *others, train_s])
    contest, *headings = COLUMNS
    return ["variant", contest, f"vs {BASE}", *headings, "train s"], lines


def write_ablation_page(
    path: Path, trials: Trials, ridge: Scores, grid: Grid, held_out: Sequence[str], epoch: Epoch
) -> None:
    """The table and what each variant changes, as Markdown. held_out: ids of the clips that were scored."""
    head, lines = ablation_rows(trials, ridge)
    parts = [f"| {' | '.join(line)} |" for line in (head, ["---", *["---:"] * (len(head) - 1)], *lines)]
    changes = [
        f"- {name}: {', '.join(f'`{word}`' for word in grid[name]) or 'nothing changed'}"
        for name in ranked(trials)
        if name in grid
    ]
    seeds = len(next(iter(trials.values())))
    over = f"Mean ± standard deviation over {seeds} seed{'s' * (seeds > 1)}, best contest score first. {NOTES[epoch]}"
    text = ["# Ablation", over, f"Held out: {', '.join(held_out)}.", "\n".join(parts), "\n".join(changes)]
    with written_whole(path) as partial:
        partial.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def write_ablation_picture(path: Path, trials: Trials) -> None:
    """A PNG of the ranking."""
    import matplotlib

    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure = draw_ablation(trials)
        with written_whole(path) as partial:
            save(figure, partial, format="png", dpi=120)


def draw_ablation(trials: Trials) -> "Figure":
    """Bars of the mean contest score, best on top, one std to either side, a dot a seed, and a line at the base's."""
    from matplotlib.figure import Figure

    names = ranked(trials)
    figure = Figure(figsize=(13.3, 1.6 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    means = [float(np.mean(_contests(trials[name]))) for name in names]
    stds = [float(np.std(_contests(trials[name]), ddof=1)) if len(trials[name]) > 1 else 0.0 for name in names]
    colours = [COLOURS[1] if name == BASE else COLOURS[5] for name in names]
    axes.barh(names, means, xerr=stds, color=colours, ecolor=INK, capsize=5)
    for place, (name, mean, std) in enumerate(zip(names, means, stds, strict=True)):
        scores = _contests(trials[name])
        axes.plot(scores, [place] * len(scores), "o", color=INK, markersize=4, alpha=0.6)
        axes.text(max(mean + std, *scores), place, f"  {mean:.4f}", va="center")
    if BASE in trials:
        axes.axvline(means[names.index(BASE)], color=COLOURS[1], linestyle="--", linewidth=1.5)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(mean + std for mean, std in zip(means, stds, strict=True)))
    axes.set_xlabel("contest score on held-out clips (lower is better)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
