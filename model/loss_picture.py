"""The losses of a run over its epochs as one picture: their weighted total large, beside it each on its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.files import written_whole
from config.look import COLOURS, FONT_POINTS, INK, save
from config.schema import Config
from model.losses import TOTAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS: dict[str, dict[str, Any]] = {
    "train": {"label": "training", "color": COLOURS[0], "linestyle": "--", "linewidth": 2},
    "val": {"label": "validation", "color": COLOURS[1], "linewidth": 2.5},
}
DOTTED_EPOCHS = 40  # with more, a dot an epoch only thickens the line

Losses = dict[str, dict[str, list[float]]]
"""Split ("train", and "val" where there is one) → loss → its value in each epoch."""


def write_loss_picture(path: Path, metrics: Path, config: Config, best_epoch: int) -> None:
    """Draw a run's metrics.jsonl as a PNG. best_epoch: the one whose weights are kept as the best, from 1."""
    import matplotlib

    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure = draw(read_losses(metrics), config, best_epoch)
        with written_whole(path) as partial:
            save(figure, partial, format="png", dpi=100)


def read_losses(metrics: Path) -> Losses:
    """Those of every epoch, also of the epochs before a --resume."""
    losses: Losses = {}
    with metrics.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["split"] in SPLITS:
                for name in row.keys() - {"epoch", "step", "split"}:
                    losses.setdefault(row["split"], {}).setdefault(name, []).append(row[name])
    return losses


def draw(losses: Losses, config: Config, best_epoch: int) -> "Figure":
    """The figure: a panel a loss with training dashed and validation whole, the best epoch marked in each."""
    from matplotlib.figure import Figure

    weights = config.loss.weights
    parts = list(weights) if len(weights) > 1 else []
    figure = Figure(figsize=(13.3, 7.5), layout="constrained")
    layout = [[TOTAL, part] for part in parts] or [[TOTAL]]
    panels = figure.subplot_mosaic(layout, width_ratios=[1.7, 1] if parts else None)  # type: ignore[arg-type]
    for name, axes in panels.items():
        _draw_panel(axes, {split: rows[name] for split, rows in losses.items()}, best_epoch)
    for name in parts:
        panels[name].set_title(name, loc="left", fontsize=FONT_POINTS)
        panels[name].tick_params(labelbottom=name == parts[-1])
    formula = " + ".join(f"{weight:g} × {name}" for name, weight in weights.items())
    panels[TOTAL].set_title(f"{TOTAL} = {formula}", loc="left", fontsize=FONT_POINTS)
    panels[TOTAL].set(ylabel="loss on normalised curves (no unit)", xlabel="epoch")
    panels[parts[-1] if parts else TOTAL].set_xlabel("epoch")
    best = losses.get("val", losses["train"])[TOTAL][best_epoch - 1]
    panels[TOTAL].plot(best_epoch, best, "*", color=INK, markersize=15, label="best epoch")
    panels[TOTAL].legend(frameon=False, labelcolor=INK)
    kind = "validation loss" if "val" in losses else "the last, for there are no validation clips; training loss"
    figure.suptitle(f"{config.run.name}: best epoch {best_epoch}, {kind} {best:.4f}", fontsize=FONT_POINTS + 4)
    return figure


def _draw_panel(axes: "Axes", curves: dict[str, list[float]], best_epoch: int) -> None:
    """curves: split → a value an epoch."""
    from matplotlib.ticker import MaxNLocator

    for split, values in curves.items():
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, marker="o" if len(values) <= DOTTED_EPOCHS else None, markersize=4, **SPLITS[split])
    axes.axvline(best_epoch, color=INK, linestyle=":", linewidth=1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
