"""A few hundred damaged files of every format: each is read or refused in one line. By hand: `python -m tests.fuzz`."""

from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz

MUTATIONS = 300


def test_every_reader_reads_damaged_files_or_refuses_them_in_one_line(tmp_path: Path) -> None:
    *_, tally = fuzz(tmp_path, MUTATIONS, seed=0)
    faults = [f"{number} {reader}: {outcome.kind}: {outcome.detail}" for reader, number, outcome in tally.faults]
    assert not faults, "\n".join(faults)
    assert tally.tried == MUTATIONS
    assert tally.kinds["read"] and tally.kinds["refused"]


def test_every_reader_has_a_file_to_damage(tmp_path: Path) -> None:
    from tests.fuzz.seeds import write_seeds

    assert {seed.reader for seed in write_seeds(tmp_path)} == set(READERS)
