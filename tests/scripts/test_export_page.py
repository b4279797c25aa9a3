import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT
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


def test_the_network_alone_for_a_page_of_one_s_own(
    make_checkpoint: Callable[..., Path], tmp_path: Path, run_main: Callable[..., None]
) -> None:
    run_main(export_page, "--ckpt_path", make_checkpoint(*CAUSAL), "--out", tmp_path / "talk.json")
    told = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert told["names"] == list(ARKIT)
    assert told["network"]["domains"] == ["a", "b"]
    block = gzip.decompress(base64.b64decode(told["block"]))
    window = told["arrays"]["window"]
    assert np.frombuffer(block, np.float32, window["length"], window["offset"]).max() == pytest.approx(1, abs=1e-3)


def test_mistakes_in_one_line(make_checkpoint: Callable[..., Path], refusal: Callable[..., str]) -> None:
    assert refusal(export_page, "--out", "a.txt") == "--out a.txt: pages are .html files, a network alone is a .json"
    message = "a.html: is a source too; write to another place with --out"
    assert refusal(export_page, "--head", "a.html", "--out", "a.html") == message
    message = "--head: has no meaning for a .json, only for a page"
    assert refusal(export_page, "--head", "a.glb", "--out", "a.json") == message
    whole = make_checkpoint()
    message = f"{whole}: hears whole windows; to stream, train one with model.lookahead_ms"
    assert refusal(export_page, "--ckpt_path", whole, "--out", "a.html") == message
