import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from config.pages import BASE, BLUE, COLOURS, figure_of, render, svg, write_page

FILLED = {"title": "a", "heading": "b", "subtitle": "c", "body": "d"}


def test_what_a_page_is_given_is_escaped_and_markup_is_not() -> None:
    page = render(BASE, **FILLED | {"title": "<t> & co", "body": Markup("<p>d</p>")})
    assert "<title>&lt;t&gt; &amp; co</title>" in page
    assert "<p>d</p>" in page


def test_a_page_lacking_a_value_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="subtitle"):
        write_page(tmp_path / "a.html", BASE, title="a", heading="b", body="d")
    assert not list(tmp_path.iterdir())


def test_a_template_takes_files_beside_it_as_they_are_and_the_base_page(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("a::after { content: '<{{ title }}{#'; }", encoding="utf-8")
    template = tmp_path / "own.html"
    template.write_text(
        "{% extends 'base.html' %}{% block style %}{{ super() }}{{ raw('own.css') }}{% endblock %}", encoding="utf-8"
    )
    page = render(template, **FILLED)
    assert "a::after { content: '<{{ title }}{#'; }" in page
    assert "* { box-sizing: border-box; }" in page


def test_every_colour_that_a_page_uses_is_there_by_day_and_by_night() -> None:
    page = render(BASE, **FILLED)
    used = set(re.findall(r"var\(--(\w+)\)", page))
    day, night = (set(re.findall(r"--(\w+):", block)) for block in page.split("prefers-color-scheme: dark"))
    assert {"page", "ink"} < used <= day == night == set(COLOURS)


def test_a_picture_takes_the_pages_colours_and_is_the_same_each_time() -> None:
    def drawn(name: str) -> str:
        figure, axes = figure_of(2, 1)
        axes.plot([0, 1], color=BLUE)
        return svg(figure, name)

    assert "stroke: var(--blue)" in drawn("a")
    assert drawn("a") == drawn("a") != drawn("b")
    assert isinstance(drawn("a"), Markup)
