"""The lines of a Word document, with the numbers that Word shows before them but does not keep in the text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docx
from docx.document import Document
from docx.text.paragraph import Paragraph

from config.errors import MOST_SAID, UserError
from config.files import MEBIBYTE, check_unpacked

MOST_UNPACKED_BYTES = 256 * MEBIBYTE
NOT_NUMBERS = ("bullet", "none")


class DocumentLine(NamedTuple):
    """A line as Word shows it."""

    text: str
    number: int | None  # of an automatic list, at its first level


def read_lines(path: Path) -> list[DocumentLine]:
    """The document's lines that are not empty, in order; a paragraph's line breaks part it into several.

    Raises UserError for a file that is missing or no docx.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    check_unpacked(path, MOST_UNPACKED_BYTES)
    try:
        document = docx.Document(str(path))
        numbering = _Numbering(document)
        return [line for paragraph in document.paragraphs for line in _lines(paragraph, numbering)]
    except Exception as error:  # python-docx lets the errors of zipfile, of XML and its own through
        said = f"{type(error).__name__}: {error}".splitlines()[0][:MOST_SAID]
        raise UserError(f"{path}: not a readable docx file; save it again as .docx ({said})") from None


def _lines(paragraph: Paragraph, numbering: "_Numbering") -> Iterator[DocumentLine]:
    texts = [text.strip() for text in paragraph.text.splitlines() if text.strip()]
    if texts:
        yield DocumentLine(texts[0], numbering.next_number(paragraph))
        yield from (DocumentLine(text, None) for text in texts[1:])


class _Numbering:
    """Counts as Word does (ECMA-376 part 1, 17.9): lists of one abstract definition go on, unless told to restart."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.counts: dict[int, int] = {}  # by abstract definition
        self.seen: set[int] = set()  # list ids

    def next_number(self, paragraph: Paragraph) -> int | None:
        """The number before this paragraph; None where there is none, a bullet, or a deeper level's."""
        list_id, level = _list_and_level(paragraph)
        if not list_id or level:
            return None
        try:
            numbering = self.document.part.numbering_part.element
        except NotImplementedError:  # python-docx would have to make one
            raise ValueError("a numbered list, but no numbering") from None
        [abstract_id] = numbering.xpath(f"w:num[@w:numId={list_id}]/w:abstractNumId/@w:val")[:1] or [None]
        first_level = f"w:abstractNum[@w:abstractNumId={abstract_id}]/w:lvl[@w:ilvl=0]"
        if abstract_id is None or numbering.xpath(f"{first_level}/w:numFmt/@w:val")[:1] in [
            [kind] for kind in NOT_NUMBERS
        ]:
            return None
        restart = numbering.xpath(f"w:num[@w:numId={list_id}]/w:lvlOverride[@w:ilvl=0]/w:startOverride/@w:val")
        start = numbering.xpath(f"{first_level}/w:start/@w:val")
        if restart and list_id not in self.seen:
            self.counts[abstract_id] = int(restart[0])
        elif abstract_id in self.counts:
            self.counts[abstract_id] += 1
        else:
            self.counts[abstract_id] = int(start[0]) if start else 1
        self.seen.add(list_id)
        return self.counts[abstract_id]


def _list_and_level(paragraph: Paragraph) -> tuple[int, int]:
    """The paragraph's own list, or its style's; (0, 0) for none."""
    styles: list[Any] = []
    style = paragraph.style
    while style is not None:
        if style.element in styles:
            raise ValueError("styles that are based on each other")
        styles.append(style.element)
        style = style.base_style
    for element in (paragraph._p, *styles):
        properties = element.pPr.numPr if element.pPr is not None else None
        if properties is not None and properties.numId is not None:
            return properties.numId.val, properties.ilvl.val if properties.ilvl is not None else 0
    return 0, 0
