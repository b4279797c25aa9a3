"""What every command shares of its command line."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.command import parser, renamed
from tests.helpers import ROOT, posix_only, run_command


@pytest.mark.parametrize("words", [["--words", "a.tsv"], ["--words=a.tsv"], ["--words"], ["a", "--words", "b", "c"]])
def test_an_old_spelling_is_refused_with_the_new_one(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    commands = parser("Says.", "python says.py --transcript_path a.tsv")
    commands.add_argument("--transcript_path", required=True)
    commands.add_argument("files", nargs="*")
    renamed(commands, "--words", "--transcript_path")
    with pytest.raises(SystemExit) as ended:
        commands.parse_args(words)
    line = f"error: --words is now --transcript_path; see {commands.prog} --help\n"
    assert (ended.value.code, capsys.readouterr().err) == (2, line)
    assert "--words" not in commands.format_help()
    assert commands.parse_args(["--transcript_path", "a.tsv"]) == argparse.Namespace(transcript_path="a.tsv", files=[])


def script(folder: Path, *body: str) -> Path:
    """A command whose main has these lines."""
    path = folder / "says.py"
    lines = [
        "import sys, time",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from config.command import parser, run\nfrom config.errors import UserError",
        "def main():",
        "    parser('Says.', 'says.py').parse_args()",
        *(f"    {line}" for line in body),
        "run(main)",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise UserError('a.csv: has no rows')", "error: a.csv: has no rows"),
        (
            "raise ValueError('no\\nsuch')",
            "error: says.py: damaged or not what it seems: ValueError: no such; --debug shows the traceback",
        ),
        ("{}['a']", "error: says.py: damaged or not what it seems: KeyError: 'a'; --debug shows the traceback"),
        ("open('none.csv')", "error: none.csv: No such file or directory; --debug shows the traceback"),
        ("raise MemoryError", "error: says.py: needs more memory than there is; --debug shows the traceback"),
    ],
)
def test_whatever_is_raised_is_one_line_and_with_debug_the_traceback_too(tmp_path: Path, body: str, line: str) -> None:
    command = script(tmp_path, body)
    ended = run_command(tmp_path, command)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"{line}\n")
    shown = run_command(tmp_path, command, "--debug")
    assert shown.returncode == 1
    assert shown.stderr.startswith("Traceback") and shown.stderr.endswith(f"{line}\n")


def test_debug_is_no_option_of_the_command_itself() -> None:
    commands = parser("Says.", "says.py")
    assert commands.parse_args(["--debug"]) == argparse.Namespace()
    assert "--debug" in commands.format_help()


def test_help_shows_every_default_that_says_something() -> None:
    commands = parser("Says.", "says.py")
    for name, default in {"one": 1.0, "zero": 0, "three": 3, "yes": True, "no": False, "none": None}.items():
        commands.add_argument(f"--{name}", default=default, help=f"what {name} is")
    shown = " ".join(commands.format_help().split())
    for line in ("one is (default: 1.0)", "zero is (default: 0)", "three is (default: 3)"):
        assert f"what {line}" in shown
    assert shown.count("(default:") == 3


@posix_only
def test_ctrl_c_is_one_line_and_130(tmp_path: Path) -> None:
    command = script(tmp_path, "print('up', flush=True)", "time.sleep(60)")
    process = subprocess.Popen([sys.executable, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "stopped\n")
    assert process.returncode == 130


@posix_only
def test_ctrl_c_among_the_imports_is_one_line(tmp_path: Path) -> None:
    command = script(tmp_path, "pass")
    command.write_text(command.read_text("utf-8").replace("def main", "raise KeyboardInterrupt\ndef main"), "utf-8")
    assert run_command(tmp_path, command).stderr == "stopped\n"


@posix_only
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = script(tmp_path, "for i in range(100_000): print(i)")
    process = subprocess.Popen([sys.executable, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_full_stdout_is_one_line(tmp_path: Path, lines: int) -> None:
    command = script(tmp_path, f"for i in range({lines}): print(i)")
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([sys.executable, command], stdout=full, stderr=subprocess.PIPE, text=True, env=buffered)
    assert (ended.returncode, ended.stderr) == (1, "error: stdout: No space left on device\n")


@posix_only
@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_stream_closed_from_the_start_is_quiet(tmp_path: Path, closed: str) -> None:
    command = script(tmp_path, "print('hello')", "print('bar', file=sys.stderr)")
    shell = f"{sys.executable} {command} {closed}>&-"
    ended = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert ended.returncode == 0
    assert (ended.stdout, ended.stderr) == (("", "bar\n") if closed == "1" else ("hello\n", ""))
