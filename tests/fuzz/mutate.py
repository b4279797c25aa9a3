"""Ways to damage a file's bytes: a few that any format suffers, and some that only text does."""

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

LONGEST = 1 << 20  # bytes a mutation may grow to
NUMBERS = (
    "0", "-1", "1e999", "-1e308", "nan", "NaN", "inf", "1e-320", "4294967296", "1700000000", "99999999999999999999",
    "0.5.5", "0x10", "1_000", "true", "null", '""', "[]", "{}", "9" * 400,
)  # fmt: skip
TOKENS = (
    "\t" * 50,
    "[" * 300,
    "{" * 50,
    '"',
    "\\",
    "../../x",
    "\x00",
    "﻿",
    "𝕏",
    "&a",
    "*a",
    "!!int x",
    "%2e%2e%2f",
    "\r",
    ";",
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{3,}")


def cut_short(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def flip_head(data: bytes, chance: random.Random) -> bytes:
    """In the first bytes, where formats keep their counts and sizes."""
    return flip_bits(data[:256], chance) + data[256:]


def set_integer(data: bytes, chance: random.Random) -> bytes:
    """Four bytes become a number that a size or an index should not be."""
    if len(data) < 4:
        return data
    place = chance.randrange(min(len(data) - 3, chance.choice((64, 1024, LONGEST))))
    number = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 20, 3))
    return data[:place] + number.to_bytes(4, chance.choice(("little", "big"))) + data[place + 4 :]


def remove(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 4, 100)) :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.choice((1, 16, 400))]
    return (data[:start] + piece * chance.choice((2, 3, 200)) + data[start:])[:LONGEST]


def replace_number(data: bytes, chance: random.Random) -> bytes:
    return _replaced(data, _NUMBER, chance.choice(NUMBERS).encode(), chance)


def replace_word(data: bytes, chance: random.Random) -> bytes:
    return _replaced(data, _WORD, chance.choice((*NUMBERS, *TOKENS)).encode(), chance)


def insert_token(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(TOKENS).encode() + data[place:]


def shuffle_lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _replaced(data: bytes, pattern: "re.Pattern[bytes]", by: bytes, chance: random.Random) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = chance.choice(found)
    return data[: match.start()] + by + data[match.end() :]


BYTES: tuple[Mutation, ...] = (cut_short, flip_bits, flip_head, set_integer, remove, repeat)
TEXT: tuple[Mutation, ...] = (
    cut_short, flip_bits, remove, repeat, replace_number, replace_number, replace_word, insert_token, shuffle_lines,
)  # fmt: skip


def mutated(data: bytes, is_text: bool, chance: random.Random) -> bytes:
    """The bytes after one to three mutations."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(TEXT if is_text else BYTES)(data, chance)
    return data
