"""Aligned transcripts: tsv rows of start, end and token, in seconds."""

import math
from pathlib import Path
from typing import NamedTuple

from config.errors import UserError
from config.files import MEBIBYTE, regular, written_whole

HEADER = ("start", "end", "token")
MOST_TEXT_BYTES = 64 * MEBIBYTE
TOLERANCE_S = 1e-3  # aligners round times to milliseconds


class Word(NamedTuple):
    """A token with its time: a character of Mandarin, a word of most other languages."""

    text: str
    start_s: float
    end_s: float


def read_tsv(path: Path) -> list[Word]:
    """The words of a transcript, in order; lines that start with # and a `start end token` header are passed over.

    Raises UserError, with file and line, for text that is not UTF-8, a row that is not start⇥end⇥token, times that
    are no numbers, negative or reversed, and words that overlap.
    """
    words: list[Word] = []
    for line, text in enumerate(text_lines(path), 1):
        cells = text.split("\t")
        if not text.strip() or text.startswith("#") or (not words and tuple(c.lower() for c in cells) == HEADER):
            continue
        word = _parse(f"{path}, line {line}", cells)
        if words and word.start_s < words[-1].end_s - TOLERANCE_S:
            before = words[-1]
            raise UserError(
                f'{path}, line {line}: "{word.text}" starts at {word.start_s:g} s, '
                f'before "{before.text}" ends at {before.end_s:g} s'
            )
        words.append(word)
    return words


def write_tsv(path: Path, words: list[Word], comments: tuple[str, ...] = ()) -> None:
    """Write what read_tsv reads, with comments on how it was made in lines of their own; whole or not at all."""
    lines = [f"# {comment}" for comment in comments] + ["\t".join(HEADER)]
    lines += [f"{word.start_s:.3f}\t{word.end_s:.3f}\t{word.text}" for word in words]
    with written_whole(path) as partial:
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def text_lines(path: Path) -> list[str]:
    """A table's lines. Raises UserError for a file that cannot be read or is no text in UTF-8."""
    try:
        return regular(path, MOST_TEXT_BYTES).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; convert it, for example: iconv -f GBK -t UTF-8") from None


def _parse(place: str, cells: list[str]) -> Word:
    if len(cells) != 3 or not cells[2].strip():
        raise UserError(f"{place}: expected start, end and token separated by tabs, found {len(cells)} cell(s)")
    try:
        start_s, end_s = float(cells[0]), float(cells[1])
    except ValueError:
        raise UserError(f'{place}: times are not numbers of seconds: "{cells[0]}", "{cells[1]}"') from None
    if not (math.isfinite(start_s) and math.isfinite(end_s)) or start_s < 0:
        raise UserError(f"{place}: times must be seconds from 0 on, found {start_s:g} and {end_s:g}")
    if end_s < start_s:
        raise UserError(f"{place}: ends at {end_s:g} s, before it starts at {start_s:g} s")
    return Word(cells[2].strip(), start_s, end_s)


def check_within(path: Path, words: list[Word], duration_s: float) -> None:
    """Raises UserError when a word lies past the sound's end: most likely another recording's transcript."""
    late = [word for word in words if word.start_s > duration_s + TOLERANCE_S]
    if late:
        raise UserError(
            f'{path}: "{late[0].text}" starts at {late[0].start_s:g} s, but the sound ends at {duration_s:.2f} s; '
            "is this another recording's transcript?"
        )
