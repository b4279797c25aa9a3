"""How the house's pictures look: colours, sizes, and a font for whatever is to be written."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

# The palette of Okabe & Ito (2008), told apart by the colour-blind; without its yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, FAINT = "#333333", "#B8B8B8"
SIZE_INCHES = (13.3, 9.0)
FONT_POINTS, SMALLEST_POINTS = 14, 8


def tidy(axes: "Axes", ink: str, lines: str, points: float) -> None:
    """Draw the axes without a frame, writing in one colour, lines and ticks in another."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(lines)
    axes.tick_params(color=lines, labelcolor=ink, labelsize=points)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=ink, fontsize=points)


def save(figure: "Figure", target: Any, **how: Any) -> None:
    """What figure.savefig does, every text as it is written: a `$` in a token or a name begins no formula."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    with rc_context({"text.parse_math": False}):  # for what is made on saving: labels along an axis
        for text in figure.findobj(Text):
            text.set_parse_math(False)
        figure.savefig(target, **how)


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
