import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import export_page
from tests.helpers import CAUSAL


def test_a_page_that_asks_for_nothing(
    make_checkpoint: Callable[..., Path], tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "a.html"
    run_main(export_page, "--ckpt_path", make_checkpoint(*CAUSAL), "--out", out, "--title", "<Ada>")
    said = r"a\.html: \d\.\d MB, look-ahead of 0, 50, 100, 200 ms, sounds like a, b\n"
    assert re.fullmatch(re.escape(f"{tmp_path}/") + said, capsys.readouterr().out)
    text = re.sub(r'<script id="block".*?</script>', "", out.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "<h1>&lt;Ada&gt;</h1>" in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import|url\((?!#)|\bfetch\(|WebSocket|<link[^>]+href=\"(?!data:)", text)


def test_mistakes_in_one_line(make_checkpoint: Callable[..., Path], refusal: Callable[..., str]) -> None:
    assert refusal(export_page, "--out", "a.txt") == "--out a.txt: pages are .html files"
    message = "a.html: is a source too; write to another place with --out"
    assert refusal(export_page, "--head", "a.html", "--out", "a.html") == message
    whole = make_checkpoint()
    message = f"{whole}: hears whole windows; to stream, train one with model.lookahead_ms"
    assert refusal(export_page, "--ckpt_path", whole, "--out", "a.html") == message
