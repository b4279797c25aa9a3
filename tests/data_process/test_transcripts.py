"""Transcripts in every form a corpus ships them: read, matched to clips, cut into tokens."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from config.errors import UserError
from data_process import transcripts
from data_process.transcripts import load_transcripts, match_names
from dataset.tokens import tokenize
from tests.helpers import CASES, MANDARIN_SPEECH, needs_case, needs_shared, refused, refused_file


def silent(_: str) -> None:
    """Where it doesn't matter what is said."""


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("今天，天气很好！", "今 天 天 气 很 好"),
        ("2021年3月5日", "二 零 二 一 年 三 月 五 日"),
        ("2021-03-05的事", "二 零 二 一 年 三 月 五 日 的 事"),
        ("２０２１年０５月", "二 零 二 一 年 五 月"),
        ("2020-2021年", "二 零 二 零 到 二 零 二 一 年"),
        ("涨了3.5%，共1,234人", "涨 了 百 分 之 三 点 五 共 一 千 二 百 三 十 四 人"),
        ("气温-5℃到36.5℃", "气 温 零 下 五 摄 氏 度 到 三 十 六 点 五 摄 氏 度"),
        ("12:30出发，08:05到，9:00开", "十 二 点 三 十 分 出 发 八 点 零 五 分 到 九 点 开"),
        ("电话13812345678，007号", "电 话 一 三 八 一 二 三 四 五 六 七 八 零 零 七 号"),
        ("3~5个", "三 到 五 个"),
        ("有1/2", "有 二 分 之 一"),
        ("GPT-4很好，iPhone 也好", "GPT 四 很 好 iPhone 也 好"),
        ("二〇二一年", "二 〇 二 一 年"),
        ("Don’t stop, it's 3.5 o'clock; 'tis well-known.", "Don't stop it's 3.5 o'clock tis well known"),
        ("naïve café — Größe", "naïve café Größe"),
        ("हिन्दी भाषा।", "हिन्दी भाषा"),
        ("…！？", ""),
    ],
)
def test_tokens(sentence: str, tokens: str) -> None:
    assert tokenize(sentence) == tokens.split()


def test_one_clip_a_file(tmp_path: Path) -> None:
    (tmp_path / "a1.txt").write_text("今天天气很好，\n我们走吧。\n", encoding="utf-8-sig")
    (tmp_path / "a2.lab").write_text("Tom: it is 12:30 now", encoding="utf-8")
    (tmp_path / "a3.txt").write_text("12:30出发", encoding="utf-8")
    (tmp_path / "a4.txt").write_text("1998.5 was\na good year", encoding="utf-8")
    (tmp_path / "notes.md").write_text("not this", encoding="utf-8")
    assert load_transcripts(tmp_path) == {
        "a1": "今天天气很好， 我们走吧。",
        "a2": "Tom: it is 12:30 now",
        "a3": "12:30出发",
        "a4": "1998.5 was a good year",
    }


@pytest.mark.parametrize(
    "text",
    [
        "A1:你好\nA2:再见\n",
        "A1：你好\r\nA2：再见\r\n",
        "A1\t你好\nA2\t再见",
        "A1 你好\n\nA2 再见",
        "A1、你好\nA2、再见",
    ],
)
def test_lists_of_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.txt").write_text(text, encoding="utf-8", newline="")
    assert load_transcripts(tmp_path / "all.txt") == {"A1": "你好", "A2": "再见"}


@pytest.mark.parametrize("text", ["1、你好\n2、再见", "1.你好\n2.再见", "(1) 你好\n(2) 再见", "1：你好\n02：再见"])
def test_lists_of_numbers_are_named_for_their_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "A.txt").write_text(text, encoding="utf-8")
    assert load_transcripts(tmp_path / "A.txt") == {"A/1": "你好", "A/2": "再见"}


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", None), ("utf-8-sig", None), ("gbk", "GB18030"), ("gb18030", "GB18030"), ("utf-16", "UTF-16")],
)
def test_encodings_are_detected_and_said(tmp_path: Path, encoding: str, said: str | None) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("广州市房地产", encoding=encoding)
    lines: list[str] = []
    assert load_transcripts(tmp_path, say=lines.append) == {"a": "广州市房地产", "b": "广州市房地产"}
    assert lines == ([f"{tmp_path / 'a.txt'} and 1 more: read as {said}"] if said else [])


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        'speaker,Path,Sentence\n1,clips/A1.wav,"你好, 再见"\n\n1,A2.mp3,早\n', encoding="utf-8-sig"
    )
    assert load_transcripts(tmp_path / "t.csv") == {"A1": "你好, 再见", "A2": "早"}
    (tmp_path / "t.tsv").write_text('id\ttext\nA1\tsay "hi\nA2\t早\n', encoding="gbk")
    assert load_transcripts(tmp_path / "t.tsv", say=silent) == {"A1": 'say "hi', "A2": "早"}


@needs_shared(MANDARIN_SPEECH)
def test_aishell() -> None:
    table = MANDARIN_SPEECH / "transcripts.tsv"
    sentences = load_transcripts(table)
    [stem] = [wav.stem for wav in table.parent.glob("*.wav")]
    assert match_names(sentences, [stem]).names == {stem: stem}
    assert tokenize(sentences[stem]) == list("广州市房地产中介协会分析")


class Docx:
    """Documents as word processors write them."""

    def __init__(self) -> None:
        import docx

        self.document = docx.Document()

    def automatic(self, text: str, style: str = "List Number") -> "Docx":
        self.document.add_paragraph(text, style=style)
        return self

    def plain(self, *texts: str) -> "Docx":
        for text in texts:
            self.document.add_paragraph(text)
        return self

    def save(self, path: Path) -> Path:
        self.document.save(str(path))
        return path


def test_docx_with_typed_numbers(tmp_path: Path) -> None:
    path = Docx().plain("朗读文本", "1、你好。", "", "2.3个苹果，", "都很好吃。", "３、再见").save(tmp_path / "A.docx")
    assert load_transcripts(path) == {"A/1": "你好。", "A/2": "3个苹果， 都很好吃。", "A/3": "再见"}


def test_docx_with_line_breaks_and_names(tmp_path: Path) -> None:
    path = Docx().plain("A001：你好\nA002、再见\n大家", "B1 早").save(tmp_path / "all.docx")
    assert load_transcripts(path) == {"A001": "你好", "A002": "再见 大家", "B1": "早"}


def test_docx_with_automatic_numbers(tmp_path: Path) -> None:
    document = Docx().plain("标题").automatic("第一句").automatic("a point", "List Bullet")
    path = document.automatic("第二句").plain("接着").save(tmp_path / "A.docx")
    assert load_transcripts(path) == {"A/1": "第一句 a point", "A/2": "第二句 接着"}
    # Another list style counts from 1 again, and which of the two is clip 1 nobody can tell.
    document.automatic("另一句", "List Number 2").save(path)
    with pytest.raises(UserError, match='paragraph 6: "1" comes a second time, after paragraph 2; keep one'):
        load_transcripts(path)


def test_docx_numbering_starts_goes_on_and_restarts_as_told(tmp_path: Path) -> None:
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = Docx()
    numbering = document.document.part.numbering_part.element
    numbering.insert(0, parse_xml(
        f'<w:abstractNum {nsdecls("w")} w:abstractNumId="90"><w:lvl w:ilvl="0"><w:start w:val="5"/>'
        '<w:numFmt w:val="decimal"/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/></w:lvl></w:abstractNum>'
    ))  # fmt: skip
    restart = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="{}"/></w:lvlOverride>'
    for list_id, override in ((91, ""), (92, ""), (93, restart.format(20))):
        numbering.append(parse_xml(
            f'<w:num {nsdecls("w")} w:numId="{list_id}"><w:abstractNumId w:val="90"/>{override}</w:num>'
        ))  # fmt: skip
    for list_id, level, text in (
        (91, 0, "五"),
        (91, 1, "里"),
        (92, 0, "六"),
        (93, 0, "廿"),
        (93, 0, "廿一"),
        (91, 0, "廿二"),
    ):
        paragraph = document.document.add_paragraph(text)
        paragraph._p.get_or_add_pPr().append(parse_xml(
            f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'
        ))  # fmt: skip
    found = load_transcripts(document.save(tmp_path / "A.docx"))
    assert found == {"A/5": "五 里", "A/6": "六", "A/20": "廿", "A/21": "廿一", "A/22": "廿二"}


def test_names_match_whatever_their_case_and_zeros() -> None:
    matches = match_names(["a1", "A002", "take_010", "x9"], ["A001", "a2", "Take_10", "b7"])
    assert matches.names == {"A001": "a1", "a2": "A002", "Take_10": "take_010"}
    assert matches.stems_left == ["b7"] and matches.names_left == ["x9"]


def test_the_same_spelling_goes_first() -> None:
    assert match_names(["a1", "a01"], ["a1", "a01"]).names == {"a1": "a1", "a01": "a01"}
    assert match_names(["a100", "a10", "a1"], ["A1", "A10", "A100"]).names == {"A1": "a1", "A10": "a10", "A100": "a100"}


def test_numbers_match_the_clips_their_list_is_named_for() -> None:
    assert match_names(["A/1", "A/2", "b/1"], ["A1", "a_002", "B01"]).names == {
        "A1": "A/1",
        "a_002": "A/2",
        "B01": "b/1",
    }
    assert match_names(["文本/1", "文本/2"], ["a001", "a002"]).names == {"a001": "文本/1", "a002": "文本/2"}
    assert match_names(["A/1", "A/5"], ["A1", "B5"]).names == {"A1": "A/1"}, "a list of A's says nothing of B's"


@pytest.mark.parametrize(
    ("names", "stems", "line"),
    [
        (["a1", "A01"], ["a001"], 'clip a001 could have the transcript "A01" or "a1"; keep one of them'),
        (["a1"], ["a01", "A1"], 'transcript "a1" could be of clip A1 or a01; give it the name of one of them'),
        (["t/1"], ["a1", "b1"], 'transcript "t/1" could be of clip a1 or b1; give it the name of one of them'),
        (["s/1", "t/1"], ["1"], 'clip 1 could have the transcript "s/1" or "t/1"; keep one of them'),
    ],
)
def test_ambiguous_names_are_refused(names: list[str], stems: list[str], line: str) -> None:
    assert refused(match_names, names, stems) == line


def _write(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


BAD = [
    ("missing.txt", None, "no such file or folder"),
    ("empty.txt", _write(""), "empty file; expected what is said in the clip"),
    ("blank.txt", _write("\ufeff \n\n"), "empty file"),
    ("old.doc", _write(b"\xd0\xcf\x11\xe0"), "transcripts are not read from .doc; save it as .docx"),
    ("sheet.xlsx", _write(b"PK"), "transcripts are not read from .xlsx; expected .txt, .lab, .csv, .tsv, .docx"),
    ("noise.txt", _write(bytes(range(128, 256)) * 4), "not text in UTF-8 or GBK; save it as UTF-8"),
    ("binary.txt", _write(b"RIFF\0\0\0\0WAVE"), "not text in UTF-8 or GBK"),
    ("odd.txt", _write(b"\xff\xfea"), "not text in UTF-8 or GBK"),
    ("twice.txt", _write("A1:你好\nA2:再见\nA1:早"), 'line 3: "A1" comes a second time, after line 1; keep one'),
    ("again.txt", _write("1、你好\n01、再见"), 'line 2: "1" comes a second time, after line 1; keep one'),
    ("head.csv", _write("speaker,words\nA1,你好"), "line 1: expected a header with a column of names (name, id, "),
    ("only.csv", _write("name,text\n\n"), "a header but no sentences"),
    ("ragged.csv", _write("name,text\nA1,你好,再见"), "line 2: 3 cells, but the header has 2; quote text with commas"),
    ("hollow.csv", _write("name,text\nA1,你好\nA2,  "), "line 3: expected a name and a sentence, one of them is empty"),
    ("nameless.tsv", _write("name\ttext\n\t你好"), "line 2: expected a name and a sentence, one of them is empty"),
    ("three.tsv", _write("A1\t你好\t0.5"), "line 1: expected a header with a column of names"),
    ("fake.docx", _write("你好"), "not a readable docx file; save it again as .docx"),
    ("prose.docx", Docx().plain("没有", "编号").save, "no numbered sentence in it; expected `1、…`"),
    ("bare.docx", Docx().save, "no numbered sentence in it"),
    ("double.docx", Docx().plain("1、你好", "1、再见").save, 'paragraph 2: "1" comes a second time, after paragraph 1'),
]


@pytest.mark.parametrize(("name", "write", "line"), BAD, ids=[name for name, _, _ in BAD])
def test_what_cannot_be_read_gets_one_line(
    tmp_path: Path, name: str, write: Callable[[Path], object] | None, line: str
) -> None:
    path = tmp_path / name
    if write:
        write(path)
    said = refused(load_transcripts, path, say=silent)
    assert said.startswith(str(path)) and line in said


def test_a_folder_with_bad_files_gives_the_good_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no transcript in this folder"):
        load_transcripts(tmp_path)
    (tmp_path / "a1.txt").write_text("你好", encoding="utf-8")
    (tmp_path / "a2.txt").touch()
    (tmp_path / "list.txt").write_text("a1:早\na3:早", encoding="utf-8")
    (tmp_path / "~$A.docx").write_bytes(b"lock")
    refused: list[str] = []
    assert load_transcripts(tmp_path, refused) == {"a1": "你好"}
    assert len(refused) == 2 and '"a1" has a sentence in another file' in refused[1]
    with pytest.raises(UserError, match="empty file"):
        load_transcripts(tmp_path)


def test_a_text_of_numbers_is_no_transcript(tmp_path: Path) -> None:
    rows = "".join(f"k,{17 * row},{','.join(f'{value / 100:.4f}' for value in range(52))}\n" for row in range(60))
    for text in (f"info,2\nbs,jawOpen\n{rows}", "0.0 0.5\n" * 40, "0.000\t0.500\tyes\n" * 40):
        (tmp_path / "a.txt").write_text(text)
        assert refused_file(load_transcripts, tmp_path / "a.txt").startswith("mostly numbers, so no transcript")
    for text in ("5 4 3 2 1 0 " * 40, "3.5 and 4.5 are 8.0", "A1 13800000000\nA2 13900000000"):
        (tmp_path / "a.txt").write_text(text)
        assert load_transcripts(tmp_path / "a.txt")


def test_long_lines_take_no_longer_than_their_length(tmp_path: Path) -> None:
    for text in ("a" + "\t" * 300_000 + "b\tc", "1" * 300_000, "a." * 150_000, "a b\t" * 100_000, "( " * 150_000 + "x"):
        (tmp_path / "a.txt").write_text(text)
        assert load_transcripts(tmp_path / "a.txt") == {"a": text.strip()}


def damaged(path: Path, part: str, old: str, new: str) -> Path:
    """A numbered docx with other words in one of its parts."""
    import docx

    document = docx.Document()
    for number in range(3):
        document.add_paragraph(f"A00{number}: 你好", "List Number")
    document.save(str(path.with_name("whole.docx")))
    with zipfile.ZipFile(path.with_name("whole.docx")) as whole, zipfile.ZipFile(path, "w") as copy:
        for name in whole.namelist():
            content = whole.read(name).decode("latin-1")
            assert name != part or old in content
            copy.writestr(name, (content.replace(old, new) if name == part else content).encode("latin-1"))
    path.with_name("whole.docx").unlink()
    return path


def test_a_docx_whose_parts_do_not_fit_is_one_line(tmp_path: Path) -> None:
    cycle = damaged(
        tmp_path / "a.docx", "word/styles.xml", '<w:basedOn w:val="Normal"/>', '<w:basedOn w:val="ListNumber"/>'
    )
    assert "(ValueError: styles that are based on each other)" in refused_file(load_transcripts, cycle)
    numbers = damaged(tmp_path / "a.docx", "word/styles.xml", "<w:numId w:val=", '<w:numId w:val="x" w:no=')
    assert refused_file(load_transcripts, numbers).startswith("not a readable docx file; save it again as .docx")


def test_a_docx_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as part:
        for _ in range(257):
            part.write(bytes(1 << 20))
    assert refused_file(load_transcripts, tmp_path / "a.docx") == "unpacks to 257 MiB, more than 256 MiB; save it anew"


@needs_case("hostile")
@pytest.mark.parametrize("name", ["d_cycle", "d_nonum", "d_numid"])
def test_hostile_documents(name: str) -> None:
    line = refused_file(load_transcripts, CASES / "hostile" / f"{name}.docx")
    assert line.startswith("not a readable docx file; save it again as .docx")


def test_whatever_a_reader_raises_leaves_the_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    read = transcripts.read_text

    def failing(path: Path) -> tuple[str, str]:
        if path.stem == "b":
            raise KeyError("w:numId")
        return read(path)

    monkeypatch.setattr(transcripts, "read_text", failing)
    lines: list[str] = []
    assert load_transcripts(tmp_path, lines) == {"a": "a", "c": "c"}
    assert lines == [f"{tmp_path / 'b.txt'}: damaged or not what it seems: KeyError: 'w:numId'"]
