from pathlib import Path

import pytest

from config.errors import UserError
from dataset.transcript import Word, check_within, read_tsv


@pytest.mark.parametrize(
    "text",
    [
        "0.1\t0.25\t你\n0.25\t0.5\t好\n",
        "\ufeffstart\tend\ttoken\r\n0.1\t0.25\t你\r\n0.25\t0.5\t好\r\n",
        "# made by an aligner\nStart\tEnd\tToken\n\n0.10\t0.250\t 你 \n   \n# more\n2.5e-1\t.5\t好",
    ],
)
def test_the_words_in_order(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.tsv").write_bytes(text.encode())
    assert read_tsv(tmp_path / "a.tsv") == [Word("你", 0.1, 0.25), Word("好", 0.25, 0.5)]


def test_no_words_and_words_that_touch_or_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("")
    assert read_tsv(path) == []
    path.write_text("0\t0.5\ta b\n0.4995\t0.5\tb\n0.5\t0.5\tc\n")  # aligners round to milliseconds
    assert [word.text for word in read_tsv(path)] == ["a b", "b", "c"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0 1 a\n", ", line 1: expected start, end and token separated by tabs, found 1 cell(s)"),
        ("0\t1\n", ", line 1: expected start, end and token separated by tabs, found 2 cell(s)"),
        ("0\t1\t \n", ", line 1: expected start, end and token"),
        ("0\t1\ta\n1\t2\tb\tc\n", ", line 2: expected start, end and token"),
        ("0\t1\ta\nx\t2\tb\n", ', line 2: times are not numbers of seconds: "x", "2"'),
        ("0\t1\ta\nstart\tend\ttoken\n", ', line 2: times are not numbers of seconds: "start", "end"'),
        ("-1\t1\ta\n", ", line 1: times must be seconds from 0 on, found -1 and 1"),
        ("0\tnan\ta\n", ", line 1: times must be seconds from 0 on"),
        ("0\tinf\ta\n", ", line 1: times must be seconds from 0 on"),
        ("# x\n\n2\t1\ta\n", ", line 3: ends at 1 s, before it starts at 2 s"),
        ("0\t1\ta\n0.9\t2\tb\n", ', line 2: "b" starts at 0.9 s, before "a" ends at 1 s'),
        ("1\t2\ta\n0\t1\tb\n", ', line 2: "b" starts at 0 s, before "a" ends at 2 s'),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_tsv(path)
    assert str(caught.value).startswith(f"{path}{line}")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_utf8_text(tmp_path: Path) -> None:
    (tmp_path / "gbk.tsv").write_bytes("0\t1\t你好\n".encode("gbk"))
    with pytest.raises(UserError, match=r"gbk.tsv: not UTF-8 text; convert it, for example: iconv"):
        read_tsv(tmp_path / "gbk.tsv")
    with pytest.raises(UserError, match=r"none.tsv: No such file"):
        read_tsv(tmp_path / "none.tsv")


def test_words_past_the_sounds_end(tmp_path: Path) -> None:
    words = [Word("a", 0, 1), Word("b", 2.0, 2.4)]
    check_within(tmp_path / "a.tsv", words, 2.0)  # the last word may run over
    with pytest.raises(UserError, match=r'a.tsv: "b" starts at 2 s, but the sound ends at 1.90 s'):
        check_within(tmp_path / "a.tsv", words, 1.9)
