"""Transcripts of every kind in, sentences by clip out: txt, lab, docx, csv and tsv, matched to clips by name."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from config.errors import UserError, as_user_error
from config.files import regular
from dataset.audio import SOUND_SUFFIXES, TRACK_SUFFIXES
from dataset.transcript import MOST_TEXT_BYTES

TEXT_SUFFIXES = (".txt", ".lab")
TABLE_SUFFIXES = (".csv", ".tsv")
DOCUMENT_SUFFIX = ".docx"
SUFFIXES = (*TEXT_SUFFIXES, *TABLE_SUFFIXES, DOCUMENT_SUFFIX)
# In order of preference, where a table has several.
NAME_COLUMNS = ("name", "id", "clip", "clip_id", "utterance", "utterance_id", "file", "filename", "file_name", "audio",
                "wav", "path", "文件名", "编号", "名称")  # fmt: skip
TEXT_COLUMNS = ("text", "transcript", "transcription", "sentence", "文本", "内容")
NUMBERED = "/"  # joins a list's file and a number in it, where the number is all the name there is: `A/12`

MOST_DECIMALS = 20  # numbers with a point, in a text that is mostly numbers: no sentence then, but a recording

_Rule = Callable[[str], tuple[str, str] | None]  # a list's line → the name in it and its sentence, where it has both


def _by_pattern(pattern: str, flags: int = 0) -> _Rule:
    compiled = re.compile(pattern, flags)

    def rule(line: str) -> tuple[str, str] | None:
        match = compiled.fullmatch(line)
        return (match[1], match[2]) if match else None

    return rule


def _tabbed(line: str) -> tuple[str, str] | None:
    name, _, sentence = (part.strip() for part in line.partition("\t"))
    return (name, sentence) if name and sentence and "\t" not in sentence else None


_counted = _by_pattern(r"[(（]?(\d{1,9})\s*(?:[、.．)）]|[:：](?!\d))\s*(\S.*)")
_marked = _by_pattern(r"([\w.-]*[\w-])\s*(?:[、:：]|\.\s)\s*(\S.*)", re.ASCII)
_spaced = _by_pattern(r"([\w.-]*[\w-])[ \u3000]+(\S.*)", re.ASCII)
_LETTER_AND_DIGIT = re.compile(r"(?=.*[A-Za-z_])(?=.*\d)")
_DECIMAL = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")


class _Entry(NamedTuple):
    place: str  # in the file: `line 3`
    name: str
    sentence: str


def load_transcripts(
    path: Path, refused: list[str] | None = None, say: Callable[[str], None] = print
) -> dict[str, str]:
    """Clip name → sentence as written, of one file or of a folder's .txt, .lab, .docx, .csv and .tsv files.

    txt, lab: the sentence of the clip of that name, or a list with a line for each clip: `name:text`, `name⇥text`,
    `name text` or `1、text`. docx: a list, numbered in the text or by the word processor. csv, tsv: a header with a
    column of names and one of sentences; a tsv may also be a list. Where a number is all the name that a list gives,
    the name is `<file's stem>/<number>`; match_names knows what to do with it.
    Text is UTF-8, UTF-16 with its mark, or GB18030 (GBK); `say` is told what was not UTF-8.
    Raises UserError with file and place for what cannot be read, holds no sentence, or names a clip twice. In a
    folder, such a line goes to `refused` where that is given, and the other files are still read.
    """
    sentences: dict[str, str] = {}
    encodings: dict[str, list[Path]] = defaultdict(list)
    for file in [path] if path.is_file() else _transcript_files(path):
        try:
            found, encoding = _read(file)
            if doubled := found.keys() & sentences.keys():
                raise UserError(
                    f'{file}: "{min(doubled)}" has a sentence in another file of {path} too; keep one of them'
                )
        except Exception as error:  # a bad file must not take the good ones with it
            line = as_user_error(file, error)
            if refused is None or file == path:
                raise line from error
            refused.append(str(line))
            continue
        sentences |= found
        encodings[encoding].append(file)
    for encoding, files in encodings.items():
        if encoding != "UTF-8":
            say(f"{files[0]}{f' and {len(files) - 1} more' if files[1:] else ''}: read as {encoding}")
    return sentences


def _transcript_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such file or folder")
    # Names that start so are leftovers of file systems and of open word processors.
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith((".", "~$")))
    if not files:
        raise UserError(f"{folder}: no transcript in this folder; expected {', '.join(SUFFIXES)}")
    return files


def _read(path: Path) -> tuple[dict[str, str], str]:
    """(sentences by name, the text's encoding)."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        mend = "save it as .docx" if suffix in (".doc", ".rtf", ".odt") else f"expected {', '.join(SUFFIXES)}"
        raise UserError(f"{path}: transcripts are not read from {suffix or 'a file without a suffix'}; {mend}")
    if suffix == DOCUMENT_SUFFIX:
        return _by_name(path, _document_entries(path)), "UTF-8"
    text, encoding = read_text(path)
    if not text.strip():
        raise UserError(f"{path}: empty file; expected what is said in the clip")
    entries = _table_entries(path, text) if suffix in TABLE_SUFFIXES else _text_entries(path, text)
    return _by_name(path, entries), encoding


def _by_name(path: Path, entries: Iterable[_Entry]) -> dict[str, str]:
    found: dict[str, _Entry] = {}
    for entry in entries:
        if not entry.name or not entry.sentence.strip():
            raise UserError(f"{path}, {entry.place}: expected a name and a sentence, one of them is empty")
        if entry.name in found:
            number = entry.name.rpartition(NUMBERED)[2]
            raise UserError(
                f'{path}, {entry.place}: "{number}" comes a second time, after {found[entry.name].place}; keep one'
            )
        found[entry.name] = entry
    return {name: entry.sentence.strip() for name, entry in found.items()}


def read_text(path: Path) -> tuple[str, str]:
    """(text, its encoding): UTF-8, UTF-16 with its mark, or GB18030, which is GBK and more. Raises UserError else."""
    try:
        content = regular(path, MOST_TEXT_BYTES).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for codec, encoding in (("utf-16", "UTF-16"),) if marked else (("utf-8-sig", "UTF-8"), ("gb18030", "GB18030")):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        # GB18030 makes something of most bytes, but of other encodings' bytes it makes what is no character.
        if not any(char == "\0" or unicodedata.category(char) in ("Co", "Cn") for char in set(text)):
            return text, encoding
    raise UserError(f"{path}: not text in UTF-8 or GBK; save it as UTF-8")


def _text_entries(path: Path, text: str) -> list[_Entry]:
    """The entries of a list, or the whole text as the one sentence of the clip that the file is named for."""
    lines = [(f"line {number}", line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    _check_words(path, text)
    for rule in (_tabbed, _counted, _marked, _spaced):
        found = [(place, match) for place, line in lines if (match := rule(line))]
        if len(found) == len(lines) and _is_list(rule, [name for _, (name, _) in found]):
            return [_entry(path, rule, place, match) for place, match in found]
    return [_Entry("line 1", path.stem, " ".join(line for _, line in lines))]


def _check_words(path: Path, text: str) -> None:
    """Raises UserError for a recording that is written as text."""
    cells = re.split(r"[\s,;]+", text)
    decimals = sum(bool(_DECIMAL.fullmatch(cell)) for cell in cells)
    if decimals > MOST_DECIMALS and 2 * decimals > len(cells):
        raise UserError(f"{path}: mostly numbers, so no transcript; if it is a recording of curves, export it as csv")


def _is_list(rule: _Rule, names: list[str]) -> bool:
    """Whether these are a list's names, not the first words of sentences: `12:30`, `Tom: hello`, `B2 or not B2`."""
    names_of_clips = all(_LETTER_AND_DIGIT.match(name) for name in names)
    if rule is _tabbed:
        return True
    if rule is _spaced:
        return names_of_clips and len(names) > 1
    return len(names) > 1 or (rule is _marked and names_of_clips)


def _entry(path: Path, rule: _Rule, place: str, match: tuple[str, str]) -> _Entry:
    name = f"{path.stem}{NUMBERED}{int(match[0])}" if rule is _counted else _stem(match[0])
    return _Entry(place, name, match[1])


def _table_entries(path: Path, text: str) -> Iterator[_Entry]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(text.splitlines(), delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else 0)
    rows = [(f"line {reader.line_num}", row) for row in reader if any(cell.strip() for cell in row)]
    header = [cell.strip().lower() for cell in rows[0][1]]
    name, sentence = (next((header.index(title) for title in titles if title in header), None)
                      for titles in (NAME_COLUMNS, TEXT_COLUMNS))  # fmt: skip
    if name is not None and sentence is not None:
        del rows[0]
    elif delimiter == "\t" and all(len(row) == 2 for _, row in rows):
        name, sentence = 0, 1
    else:
        raise UserError(
            f"{path}, line 1: expected a header with a column of names ({', '.join(NAME_COLUMNS[:6])}, …) and one of "
            f"sentences ({', '.join(TEXT_COLUMNS[:4])}), found {', '.join(header[:6])}"
        )
    if not rows:
        raise UserError(f"{path}: a header but no sentences")
    for place, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{path}, {place}: {len(row)} cells, but the header has {len(header)}; quote text with commas"
            )
        yield _Entry(place, _stem(row[name].strip()), row[sentence])


def _document_entries(path: Path) -> list[_Entry]:
    """A line with a number, or a name with one, starts an entry; a line with none goes on with the entry before."""
    from data_process.numbered_docx import read_lines

    entries: list[_Entry] = []
    for index, line in enumerate(read_lines(path), 1):
        place = f"paragraph {index}"
        typed = next(
            (_entry(path, rule, place, match)
             for rule in (_counted, _marked, _tabbed, _spaced)
             if (match := rule(line.text))
             and (rule is _counted or _LETTER_AND_DIGIT.match(match[0]))),
            None,
        )  # fmt: skip
        if typed and not (line.number and NUMBERED in typed.name):
            entries.append(typed)
        elif line.number:
            entries.append(_Entry(place, f"{path.stem}{NUMBERED}{line.number}", line.text))
        elif entries:
            entries[-1] = entries[-1]._replace(sentence=f"{entries[-1].sentence} {line.text}")
    if not entries:
        raise UserError(f"{path}: no numbered sentence in it; expected `1、…` or `name: …` or a numbered list")
    return entries


def _stem(name: str) -> str:
    """`clips/A1.wav` → `A1`."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in SOUND_SUFFIXES + TRACK_SUFFIXES else path.name


class Matches(NamedTuple):
    """Which transcript is of which clip, and what is left over."""

    names: dict[str, str]  # stem → name
    stems_left: list[str]  # clips without a transcript
    names_left: list[str]  # transcripts without a clip


def match_names(names: Iterable[str], stems: Iterable[str], refused: list[str] | None = None) -> Matches:
    """Which transcript belongs to which clip: the letters' case and leading zeros don't matter (`a1` is `A001`).

    The same spelling goes first. A list's bare number, `A/12`, belongs to the clip `A12` or `A_012`; where the list's
    file is named for no clip, to the one clip whose name ends in 12.
    Raises UserError where a name could mean several clips, or a clip have several names; such a line goes to `refused`
    where that is given, and the other names are still matched.
    """
    names, stems = set(names), set(stems)
    matched: dict[str, str] = {}
    for name_key, stem_key in (
        (str, str),
        (loose_name, loose_name),
        (_list_and_number, _head_and_number),
        (_number, _last_number),
    ):
        names_left, stems_left = names - set(matched.values()), stems - set(matched)
        if name_key is _number:
            named_for_clips = {_list(name) for name in matched.values()}
            names_left = {name for name in names_left if _list(name) not in named_for_clips}
        for pair in _pairs(names_left, stems_left, name_key, stem_key):
            if not isinstance(pair, UserError):
                matched[pair[0]] = pair[1]
            elif refused is None:
                raise pair
            else:
                refused.append(str(pair))
    return Matches(matched, sorted(stems - set(matched)), sorted(names - set(matched.values())))


_Key = Callable[[str], object]  # None: takes no part


def _pairs(names: set[str], stems: set[str], name_key: _Key, stem_key: _Key) -> Iterator[tuple[str, str] | UserError]:
    """(stem, name) of the same key; an error for each key that several of one kind share."""
    names_of, stems_of = _grouped(names, name_key), _grouped(stems, stem_key)
    for key, found in names_of.items():
        of = stems_of.get(key, [])
        if len(of) > 1:
            yield UserError(
                f'transcript "{found[0]}" could be of clip {" or ".join(of[:3])}; give it the name of one of them'
            )
        elif of and len(found) > 1:
            transcripts = " or ".join(f'"{name}"' for name in found[:3])
            yield UserError(f"clip {of[0]} could have the transcript {transcripts}; keep one of them")
        elif of:
            yield of[0], found[0]


def _grouped(words: set[str], key_of: _Key) -> dict[object, list[str]]:
    groups: dict[object, list[str]] = defaultdict(list)
    for word in sorted(words):
        if (key := key_of(word)) is not None:
            groups[key].append(word)
    return groups


def loose_name(name: str) -> str:
    """What a name comes to when the letters' case, their width and leading zeros don't matter: `A001` is `a1`."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", unicodedata.normalize("NFKC", name).casefold())


def _list(name: str) -> str | None:
    return name.rpartition(NUMBERED)[0] or None


def _number(name: str) -> int | None:
    return int(name.rpartition(NUMBERED)[2]) if _list(name) else None


def _list_and_number(name: str) -> tuple[str, int | None] | None:
    return (loose_name((_list(name) or "").rstrip(" _.-")), _number(name)) if _list(name) else None


def _head_and_number(stem: str) -> tuple[str, int] | None:
    parts = re.fullmatch(r"(.*?)[ _.-]*(\d+)", stem)
    return (loose_name(parts[1]), int(parts[2])) if parts else None


def _last_number(stem: str) -> int | None:
    key = _head_and_number(stem)
    return key[1] if key else None
