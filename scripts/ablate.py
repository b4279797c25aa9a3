"""Rank what each part of a recipe is worth: every change of a grid, trained with the same seeds, scored unseen."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

from config.command import UserError, config_arguments, run
from config.files import written_whole
from config.grid import BASE, Grid, choose, load_grid, load_variants
from config.look import COLOURS, FONT_POINTS, INK
from config.schema import Config
from config.tables import table
from postprocess.score.metrics import Scores
from scripts.ridge import run_ridge
from scripts.trials import (
    COLUMNS,
    add_trial_options,
    cells,
    check_held_out,
    check_pieces,
    placed,
    run_trial,
    seconds,
    spread,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = """
    python scripts/ablate.py --config config/facegood.yml --grid config/grids/ablation.yml --pieces 10
    python scripts/ablate.py --config config/facegood.yml --grid config/grids/ablation.yml --seeds 5
    python scripts/ablate.py --config config/demo.yml --grid config/grids/ablation.yml train.epochs=20
"""
NOTES = {
    "last": "The last epoch of each training is scored.",
    "best": "Each training's epoch with the least validation loss is scored, picked on the same held-out clips.",
}
NO_TSV = " (no tsv)"  # a model that reads text, scored without transcripts

Rows = dict[str, list[Scores]]
"""Each variant's trials, one a seed; scores as run_trial gives them. One that reads text has a second row, NO_TSV."""


def parse() -> argparse.Namespace:
    commands = config_arguments(__doc__, EXAMPLES)
    add = commands.add_argument
    add("--grid", type=Path, required=True, metavar="YAML", help="named changes, such as config/grids/ablation.yml")
    add("--variants", nargs="+", metavar="NAME", help="only these of the grid")
    add("--seeds", type=int, default=3, help="trainings a variant; the first has the config's run.seed")
    add_trial_options(commands)
    return commands.parse_args()


def main() -> None:
    given = parse()
    if given.seeds < 1:
        raise UserError(f"--seeds {given.seeds}: must be at least 1")
    grid = choose(load_grid(given.grid), given.variants)
    variants = load_variants(given.config, given.overrides, grid)
    first = next(iter(variants.values()))
    held_out = check_held_out(first)
    check_pieces(given.pieces, first.data.fps)
    folder = first.run.dir / f"{first.run.name}_ablation"
    rows = run_grid(variants, folder, given)
    ridge = run_ridge([first], folder / "floors" / "ridge", given.pieces)
    print("", table(*table_rows(rows, ridge)), sep="\n")
    write_markdown(folder / "ablation.md", rows, ridge, grid, held_out, NOTES[given.epoch])
    import matplotlib

    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure = draw(rows)
        with written_whole(folder / "ablation.png") as partial:
            figure.savefig(partial, format="png", dpi=120)
    trainings, clips = len(variants) * given.seeds, f"{len(held_out)} held-out clip{'s' * (len(held_out) > 1)}"
    print(f"\n{len(variants)} variants, {trainings} trainings, {clips}: {folder / 'ablation.md'}")
    print(f"picture: {folder / 'ablation.png'}")


def run_grid(variants: dict[str, Config], folder: Path, given: argparse.Namespace) -> Rows:
    """Every variant with the first seed before any with the second, so that a study cut short compares."""
    rows: Rows = {name: [] for name in variants}
    for number in range(given.seeds):
        for place, (name, config) in enumerate(variants.items()):
            done = number * len(variants) + place
            print(f"{name}, seed {config.run.seed + number} ({done + 1} of {given.seeds * len(variants)})")
            trial = placed(config, folder / name, f"seed_{config.run.seed + number}", config.run.seed + number)
            scores = run_trial(trial, trial.run_dir / "csv", given.pieces, given.epoch, given.overwrite)
            rows[name].append(scores)
            if "sound_alone" in scores:
                rows.setdefault(name + NO_TSV, []).append({**scores, "mean": scores["sound_alone"]})
    return rows


def ranked(rows: Rows) -> list[str]:
    """Names by their mean contest score, best first."""
    return sorted(rows, key=lambda name: sum(contests(rows[name])) / len(rows[name]))


def contests(trials: Sequence[Scores]) -> list[float]:
    return [trial["mean"]["contest"] for trial in trials]


def table_rows(rows: Rows, ridge: Scores) -> tuple[list[str], list[list[str]]]:
    """Head and lines: mean ± std over the seeds, best first, and the floors: ridge regression and the mean face."""
    reference = sum(contests(rows[BASE])) / len(rows[BASE]) if BASE in rows else None
    lines = []
    for name in ranked(rows):
        trials = rows[name]
        against = "–"
        if reference and name != BASE:
            against = f"{100 * (sum(contests(trials)) / len(trials) / reference - 1):+.1f} %"
        measured = [spread([score(trial["mean"]) for trial in trials], style) for score, style in COLUMNS.values()]
        lines.append([name, measured[0], against, *measured[1:], seconds([trial["train_s"] for trial in trials])])
    mean_face = next(iter(rows.values()))[0]["mean_face"]
    floors = [("(ridge)", ridge["mean"], seconds([ridge["train_s"]])), ("(mean face)", mean_face, "–")]
    for name, scores, train_s in floors:
        first, *measured = cells(scores)
        lines.append([name, first, "–", *measured, train_s])
    contest, *others = COLUMNS
    return ["variant", contest, f"vs {BASE}", *others, "train s"], lines


def write_markdown(path: Path, rows: Rows, ridge: Scores, grid: Grid, held_out: Sequence[str], note: str) -> None:
    head, lines = table_rows(rows, ridge)
    parts = [f"| {' | '.join(line)} |" for line in (head, ["---", *["---:"] * (len(head) - 1)], *lines)]
    changes = [
        f"- {name}: {', '.join(f'`{word}`' for word in grid[name]) or 'nothing changed'}"
        for name in ranked(rows)
        if name in grid
    ]
    seeds = len(next(iter(rows.values())))
    text = [
        "# Ablation",
        f"Mean ± standard deviation over {seeds} seed{'s' * (seeds > 1)}, best contest score first. {note}",
        f"Held out: {', '.join(held_out)}.",
        "\n".join(parts),
        "\n".join(changes),
    ]
    with written_whole(path) as partial:
        partial.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def draw(rows: Rows) -> "Figure":
    """Bars of the mean contest score, best on top, one std to either side, a dot a seed, and a line at the base's."""
    from matplotlib.figure import Figure

    names = ranked(rows)
    figure = Figure(figsize=(13.3, 1.6 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    means = [float(np.mean(contests(rows[name]))) for name in names]
    stds = [float(np.std(contests(rows[name]), ddof=1)) if len(rows[name]) > 1 else 0.0 for name in names]
    colours = [COLOURS[1] if name == BASE else COLOURS[5] for name in names]
    axes.barh(names, means, xerr=stds, color=colours, ecolor=INK, capsize=5)
    for place, (name, mean, std) in enumerate(zip(names, means, stds, strict=True)):
        scores = contests(rows[name])
        axes.plot(scores, [place] * len(scores), "o", color=INK, markersize=4, alpha=0.6)
        axes.text(max(mean + std, *scores), place, f"  {mean:.4f}", va="center")
    if BASE in rows:
        axes.axvline(means[names.index(BASE)], color=COLOURS[1], linestyle="--", linewidth=1.5)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(mean + std for mean, std in zip(means, stds, strict=True)))
    axes.set_xlabel("contest score on held-out clips (lower is better)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    run(main)
