"""Packing by several processes and into several files: the very records that one process writes into one file."""

import subprocess
from pathlib import Path

import pytest

from data_process import pack
from dataset.store import ClipStore
from tests.helpers import Corpus, clip_records, launch


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Nine clips of 0.3 s, one of them without curves."""
    made = Corpus(tmp_path / "corpus", tmp_path / "out")
    for number in range(9):
        made.noise(f"k{number}", seconds=0.3)
    (made.folder / "bs" / "k4.csv").unlink()
    return made


@pytest.fixture
def sequential(corpus: Corpus) -> dict[bytes, bytes]:
    corpus.pack("data.split.by=none", "--jobs=1")
    return clip_records(corpus.lmdb)


@pytest.mark.parametrize("shards", [1, 3])
def test_two_processes_write_what_one_writes(
    corpus: Corpus, sequential: dict[bytes, bytes], monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    alone, one = corpus.store.clips, corpus.lmdb.read_bytes()
    monkeypatch.setattr(pack, "CLIPS_A_PROCESS", 1)
    said = corpus.pack("data.split.by=none", "--jobs=2", f"--shards={shards}")
    files = sorted(corpus.lmdb.parent.glob("clips*.lmdb"))
    assert len(files) == shards
    assert clip_records(*files) == sequential and len(sequential) == 8
    assert corpus.store.clips == alone
    assert corpus.log == ["k4: no csv of this name in bs/"]
    assert "packed 8 clips" in said and (shards == 1 or said.endswith(f"{corpus.lmdb} in 3 shards\n"))
    assert shards > 1 or corpus.lmdb.read_bytes() == one


def launch_packing(corpus: Corpus, *words: str) -> list[subprocess.CompletedProcess[str]]:
    """By two processes."""
    return launch(2, "-m", "data_process.pack", *corpus.words("data.split.by=none", *words))


def test_two_launched_processes_share_the_clips_and_the_first_one_closes(
    corpus: Corpus, sequential: dict[bytes, bytes]
) -> None:
    alone = corpus.store.clips
    ranks = corpus.lmdb.with_name(".clips.lmdb.ranks")
    ranks.mkdir()
    (ranks / "rank1.json").write_text('{"token": "of a killed run", "part": [[], []]}')
    first, second = launch_packing(corpus, "--shards=4", "--jobs=1")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "packed 8 clips" in first.stdout and second.stdout == ""
    files = sorted(corpus.lmdb.parent.glob("clips-*.lmdb"))
    assert [len(ClipStore([file]).clips) for file in files] == [2, 2, 2, 2]
    assert clip_records(*files) == sequential
    assert corpus.store.clips == alone
    assert corpus.log == ["k4: no csv of this name in bs/"]
    assert {file.name for file in corpus.lmdb.parent.iterdir()} == {*(f.name for f in files), "pack.log"}


def test_shards_that_processes_cannot_share(corpus: Corpus) -> None:
    for done in launch_packing(corpus, "--shards=3"):
        assert done.returncode == 1
        assert done.stderr == (
            "error: 3 shard(s) cannot be shared by 2 processes; say --shards 2 or a multiple of it\n"
        )


def test_a_set_that_would_be_no_use_leaves_the_old_one(corpus: Corpus, sequential: dict[bytes, bytes]) -> None:
    before = corpus.lmdb.read_bytes()
    with pytest.raises(Exception, match="no usable clip"):
        corpus.pack("data.exclude=['*']", "--shards=2")
    assert corpus.lmdb.read_bytes() == before
    assert not list(corpus.lmdb.parent.glob(".*"))


def test_strict_stops_at_a_file_that_cannot_be_read_but_not_at_one_that_is_left_out(corpus: Corpus) -> None:
    corpus.pack("data.split.by=none", "--strict")
    assert "k4" not in corpus.ids
    (corpus.folder / "wav" / "k2.wav").write_bytes(b"RIFF")
    with pytest.raises(Exception, match=r"k2.wav: "):
        corpus.pack("data.split.by=none", "--strict")
    assert "k2" in corpus.ids  # the old database
    corpus.pack("data.split.by=none")
    assert len(corpus.ids) == 7
