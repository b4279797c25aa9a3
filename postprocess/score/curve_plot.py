"""Draw curves under the sound that they move to: the waveform over the six liveliest channels, on one time axis."""

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from config.look import COLOURS, FONT_POINTS, INK, SIZE_INCHES, SMALLEST_POINTS, font_for
from config.units import SAMPLE_RATE
from dataset.blendshapes import CurveTable
from dataset.transcript import Word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIVELIEST = 6
TOLERATED_S = 0.2  # a larger difference of sound and curves means another --fps or another clip

WAVEFORM_COLUMNS = 2000  # the wave is drawn as its lowest and highest sample in this many columns


def liveliest(table: CurveTable, among: tuple[str, ...], count: int = LIVELIEST) -> tuple[str, ...]:
    """The channels with the largest standard deviation, largest first."""
    present = tuple(name for name in among if name in table.names)
    std = table.select(present).std(axis=0)
    return tuple(present[index] for index in np.argsort(-std, kind="stable")[:count])


def envelope(audio: np.ndarray, columns: int = WAVEFORM_COLUMNS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """audio: (samples,) 16 kHz → start (s), lowest and highest sample of each column, all of one length ≤ columns."""
    starts = np.unique(np.linspace(0, len(audio), columns, endpoint=False).astype(int))
    return starts / SAMPLE_RATE, np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)


def token_points(words: list[Word], duration_s: float, width_inches: float) -> float | None:
    """The font size at which tokens, in two rows by turns, don't run into each other; None if too small to read."""
    sizes = [float(FONT_POINTS)]
    for word, after_next in zip(words, words[2:], strict=False):
        room_points = (after_next.start_s - word.start_s) / duration_s * width_inches * 72
        sizes.append(room_points / _width_ems(word.text + " "))
    return min(sizes) if min(sizes) >= SMALLEST_POINTS else None


def _width_ems(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(character) in "WF" else 0.6 for character in text)


def draw_words(axes: "Axes", words: list[Word], duration_s: float) -> str | None:
    """Tokens above the waveform, a line where each starts; says why when only the lines could be drawn."""
    for word in words:
        axes.axvline(word.start_s, color=INK, linewidth=0.6, alpha=0.5)
    points = token_points(words, duration_s, _width_inches(axes))
    if points is None:
        return "the tokens stand too close together to be read, so only their starts are marked"
    text = "".join(word.text for word in words)
    font = font_for(text)
    if font is None:
        return "no installed font has all the transcript's characters, so only the tokens' starts are marked"
    font.set_size(points)
    for turn, word in enumerate(words):
        height = 1.04 + 0.17 * (turn % 2)  # of the axes: just above the waveform
        place = (word.start_s, height)
        axes.text(*place, word.text, fontproperties=font, transform=axes.get_xaxis_transform(), clip_on=False)
    return None


def _width_inches(axes: "Axes") -> float:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # so that the layout is settled
    return axes.get_window_extent().width / figure.dpi


def draw(
    audio: np.ndarray, curves: CurveTable, channels: tuple[str, ...], target: CurveTable | None, fps: float
) -> "Figure":
    """The figure: the waveform, then a panel a channel, time in seconds; target, when there is one, dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    heights = [1.4, *[1.0] * len(channels)]
    wave, *panels = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    time_s, lowest, highest = envelope(audio)
    wave.fill_between(time_s, lowest, highest, step="post", color=INK, linewidth=0)
    peak = max(float(np.abs(audio).max()), 1e-3)
    wave.set(ylabel="amplitude", ylim=(-1.05 * peak, 1.05 * peak))
    for axes, channel, colour in zip(panels, channels, COLOURS, strict=False):
        for table, style in ((target, {"color": INK, "linestyle": "--"}), (curves, {"color": colour, "linewidth": 2})):
            if table is not None:
                values = table.select((channel,))[:, 0]
                label = channel if table is curves else "target"
                axes.plot(np.arange(len(values)) / fps, values, label=label, **style)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=FONT_POINTS - 2, reverse=True)
    _share_scale(panels)
    figure.supylabel("coefficient (0 neutral, 1 full)", fontsize=FONT_POINTS)
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(0, max(len(audio) / SAMPLE_RATE, len(curves.values) / fps))
    for axes in (wave, *panels):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
    return figure


def _share_scale(panels: "list[Axes]") -> None:
    """One scale for all panels, so that their heights compare."""
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(min(low, 0), high)
