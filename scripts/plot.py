"""Draw curves under the sound that they move to: the waveform over the six liveliest channels, on one time axis."""

import argparse
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, parser, run
from config.files import written_whole
from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import CurveTable, read_csv
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import Word, read_tsv
from postprocess.steps import resolve_channels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

EXAMPLES = """
python scripts/plot.py --csv a.csv --wav a.wav --transcript_path a.tsv
python scripts/plot.py --csv a.csv --wav a.wav --target bs/a.csv --channels mouth --out_path a.pdf
"""
LIVELIEST = 6
SUFFIXES = (".png", ".pdf", ".svg")
TOLERATED_S = 0.2  # a larger difference of sound and curves means another --fps or another clip

# The palette of Okabe & Ito (2008), told apart by the colour-blind; without its yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#333333"
SIZE_INCHES = (13.3, 9.0)
FONT_POINTS, SMALLEST_POINTS = 14, 8
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


def font_for(text: str) -> "FontProperties | None":
    """An installed font that has a glyph for every character, so that no hanzi becomes a box; None if there is none."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    characters = {ord(character) for character in text if not character.isspace()}
    fonts = [font for font in fontManager.ttflist if "Last Resort" not in font.name]  # whose glyphs are all boxes
    plainest = sorted(fonts, key=lambda f: (f.name != "DejaVu Sans", f.style != "normal", f.weight != 400, f.name))
    for font in plainest:
        if all(get_font(font.fname).get_char_index(character) for character in characters):
            return FontProperties(fname=font.fname)
    return None


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


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--csv", type=Path, required=True, metavar="PATH", help="the curves")
    options.add_argument("--wav", type=Path, required=True, metavar="PATH", help="the sound")
    options.add_argument("--transcript_path", type=Path, metavar="TSV", help="tokens to write along the waveform")
    options.add_argument("--target", type=Path, metavar="CSV", help="recorded curves, drawn dashed")
    options.add_argument("--out_path", type=Path, metavar="PATH", help="png, pdf or svg (default: beside the csv)")
    options.add_argument("--fps", type=float, default=USUAL_FPS, help="frames a second of the csvs")
    options.add_argument(
        "--channels", nargs="+", metavar="NAME", help="groups or blendshapes to choose the six from (default: all)"
    )
    given = options.parse_args()
    given.out_path = given.out_path or given.csv.with_suffix(".png")
    if given.out_path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{given.out_path}: plots are {', '.join(SUFFIXES)} files")
    if not 0 < given.fps < float("inf"):
        raise UserError(f"--fps {given.fps:g}: must be more than 0")
    return given


def main() -> None:
    given = parse()
    import matplotlib

    curves, audio = read_csv(given.csv), read_audio(given.wav)
    channels = liveliest(curves, resolve_channels(given.channels or ["all"]))
    if not channels:
        raise UserError(f"{given.csv}: has none of the channels {', '.join(given.channels)}")
    target = read_csv(given.target, required=channels) if given.target else None
    words = read_tsv(given.transcript_path) if given.transcript_path else []
    sound_s, motion_s = len(audio) / SAMPLE_RATE, len(curves.values) / given.fps
    if abs(sound_s - motion_s) > TOLERATED_S:
        print(f"{given.csv} lasts {motion_s:.2f} s at {given.fps:g} fps, {given.wav} {sound_s:.2f} s: is --fps right?")
    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure = draw(audio, curves, channels, target, given.fps)
        note = draw_words(figure.axes[0], words, max(sound_s, motion_s))
        if note:
            print(f"{given.transcript_path}: {note}")
        with written_whole(given.out_path) as partial:
            figure.savefig(partial, format=given.out_path.suffix[1:].lower(), dpi=120)
    print(f"plotted {len(channels)} channels over {sound_s:.1f} s: {given.out_path}")


if __name__ == "__main__":
    run(main)
