"""Damage in the tree of pages, which no record's checksum sees: a line instead of a process that is killed."""

import json
import subprocess
import sys
from pathlib import Path
from struct import pack_into, unpack_from

import lmdb
import pytest

from dataset.lmdb_pages import check_pages
from dataset.store import ClipStore
from tests.helpers import ROOT, noise_clip, refused, write_clips

READ = """
import json, sys
from pathlib import Path
from config.errors import UserError
from dataset.store import ClipStore
for name in sys.argv[1:]:
    try:
        store = ClipStore(Path(name))
        print(json.dumps([[clip.id, len(store.whole(clip.id).audio)] for clip in store.clips]), flush=True)
    except UserError as error:
        print(json.dumps(str(error)), flush=True)
"""
PAGE, HEADER, NODE = 4096, 16, 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose root is a branch."""
    path = tmp_path / "clips.lmdb"
    write_clips(path, *(noise_clip(f"{number:02d}" + 100 * "x", 2000, number) for number in range(40)))
    return path


def newest_meta(content: bytes | bytearray) -> int:
    """Where the meta page begins that counts."""
    return PAGE if unpack_from("=Q", content, PAGE + 144) > unpack_from("=Q", content, 144) else 0


def nodes(content: bytes | bytearray, page: int) -> list[int]:
    """Where a page's nodes begin, in the file."""
    (lower,) = unpack_from("=H", content, page + 12)
    return [page + place for place in unpack_from(f"={(lower - HEADER) // 2}H", content, page + HEADER)]


def damages(content: bytes) -> list[bytes]:
    """The file with one number of its pages, meta, branch or leaf, set to another."""
    meta = newest_meta(content)
    root = PAGE * unpack_from("=Q", content, meta + 128)[0]
    assert unpack_from("=H", content, root + 10) == (1,), "a branch"
    leaf = PAGE * unpack_from("=I", content, nodes(content, root)[1])[0]
    node = nodes(content, leaf)[1]
    key_bytes = unpack_from("=H", content, node + 6)[0]
    short = [page + at for page in (root, leaf) for at in (10, 12, 14, 16, 18)]
    short += [start + at for start in (nodes(content, root)[1], node) for at in (0, 2, 4, 6)]
    long = [meta + 40, meta + 128, meta + 136, node + NODE + key_bytes]
    changed = []
    for place, kind, values in (
        *((place, "=H", (0, 1, 3, 0x7FFF, 0xFFF8, 0xFFFF)) for place in short),
        *((place, "=Q", (0, 1, root // PAGE, len(content) // PAGE, 1 << 40, (1 << 64) - 2)) for place in long),
    ):
        for value in values:
            damaged = bytearray(content)
            pack_into(kind, damaged, place, value)
            changed.append(bytes(damaged))
    return changed


def test_damaged_pages_end_in_right_data_or_in_one_line(path: Path, tmp_path: Path) -> None:
    right = [[clip.id, clip.samples] for clip in ClipStore(path).clips]
    files = []
    for number, content in enumerate(damages(path.read_bytes())):
        files.append(tmp_path / f"{number}.lmdb")
        files[-1].write_bytes(content)
    ended = subprocess.run([sys.executable, "-c", READ, *map(str, files)], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(said) == len(files) == 132
    wrong = [
        line
        for file, line in zip(files, said, strict=True)
        if line != right and not (str(line).startswith(f"{file}: ") and "\n" not in line and "pack the corpus" in line)
    ]
    assert wrong == []
    assert sum(line != right for line in said) > 90


def test_a_record_that_is_said_to_lie_past_the_end_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    root = PAGE * unpack_from("=Q", content, newest_meta(content) + 128)[0]
    node = nodes(content, PAGE * unpack_from("=I", content, nodes(content, root)[1])[0])[1]
    pack_into("=Q", content, node + NODE + unpack_from("=H", content, node + 6)[0], len(content) // PAGE - 1)
    path.write_bytes(content)
    assert refused(ClipStore, path) == f"{path}: damaged pages; pack the corpus again"


def test_whole_files_pass_and_other_files_are_none(path: Path, tmp_path: Path) -> None:
    check_pages(path)
    empty, other = tmp_path / "empty.lmdb", tmp_path / "other.lmdb"
    with lmdb.open(str(empty), subdir=False):
        check_pages(empty)
    other.write_bytes(bytes(3 * PAGE))
    with pytest.raises(lmdb.InvalidError):
        check_pages(other)
