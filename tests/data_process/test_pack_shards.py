"""Packing by several processes and into several files: the very records that one process writes into one file."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from data_process import pack
from dataset.store import ClipStore
from tests.data_process.test_pack import Corpus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def corpus(tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Corpus:
    """Nine clips of 0.3 s, one of them without curves."""
    made = Corpus(tmp_path, run_main, capsys)
    for number in range(9):
        made.add(f"k{number}", seconds=0.3)
    (made.folder / "bs" / "k4.csv").unlink()
    return made


def records(*files: Path) -> dict[bytes, bytes]:
    """The clips' records; the indices differ by what is where."""
    found: dict[bytes, bytes] = {}
    for file in files:
        options = {"subdir": False, "readonly": True, "lock": False}
        with lmdb.open(str(file), **options) as environment, environment.begin() as reader:
            found |= {bytes(key): bytes(value) for key, value in reader.cursor() if bytes(key) != b"index"}
    return found


@pytest.fixture
def sequential(corpus: Corpus) -> dict[bytes, bytes]:
    corpus.pack("--jobs=1")
    return records(corpus.lmdb)


@pytest.mark.parametrize("shards", [1, 3])
def test_two_processes_write_what_one_writes(
    corpus: Corpus, sequential: dict[bytes, bytes], monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    alone, stats, one = corpus.store.clips, corpus.stats, corpus.lmdb.read_bytes()
    monkeypatch.setattr(pack, "CLIPS_A_PROCESS", 1)
    said = corpus.pack("--jobs=2", f"--shards={shards}")
    files = sorted(corpus.lmdb.parent.glob("clips*.lmdb"))
    assert len(files) == shards
    assert records(*files) == sequential and len(sequential) == 8
    assert corpus.store.clips == alone and corpus.stats == stats
    assert corpus.log == ["k4: no csv of this name in bs/"]
    assert "packed 8 clips" in said and (shards == 1 or said.endswith(f"{corpus.lmdb} in 3 shards\n"))
    assert shards > 1 or corpus.lmdb.read_bytes() == one


def launch(corpus: Corpus, processes: int, *words: str) -> list[subprocess.CompletedProcess[str]]:
    """What torchrun does: the same command several times, told apart by the environment."""
    command = [sys.executable, "-m", "data_process.pack", *map(str, corpus.words("data.split.by=none", *words))]
    environment = os.environ | {"WORLD_SIZE": str(processes), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank)}, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for rank in range(processes)
    ]  # fmt: skip
    ended = [(process, *process.communicate(timeout=60)) for process in started]
    return [subprocess.CompletedProcess(command, process.returncode, out, err) for process, out, err in ended]


def test_two_launched_processes_share_the_clips_and_the_first_one_closes(
    corpus: Corpus, sequential: dict[bytes, bytes]
) -> None:
    alone, stats = corpus.store.clips, corpus.stats
    ranks = corpus.lmdb.with_name(".clips.lmdb.ranks")
    ranks.mkdir()
    (ranks / "rank1.json").write_text('{"token": "of a killed run", "part": [[], []]}')
    first, second = launch(corpus, 2, "--shards=4", "--jobs=1")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "packed 8 clips" in first.stdout and second.stdout == ""
    files = sorted(corpus.lmdb.parent.glob("clips-*.lmdb"))
    assert [len(ClipStore([file]).clips) for file in files] == [2, 2, 2, 2]
    assert records(*files) == sequential
    assert corpus.store.clips == alone and corpus.stats == stats
    assert corpus.log == ["k4: no csv of this name in bs/"]
    assert {file.name for file in corpus.lmdb.parent.iterdir()} == {*(f.name for f in files), "pack.log", "stats.json"}


def test_shards_that_processes_cannot_share(corpus: Corpus) -> None:
    for done in launch(corpus, 2, "--shards=3"):
        assert done.returncode == 1
        assert done.stderr == (
            "error: 3 shard(s) cannot be shared by 2 processes; say --shards 2 or a multiple of it\n"
        )


def test_a_set_that_would_be_no_use_leaves_the_old_one(corpus: Corpus, sequential: dict[bytes, bytes]) -> None:
    before = corpus.lmdb.read_bytes()
    with pytest.raises(Exception, match="no training clips"):
        corpus.pack("data.split.by=list", "data.split.val=['*']", "--shards=2")
    assert corpus.lmdb.read_bytes() == before and corpus.stats
    assert not list(corpus.lmdb.parent.glob(".*"))


def test_strict_stops_at_a_file_that_cannot_be_read_but_not_at_one_that_is_left_out(corpus: Corpus) -> None:
    corpus.pack("--strict")
    assert "k4" not in corpus.ids
    (corpus.folder / "wav" / "k2.wav").write_bytes(b"RIFF")
    with pytest.raises(Exception, match=r"k2.wav: "):
        corpus.pack("--strict")
    assert "k2" in corpus.ids  # the old database
    corpus.pack()
    assert len(corpus.ids) == 7
