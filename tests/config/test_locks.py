"""One writer at a time: the second is told, a killed one leaves nothing that holds, and no lock file stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import UserError
from config.locks import alone
from tests.helpers import ROOT, posix_only, refused

HOLDER = """
import sys
from pathlib import Path
from config.locks import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    return holder


def take(path: Path) -> None:
    with alone(path, "another one is at work"):
        pass


def test_the_second_is_told_and_goes_on_once_the_first_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "run"
    holder = hold(path)
    assert refused(take, path) == f"{path}: another one is at work"
    holder.communicate("", timeout=30)
    take(path)
    assert list(tmp_path.iterdir()) == []  # the folder went with the lock, for which it was made


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    holder = hold(tmp_path / "run")
    holder.kill()
    holder.communicate(timeout=30)
    take(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_twice_in_one_process_and_a_failure_inside(tmp_path: Path) -> None:
    with alone(tmp_path / "run", "busy"):
        assert refused(take, tmp_path / "run").endswith("another one is at work")
        take(tmp_path / "other")
    with pytest.raises(UserError, match="inside"), alone(tmp_path / "run", "busy"):
        raise UserError("inside")
    take(tmp_path / "run")


CONTENDER = """
import sys
from pathlib import Path
from config.errors import UserError
from config.locks import alone
path, got = Path(sys.argv[1]), 0
while got < 40:
    try:
        with alone(path, "busy"):
            (path.parent / "inside").touch(exist_ok=False)
            (path.parent / "inside").unlink()
            got += 1
    except UserError:
        pass
"""


def test_however_many_come_and_go_only_one_is_inside(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CONTENDER, str(tmp_path / "run")]
    contenders = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in contenders] == [("", 0)] * 3
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(take, tmp_path / "file" / "run").startswith(f"{tmp_path / 'file' / 'run'}: cannot be written: ")
