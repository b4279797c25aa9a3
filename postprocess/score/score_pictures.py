"""The pictures of an evaluation: a clip's curves over their targets, and each channel's scores as bars."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from config import pages
from config.look import COLOURS, FAINT, FONT_POINTS, INK, SIZE_INCHES, tidy
from postprocess.score.matching import CurvePair
from postprocess.score.metrics import CONFIDENCE, CurveScores, Intervals

PICTURED_S = 20.0  # of a clip, its worst stretch
AVERAGED_S = 1.0  # over which a whole clip's error is smoothed
BARS: dict[Literal["correlation", "mae", "amplitude_ratio"], str] = {
    "correlation": "r to the target",
    "mae": "mean absolute error",
    "amplitude_ratio": "amplitude, × the target's",
}
LONGEST_BAR = 2.5  # an amplitude beside a target that hardly moves may be any number
INTERVAL = f"{CONFIDENCE:.0%} interval of the mean"


class Style(NamedTuple):
    """Size and colours: of a page's pictures, which follow its theme, or of a slide, read from the last row."""

    width: float  # inches
    row: float  # inches a channel
    points: float
    ink: str
    target: str
    prediction: str
    accent: str


PAGE = Style(10.8, 0.95, 9, pages.INK, pages.FAINT, pages.BLUE, pages.ORANGE)
SLIDE = Style(SIZE_INCHES[0], 1.15, FONT_POINTS, INK, FAINT, *COLOURS[:2])


def draw_clip(curves: CurvePair, channels: Sequence[str], style: Style) -> Figure:
    """The target as an area, the prediction as a line over it, a row a channel, time in seconds.

    Of a clip longer than PICTURED_S only the worst stretch; a strip above it says where that is, and how large the
    error is elsewhere.
    """
    fps = curves.rates.target
    shown = worst_stretch(curves, channels, round(PICTURED_S * fps))
    whole = shown == slice(0, max(len(curves.prediction), len(curves.target)))
    heights = [1.0] * (len(channels) + (not whole))
    figure = Figure(figsize=(style.width, style.row * len(heights) + 0.08 * style.points), layout="constrained")
    panels = list(figure.subplots(len(heights), 1, squeeze=False)[:, 0])
    if not whole:
        _draw_error(panels.pop(0), frame_errors(curves, channels), shown, fps, style)
    for axes, name in zip(panels, channels, strict=True):
        axes.sharex(panels[0])
        for values, label in ((curves.target, "target"), (curves.prediction, "prediction")):
            part = values[shown, curves.names.index(name)]
            times_s = (shown.start + np.arange(len(part))) / fps
            if label == "target":
                axes.fill_between(times_s, part, color=style.target, linewidth=0, label=label)
            else:
                axes.plot(times_s, part, color=style.prediction, linewidth=style.points / 8, label=label)
        tidy(axes, style.ink, style.ink, style.points)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.margins(x=0)
        axes.tick_params(labelbottom=axes is panels[-1])
    panels[-1].set_xlabel("time (s)")
    figure.align_ylabels(panels)
    figure.supylabel("coefficient (0 neutral, 1 full)", fontsize=style.points, color=style.ink)
    legend = {"frameon": False, "labelcolor": style.ink, "fontsize": style.points, "ncols": 2, "borderaxespad": 0}
    panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), **legend)
    return figure


def worst_stretch(curves: CurvePair, channels: Sequence[str], frames: int) -> slice:
    """The so many frames in which the channels' mean absolute error is largest; the clip, where it is no longer."""
    error = frame_errors(curves, channels)
    if len(error) <= frames:
        return slice(0, max(len(curves.prediction), len(curves.target)))
    sums = np.concatenate([[0.0], np.cumsum(error)])
    start = int(np.argmax(sums[frames:] - sums[:-frames]))
    return slice(start, start + frames)


def frame_errors(curves: CurvePair, channels: Sequence[str]) -> np.ndarray:
    """|prediction - target|, mean over the channels, of the frames that both have: (frames,)."""
    length = min(len(curves.prediction), len(curves.target))
    columns = [curves.names.index(name) for name in channels]
    return np.abs(curves.prediction[:length, columns] - curves.target[:length, columns]).mean(axis=1)


def _draw_error(axes: Axes, error: np.ndarray, shown: slice, fps: float, style: Style) -> None:
    frames = max(1, round(AVERAGED_S * fps))
    smoothed = np.convolve(error, np.full(frames, 1 / frames), mode="same")
    axes.plot(np.arange(len(error)) / fps, smoothed, color=style.ink, linewidth=style.points / 12)
    axes.axvspan(shown.start / fps, shown.stop / fps, color=style.accent, alpha=0.3, linewidth=0)
    tidy(axes, style.ink, style.ink, style.points)
    axes.set_ylabel("mean\n|error|", rotation=0, ha="right", va="center")
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    said = f"the whole clip, error averaged over {AVERAGED_S:g} s; below, its worst {PICTURED_S:g} s"
    axes.set_title(said, loc="left", fontsize=style.points, color=style.ink)


def draw_channels(mean: CurveScores, ends: Intervals, mean_face: CurveScores | None, style: Style) -> Figure:
    """Bars of r, error and amplitude of every channel whose target moves, the liveliest on top.

    mean: over the clips; ends: the intervals of these means; mean_face: that floor's mean, marked in the errors.
    """
    channels = mean["channels"]
    names = sorted((name for name in channels if channels[name]["moving"]), key=lambda n: channels[n]["target_std"])
    figure = Figure(figsize=(style.width, 0.025 * style.points * (len(names) + 4)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (score, title) in zip(panels, BARS.items(), strict=True):
        _draw_bars(axes, [channels[name][score] for name in names], style)
        for place, name in enumerate(names):
            if interval := ends[f"channels.{name}.{score}"]:
                axes.plot(interval, [place, place], color=style.ink, linewidth=style.points / 6, label=INTERVAL)
        tidy(axes, style.ink, style.ink, style.points)
        axes.set_title(title, loc="left", fontsize=style.points, color=style.ink)
        axes.grid(axis="x", alpha=0.3)
    _, errors, amplitudes = panels
    if mean_face:
        floor = [mean_face["channels"][name]["mae"] for name in names]
        dashes = {"markersize": 1.2 * style.points, "markeredgewidth": 2.5, "linestyle": "none", "label": "mean face"}
        errors.plot(floor, range(len(names)), "|", color=style.accent, **dashes)
    known = dict(zip(*reversed(errors.get_legend_handles_labels()), strict=True))  # one handle a label
    legend: dict[str, Any] = {"frameon": False, "labelcolor": style.ink, "fontsize": style.points, "ncols": len(known)}
    figure.legend(known.values(), known, loc="outside lower center", **legend)
    amplitudes.axvline(1, color=style.accent, linestyle="--", linewidth=1.5)
    errors.set_yticks(range(len(names)), names)
    errors.set_ylim(-0.6, len(names) - 0.4)
    return figure


def _draw_bars(axes: Axes, values: Sequence[float | None], style: Style) -> None:
    """A bar a value from the bottom up; one longer than LONGEST_BAR is cut off there and says its length."""
    lengths = [value or 0.0 for value in values]
    axes.barh(range(len(values)), lengths, color=style.prediction, height=0.7, label="prediction")
    for place, length in enumerate(lengths):
        if length > LONGEST_BAR:
            text: dict[str, Any] = {"color": "white", "fontsize": style.points, "ha": "right", "va": "center"}
            axes.text(0.98 * LONGEST_BAR, place, f"{length:.3g} →", **text)
    if max(lengths, default=0) > LONGEST_BAR:
        axes.set_xlim(0, LONGEST_BAR)
