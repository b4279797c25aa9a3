"""The pages of an LMDB file, looked over before LMDB follows them: it believes every number that it finds there.

The layout is that of LMDB 0.9 (data version 1), in the machine's byte order: two meta pages, of which the one with the
later transaction counts; from its root a tree of branch pages down to leaf pages; and what is too large for a leaf on
pages of its own, which are only counted here.
"""

import mmap
from pathlib import Path
from struct import Struct, unpack_from

import lmdb

MAGIC, DATA_VERSION = 0xBEEFC0DE, 1
NO_PAGE = (1 << 64) - 1
BRANCH, LEAF, META = 1, 2, 8  # of a page
TRANSIENT = 0x10 | 0x4000 | 0x8000  # a page's flags of while it is written
ELSEWHERE = 1  # of a leaf's node: its data has pages of its own
MOST_KEY_BYTES = 511

_PAGE = Struct("=QHHHH")  # number, unused, flags, where the nodes' places end, where the nodes begin
_META = Struct("=II8x8xI2x2x8x8x8x8x8x4xHH8x8x8x8xQQQ")
_NODE = Struct("=HHHH")  # low and high half of a size or number, flags or its highest part, bytes of the key
_NUMBER = Struct("=Q")


def check_pages(path: Path) -> None:
    """Raises lmdb.InvalidError for a file that is no LMDB, lmdb.CorruptedError for one whose pages lead astray.

    Every way that a look-up can take is followed to the leaves, so it costs a few microseconds an item; what the items
    hold is not read. After it, LMDB reads inside the file and comes to an end, whatever the key.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _PAGE.size + _META.size:
            raise lmdb.InvalidError("too short")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            page_bytes, root, pages = _read_metas(content)
            if pages * page_bytes > size:
                raise lmdb.CorruptedError("truncated")
            if root != NO_PAGE:
                _check_tree(content, page_bytes, root, pages)


def _read_metas(content: mmap.mmap) -> tuple[int, int, int]:
    """(bytes of a page, the root's number or NO_PAGE, how many pages there are), by the later meta page."""
    page_bytes = _meta(content, 0)[0]
    first, second = _meta(content, 0), _meta(content, page_bytes)
    if first[0] != second[0]:
        raise lmdb.CorruptedError("damaged pages")
    _, flags, root, last, _ = second if first[4] < second[4] else first
    if flags:  # keys that are compared in another way
        raise lmdb.CorruptedError("damaged pages")
    return page_bytes, root, last + 1


def _meta(content: mmap.mmap, start: int) -> tuple[int, int, int, int, int]:
    """(bytes of a page, the tree's flags, its root, the last page's number, the transaction)."""
    if start + _PAGE.size + _META.size > len(content):
        raise lmdb.InvalidError("too short")
    magic, version, page_bytes, flags, _, root, last, transaction = _META.unpack_from(content, start + _PAGE.size)
    if not _PAGE.unpack_from(content, start)[2] & META or magic != MAGIC or version != DATA_VERSION:
        raise lmdb.InvalidError("no LMDB")
    if page_bytes.bit_count() != 1 or not 512 <= page_bytes <= 65_536:
        raise lmdb.CorruptedError("damaged pages")
    return page_bytes, flags, root, last, transaction


def _check_tree(content: mmap.mmap, page_bytes: int, root: int, pages: int) -> None:
    waiting, seen = [root], {root}
    while waiting:
        for child in _children(content, page_bytes, waiting.pop(), pages):
            if child in seen:
                raise lmdb.CorruptedError("damaged pages")
            seen.add(child)
            waiting.append(child)


def _children(content: mmap.mmap, page_bytes: int, page: int, pages: int) -> list[int]:
    """The pages that a branch leads to, none of a leaf. Raises lmdb.CorruptedError for what leads out of the page."""
    if not 2 <= page < pages:
        raise lmdb.CorruptedError("damaged pages")
    start = page * page_bytes
    number, _, flags, lower, upper = _PAGE.unpack_from(content, start)
    kind, nodes = flags & ~TRANSIENT, (lower - _PAGE.size) // 2
    is_whole = number == page and kind in (BRANCH, LEAF) and lower <= upper <= page_bytes
    if not is_whole or nodes < (2 if kind == BRANCH else 1):
        raise lmdb.CorruptedError("damaged pages")
    children = []
    for place in unpack_from(f"={nodes}H", content, start + _PAGE.size):
        if not upper <= place <= page_bytes - _NODE.size:
            raise lmdb.CorruptedError("damaged pages")
        low, high, more, key_bytes = _NODE.unpack_from(content, start + place)
        end, value = place + _NODE.size + key_bytes, low | high << 16
        if kind == BRANCH:
            children.append(value | more << 32)
            fits = end <= page_bytes
        elif more == ELSEWHERE:
            fits = end + _NUMBER.size <= page_bytes
            first = _NUMBER.unpack_from(content, start + end)[0] if fits else 0
            fits = first >= 2 and first + -(-(_PAGE.size + value) // page_bytes) <= pages
        else:
            fits = more == 0 and end + value <= page_bytes
        if not fits or key_bytes > MOST_KEY_BYTES:
            raise lmdb.CorruptedError("damaged pages")
    return children
