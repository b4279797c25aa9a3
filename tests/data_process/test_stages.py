"""Stages over clips: parallel, resumable, one line for each clip that fails."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from config.errors import UserError
from config.load import ROOT
from config.processes import own_name, share
from data_process.stages import Item, parallel, pending, run_stage
from tests.helpers import posix_only

Stage = partial(run_stage, "upper", settings={"version": 1})


def upper(item: Item) -> dict[str, int]:
    """The stage of these tests: counts its calls beside its output."""
    text = item.inputs[0].read_text()
    if text == "bad":
        raise UserError(f"{item.inputs[0]}: bad")
    if text == "bug":
        raise ZeroDivisionError
    item.outputs[0].write_text(text.upper())
    with item.outputs[0].with_suffix(".calls").open("a") as calls:
        calls.write("x")
    return {"length": len(text)}


def square(number: int) -> int:
    if number == 3:
        raise UserError("three")
    return number * number


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    for name in "abcde":
        (tmp_path / f"{name}.txt").write_text(f"clip {name}")
    return [Item(name, (tmp_path / f"{name}.txt",), (tmp_path / f"{name}.out",)) for name in "abcde"]


def calls(item: Item) -> int:
    return len(item.outputs[0].with_suffix(".calls").read_text())


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_all_then_passes_over_what_is_up_to_date(items: list[Item], tmp_path: Path, jobs: int) -> None:
    first = Stage(items, upper, records=tmp_path / ".stages", jobs=jobs)
    assert list(first.results) == list("abcde") and not first.failed and not first.up_to_date
    items[1].inputs[0].write_text("changed")
    items[2].outputs[0].unlink()
    second = Stage(items, upper, records=tmp_path / ".stages", jobs=jobs)
    assert second.up_to_date == {"a", "d", "e"}
    assert second.results == first.results | {"b": {"length": 7}}
    assert [calls(item) for item in items] == [1, 2, 2, 1, 1]
    assert items[1].outputs[0].read_text() == "CHANGED"


def test_touching_a_file_is_no_change_but_other_settings_are(items: list[Item], tmp_path: Path) -> None:
    Stage(items, upper, records=tmp_path / ".stages")
    items[0].inputs[0].touch()
    assert len(Stage(items, upper, records=tmp_path / ".stages").up_to_date) == 5
    other = run_stage("upper", items, upper, records=tmp_path / ".stages", settings={"version": 2})
    assert not other.up_to_date


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_one_line_and_takes_its_stale_output_away(items: list[Item], tmp_path: Path, jobs: int) -> None:
    Stage(items, upper, records=tmp_path / ".stages")
    items[3].inputs[0].write_text("bad")
    report = Stage(items, upper, records=tmp_path / ".stages", jobs=jobs)
    assert report.failed == {"d": f"{items[3].inputs[0]}: bad"}
    assert not items[3].outputs[0].exists() and list(report.results) == list("abce")
    items[3].inputs[0].write_text("clip d")
    assert Stage(items, upper, records=tmp_path / ".stages").up_to_date == set("abce")


@pytest.mark.parametrize("jobs", [1, 2])
def test_strict_stops_at_the_first_failure_and_resumes(items: list[Item], tmp_path: Path, jobs: int) -> None:
    items[2].inputs[0].write_text("bad")
    with pytest.raises(UserError, match="bad"):
        Stage(items, upper, records=tmp_path / ".stages", jobs=jobs, strict=True)
    items[2].inputs[0].write_text("good")
    assert {"a", "b"} <= Stage(items, upper, records=tmp_path / ".stages").up_to_date


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_reader_did_not_expect_is_that_clips_one_line(items: list[Item], tmp_path: Path, jobs: int) -> None:
    Stage(items, upper, records=tmp_path / ".stages")
    items[0].inputs[0].write_text("bug")
    report = Stage(items, upper, records=tmp_path / ".stages", jobs=jobs)
    assert report.failed == {"a": "a: damaged or not what it seems: ZeroDivisionError"}
    assert list(report.results) == list("bcde") and not items[0].outputs[0].exists()


def waiting(folder: Path, *body: str) -> Path:
    """A command that does two items in two processes, each of which writes its process's number and then this body."""
    script = folder / "waiting.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "from config.command import run\n"
        "from config.files import written_whole\n"
        "from data_process.stages import parallel\n"
        "def main():\n"
        "    list(parallel('wait', range(5), wait, 2))\n"
        "def wait(number):\n"
        f"    pathlib.Path({str(folder)!r}, f'{{number}}.pid').write_text(str(os.getpid()))\n"
        + "".join(f"    {line}\n" for line in body)
        + "if __name__ == '__main__':\n"
        "    run(main)\n"
    )
    return script


def started(script: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, script], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def workers(folder: Path) -> list[int]:
    return [int(_awaited(folder / f"{number}.pid")) for number in range(2)]


@pytest.mark.skipif(os.name == "nt", reason="to ask whether a process runs ends it there")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with started(waiting(tmp_path, "time.sleep(600)")) as parent:
        pids = workers(tmp_path)
        parent.kill()
        _await_the_end(pids)


@posix_only
def test_ctrl_c_stops_what_workers_do_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    body = (f"with written_whole(pathlib.Path({str(tmp_path)!r}, 'out')):", "    time.sleep(600)")
    with started(waiting(tmp_path, *body)) as parent:
        pids = workers(tmp_path)
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=60)
    assert parent.returncode == 130
    assert [line for line in said.splitlines() if line and not line.startswith("wait: ")] == ["stopped"]
    _await_the_end(pids)
    assert {file.name for file in tmp_path.iterdir()} == {"waiting.py", "0.pid", "1.pid"}


def _await_the_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(map(_is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_is_running, pids))


def _awaited(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return path.read_text()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_half_written_or_foreign_record_is_done_again(items: list[Item], tmp_path: Path) -> None:
    Stage(items, upper, records=tmp_path / ".stages")
    (tmp_path / ".stages" / "a.json").write_text('{"digest": "')
    (tmp_path / ".stages" / "b.json").write_text("[]")
    assert Stage(items, upper, records=tmp_path / ".stages").up_to_date == {"c", "d", "e"}


def test_pending_is_what_run_stage_would_do(items: list[Item], tmp_path: Path) -> None:
    question = partial(pending, "upper", items, records=tmp_path / ".stages", settings={"version": 1})
    assert question() == items
    Stage(items[:3], upper, records=tmp_path / ".stages")
    assert question() == items[3:]
    items[0].inputs[0].unlink()
    assert [item.id for item in question()] == ["a", "d", "e"]


def test_each_rank_does_its_share(items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_name("align.log") == "align.log" and share(items) == items
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        done += list(Stage(items, upper, records=tmp_path / ".stages").results)
        assert own_name("align.log") == f"align.rank{rank}.log"
    assert done == list("acebd")
    monkeypatch.undo()
    assert len(Stage(items, upper, records=tmp_path / ".stages").up_to_date) == 5


@pytest.mark.parametrize("jobs", [1, 3])
def test_parallel_keeps_the_order_and_hands_out_little_at_a_time(jobs: int) -> None:
    outcomes = list(parallel("square", range(40), square, jobs))
    assert [item for item, _ in outcomes] == list(range(40))
    assert [str(outcome) for _, outcome in outcomes] == ["three" if n == 3 else str(n * n) for n in range(40)]
    assert list(parallel("square", [], square, jobs)) == []


def test_records_are_small_json(items: list[Item], tmp_path: Path) -> None:
    Stage(items[:1], upper, records=tmp_path / ".stages")
    record = json.loads((tmp_path / ".stages" / "a.json").read_text())
    assert record["result"] == {"length": 6} and len(record["digest"]) == 32
