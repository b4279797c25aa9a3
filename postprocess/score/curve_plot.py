"""Draw curves under the sound that they move to: the waveform over the six liveliest channels, on one time axis."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from config.files import written_whole
from config.look import COLOURS, FONT_POINTS, INK, SIZE_INCHES, SMALLEST_POINTS, font_for, save
from config.units import SAMPLE_RATE
from dataset.blendshapes import indices
from dataset.recordings.recording import Recording
from dataset.transcript import Word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIVELIEST = 6
TOLERATED_S = 0.2  # a larger difference of sound and curves means another --fps or another clip
WAVEFORM_COLUMNS = 2000  # the wave is drawn as its lowest and highest sample in this many columns


def length_note(file: Path, recording: Recording, sound_file: Path, sound_s: float) -> str:
    """What to ask about curves (with a rate) and sound whose lengths differ by more than TOLERATED_S, else nothing."""
    motion_s = recording.duration_s or 0.0
    if abs(sound_s - motion_s) <= TOLERATED_S:
        return ""
    ask = "is --fps right?" if recording.times_s is None else "are they of one take?"
    return f"{file} lasts {motion_s:.2f} s at {recording.fps:g} fps, {sound_file} {sound_s:.2f} s: {ask}"


def liveliest(
    values: np.ndarray, names: tuple[str, ...], among: tuple[str, ...], count: int = LIVELIEST
) -> tuple[str, ...]:
    """The channels of (frames, len(names)) with the largest standard deviation, largest first, of those `among`."""
    present = tuple(name for name in among if name in names)
    std = values[:, indices(names, present)].std(axis=0)
    return tuple(present[index] for index in np.argsort(-std, kind="stable")[:count])


def envelope(audio: np.ndarray, columns: int = WAVEFORM_COLUMNS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """audio: (samples,) 16 kHz → start (s), lowest and highest sample of each column, all of one length ≤ columns."""
    starts = np.unique(np.linspace(0, len(audio), columns, endpoint=False).astype(int))
    return starts / SAMPLE_RATE, np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)


def token_points(words: Sequence[Word], duration_s: float, width_inches: float) -> float | None:
    """The font size at which tokens, in two rows by turns, don't run into each other; None if too small to read."""
    sizes = [float(FONT_POINTS)]
    for word, after_next in zip(words, words[2:], strict=False):
        room_points = (after_next.start_s - word.start_s) / duration_s * width_inches * 72
        sizes.append(room_points / _width_ems(word.text + " "))
    return min(sizes) if min(sizes) >= SMALLEST_POINTS else None


def _width_ems(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(character) in "WF" else 0.6 for character in text)


def draw_words(axes: "Axes", words: Sequence[Word], duration_s: float) -> str | None:
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


def draw(audio: np.ndarray, curves: Recording, channels: tuple[str, ...], target: Recording | None) -> "Figure":
    """The figure: the waveform, then a panel a channel, time in seconds; target, when there is one, dashed.

    audio: (samples,) 16 kHz. Each recording is drawn by its own clock. Raises ValueError for one that has none.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    heights = [1.4, *[1.0] * len(channels)]
    wave, *panels = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    time_s, lowest, highest = envelope(audio)
    wave.fill_between(time_s, lowest, highest, step="post", color=INK, linewidth=0)
    peak = max(float(np.abs(audio).max()), 1e-3)
    wave.set(ylabel="amplitude", ylim=(-1.05 * peak, 1.05 * peak))
    for axes, channel, colour in zip(panels, channels, COLOURS, strict=False):
        if target is not None:
            axes.plot(target.clock_s(), target.select((channel,))[:, 0], label="target", color=INK, linestyle="--")
        axes.plot(curves.clock_s(), curves.select((channel,))[:, 0], label=channel, color=colour, linewidth=2)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=FONT_POINTS - 2, reverse=True)
    _share_scale(panels)
    figure.supylabel("coefficient (0 neutral, 1 full)", fontsize=FONT_POINTS)
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(0, max(len(audio) / SAMPLE_RATE, curves.duration_s or 0))
    for axes in (wave, *panels):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
    return figure


def write_plot(
    path: Path,
    audio: np.ndarray,
    curves: Recording,
    channels: tuple[str, ...],
    target: Recording | None = None,
    words: Sequence[Word] = (),
) -> str | None:
    """Write the figure, with the words over the waveform, as the png, pdf or svg that the path's ending says.

    Returns why words are not written out, where they are not. Raises UserError where the file cannot be written.
    """
    import matplotlib

    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure = draw(audio, curves, channels, target)
        note = draw_words(figure.axes[0], words, figure.axes[0].get_xlim()[1])
        with written_whole(path) as partial:
            save(figure, partial, format=path.suffix[1:].lower(), dpi=120)
    return note


def _share_scale(panels: "list[Axes]") -> None:
    """One scale for all panels, so that their heights compare."""
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(min(low, 0), high)
