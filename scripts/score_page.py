"""The scores as one HTML page that needs no other: figures at the top, curves of the worst clips, and every table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.files import written_whole
from dataset.web_page import BLUE, INK, ORANGE, page, style, svg
from scripts.metrics import Scores

PICTURED = 20  # clips, the worst first: a page of some megabytes still opens at once
PICTURED_S = 20.0  # of each clip, from its worst stretch on

Rows = list[list[str]]


class Curves(NamedTuple):
    """A clip's prediction and target, both (frames, len(names))."""

    prediction: np.ndarray
    target: np.ndarray
    names: tuple[str, ...]


def write_page(
    path: Path,
    clips: dict[str, Scores],
    mean: Scores,
    tables: Sequence[Rows],
    remarks: Sequence[str],
    channels: Sequence[str],
    fps: float,
    curves: Mapping[str, Callable[[], Curves]],
) -> None:
    """Write the page, whole or not at all. channels: those to picture; curves: what reads those of a clip."""
    worst = sorted(clips, key=lambda clip: -clips[clip]["contest_per_step"])[:PICTURED]
    pictures = ((clip, clip_picture(clip, curves[clip](), channels, fps)) for clip in worst)
    frames = sum(scores["frames"] for scores in clips.values())
    count = f"{len(clips)} clip{'s' * (len(clips) > 1)}"
    subtitle = f"{count}, {frames:,} frames, {frames / fps / 60:.1f} min at {fps:g} frames a second"
    body = [*_tiles(mean), *_tables(tables, remarks), *_pictures(pictures, len(clips))]
    with written_whole(path) as partial:
        partial.write_text("\n".join(page("Scores", "Scores", subtitle, body)), encoding="utf-8")


def _tiles(mean: Scores) -> Iterator[str]:
    face, jaw = mean["groups"]["face"], mean["channels"]["JawOpen"]
    shown = [
        ("contest score", mean["contest"], ".3f"),
        ("r of JawOpen", jaw["correlation"], ".2f"),
        ("amplitude of JawOpen ×", jaw["amplitude_ratio"], ".2f"),
        ("MAE of the face", face["mae"], ".4f"),
        ("p b m closed", mean.get("bilabials_closed"), ".0%"),
        ("lag to the sound (ms)", mean.get("sound_lag_ms"), "+.0f"),
    ]
    known = [(name, format(value, form)) for name, value, form in shown if value is not None]
    tiles = (f'<div class="tile"><b>{value}</b>{escape(name)}</div>' for name, value in known)
    yield f'<div class="tiles">{"".join(tiles)}</div>'


def _tables(tables: Sequence[Rows], remarks: Sequence[str]) -> Iterator[str]:
    yield "<h2>Scores</h2>"
    for head, *rows in tables:
        yield "<div class='card'><table class='wide number'>"
        yield _row("".join(f"<th>{escape(cell)}</th>" for cell in head))
        for first, *cells in rows:
            numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            yield _row(f"<td class='clip'>{escape(first)}</td>{numbers}")
        yield "</table></div>"
    yield from (f"<p class='soft'>{escape(remark)}</p>" for remark in remarks)


def _row(cells: str) -> str:
    return f"<tr>{cells}</tr>"


def _pictures(pictures: Iterable[tuple[str, str]], clips: int) -> Iterator[str]:
    which = f", the worst {PICTURED} of {clips} clips" if clips > PICTURED else ", the worst clip first"
    yield f"<h2>Curves{which if clips > 1 else ''}</h2>"
    for clip, picture in pictures:
        yield f"<div class='card'><h3>{escape(clip)}</h3>{picture}</div>"


def clip_picture(clip: str, curves: Curves, channels: Sequence[str], fps: float) -> str:
    """Prediction over target, a row a channel, as SVG text: the clip, or its worst PICTURED_S."""
    from matplotlib.figure import Figure

    shown = worst_stretch(curves, channels, round(PICTURED_S * fps))
    figure = Figure(figsize=(10.8, 0.95 * len(channels) + 0.5), layout="constrained")
    rows = figure.subplots(len(channels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, channels, strict=True):
        column = curves.names.index(name)
        for values, colour, label in ((curves.target, ORANGE, "target"), (curves.prediction, BLUE, "prediction")):
            part = values[shown, column]
            times_s = (shown.start + np.arange(len(part))) / fps
            axes.plot(times_s, part, color=colour, linewidth=1.1, label=label)
        style(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.margins(x=0)
    rows[-1].set_xlabel("time (s)")
    rows[0].legend(frameon=False, labelcolor=INK, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    return svg(figure, f"clip {clip}")


def worst_stretch(curves: Curves, channels: Sequence[str], frames: int) -> slice:
    """The so many frames in which the channels' mean absolute error is largest; the clip, where it is no longer."""
    length = min(len(curves.prediction), len(curves.target))
    if length <= frames:
        return slice(0, max(len(curves.prediction), len(curves.target)))
    columns = [curves.names.index(name) for name in channels]
    error = np.abs(curves.prediction[:length, columns] - curves.target[:length, columns]).mean(axis=1)
    sums = np.concatenate([[0.0], np.cumsum(error)])
    start = int(np.argmax(sums[frames:] - sums[:-frames]))
    return slice(start, start + frames)
