"""The house's HTML pages: Jinja2 templates over base.html, each page one file that needs no other, and its pictures.

A template stands beside the code that fills it. It extends "base.html", which has blocks for what goes into the head,
the style, the whole page, or the body below a heading; whatever it is given is escaped unless it is a Markup, as svg's
pictures are. `raw("a.css")` there is the text of a file beside it, `day` and `night` are the colours as CSS variables.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from config import look
from config.files import written_whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASE = Path(__file__).with_name("base.html")

# The pages' colours by day and by night; `var(--ink)` is one of them in whatever CSS a page has.
COLOURS = {
    "page": ("#f6f7f9", "#12151a"), "card": ("#fff", "#1a1f27"), "ink": ("#1d2430", "#e3e8ef"),
    "soft": ("#5c6675", "#98a3b3"), "faint": ("#c4cad3", "#4a5463"), "line": ("#e4e7ec", "#2a313c"),
    "blue": ("#0a6ebd", "#58aef0"), "orange": ("#c75a00", "#f2994a"), "red": ("#c62f2f", "#f06a6a"),
    "green": ("#007a5e", "#3fc7a0"), "purple": ("#a64d8a", "#e59aca"),
    "warning": ("#a86400", "#e5b04c"), "note": ("#4a6a8a", "#8fb3d9"),
}  # fmt: skip
DAY, NIGHT = ("; ".join(f"--{name}: {pair[night]}" for name, pair in COLOURS.items()) for night in (0, 1))

# What matplotlib draws in these colours, svg gives the page's own.
THEME = {"#010101": "ink", "#020202": "faint", "#030303": "blue", "#040404": "orange", "#050505": "red"}
INK, FAINT, BLUE, ORANGE, RED = THEME
POINTS = 9  # of what is written in a picture


def render(template: Path, **values: object) -> str:
    """The template filled with the values. Raises UndefinedError for a name in it that has none."""
    return _environment(template.parent).get_template(template.name).render(values)


def write_page(path: Path, template: Path, **values: object) -> None:
    """Write the template filled with the values, whole or not at all. Raises UserError where it cannot be written."""
    with written_whole(path) as partial:
        partial.write_text(render(template, **values), encoding="utf-8")


def _environment(folder: Path) -> "Environment":
    """What finds templates in the folder, and the base page here."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    loader = FileSystemLoader([folder, BASE.parent])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.globals["raw"] = lambda name: Markup(loader.get_source(environment, name)[0])
    environment.globals.update(day=DAY, night=NIGHT)
    return environment


def figure_of(width: float, height: float) -> "tuple[Figure, Axes]":
    """An empty drawing, inches wide and high, in the page's style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style(axes)
    return figure, axes


def style(axes: "Axes") -> None:
    """Draw the axes in the page's colours."""
    look.tidy(axes, INK, FAINT, POINTS)


def svg(figure: "Figure", name: str) -> "Markup":
    """The figure as SVG text in the page's colours; name: what tells it from the page's other pictures."""
    import matplotlib
    from markupsafe import Markup

    text = io.StringIO()
    # Text stays text, in the page's font; ids differ between the pictures of a page and not between runs.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "svg.image_inline": True}):
        look.save(figure, text, format="svg", transparent=True, metadata={"Date": None})
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for colour, variable in THEME.items():
        drawing = drawing.replace(colour, f"var(--{variable})")
    return Markup(drawing)
