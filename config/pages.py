"""The house's HTML pages: one file that needs no other, and pictures as SVG text in colours that follow its theme."""

import io
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What matplotlib draws in these colours takes the page's, by CSS variable.
THEME = {"#010101": "ink", "#020202": "faint", "#030303": "blue", "#040404": "orange", "#050505": "red"}
INK, FAINT, BLUE, ORANGE, RED = THEME

# The pages' colours by day and by night, as CSS variables.
COLOURS = {
    "page": ("#f6f7f9", "#12151a"), "card": ("#fff", "#1a1f27"), "ink": ("#1d2430", "#e3e8ef"),
    "soft": ("#5c6675", "#98a3b3"), "faint": ("#c4cad3", "#4a5463"), "line": ("#e4e7ec", "#2a313c"),
    "blue": ("#0a6ebd", "#58aef0"), "orange": ("#c75a00", "#f2994a"), "red": ("#c62f2f", "#f06a6a"),
    "error": ("#c62f2f", "#f06a6a"), "warning": ("#a86400", "#e5b04c"), "note": ("#4a6a8a", "#8fb3d9"),
}  # fmt: skip
DAY, NIGHT = ("; ".join(f"--{name}: {pair[night]}" for name, pair in COLOURS.items()) for night in (0, 1))

STYLE = (
    f"""
:root {{ color-scheme: light dark; {DAY} }}
@media (prefers-color-scheme: dark) {{ :root {{ {NIGHT} }} }}
"""
    + """\
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 20px 80px; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; } h2 { font-size: 18px; margin: 44px 0 14px; }
.soft { color: var(--soft); } .number { font-variant-numeric: tabular-nums; }
.tiles { display: flex; gap: 12px; margin: 24px 0 0; flex-wrap: wrap; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 20px; min-width: 128px; } .tile b { display: block; font-size: 28px; line-height: 1.2; }
.card { padding: 14px 18px; margin: 0 0 14px; overflow-x: auto; } .pair { display: flex; gap: 14px; flex-wrap: wrap; }
.pair .card { flex: 1 1 420px; } .card h3 { margin: 0 0 6px; font-size: 15px; } .card p { margin: 2px 0; }
svg, img { max-width: 100%; height: auto; display: block; } svg text { font-family: inherit !important; }
table { border-collapse: collapse; width: 100%; } .wide { font-size: 13px; white-space: nowrap; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; } td.clip { overflow-wrap: anywhere; min-width: 148px; font-weight: 500; }
details table { margin-top: 10px; } a { color: var(--blue); }
.pill { display: inline-block; font-size: 12px; font-weight: 600; padding: 0 9px; border-radius: 99px;
  border: 1px solid currentColor; white-space: nowrap; }
.error { color: var(--error); } .warning { color: var(--warning); } .note { color: var(--note); }
.mend { font-size: 12px; color: var(--blue); white-space: nowrap; } summary { cursor: pointer; color: var(--soft); }
"""
)


def page(title: str, heading: str, subtitle: str, body: Iterable[str]) -> Iterator[str]:
    """The lines of a page: title of the tab, heading and subtitle as text, body as HTML."""
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body><main>"
    yield f"<h1>{escape(heading)}</h1><div class='soft'>{escape(subtitle)}</div>"
    yield from body
    yield "</main></body></html>"


def figure_of(width: float, height: float) -> "tuple[Figure, Axes]":
    """An empty drawing, inches wide and high, in the page's style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style(axes)
    return figure, axes


def style(axes: "Axes") -> None:
    """Draw the axes in the page's colours."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelcolor=INK, color=FAINT, labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=9)


def svg(figure: "Figure", name: str) -> str:
    """The figure as SVG text; name: what tells it from the page's other pictures."""
    import matplotlib

    text = io.StringIO()
    # Text stays text, in the page's font; ids differ between the pictures of a page and not between runs.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "svg.image_inline": True}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for colour, variable in THEME.items():
        drawing = drawing.replace(colour, f"var(--{variable})")
    return drawing
