"""What every command shares of its command line."""

import argparse

import pytest

from config.command import parser, renamed


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
