"""What every command shares: errors as one line on stderr, and a clean stop on Ctrl-C."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from config.errors import UserError

__all__ = ["UserError", "config_arguments", "parser", "renamed", "run"]


class _Parser(argparse.ArgumentParser):
    """Takes what has no flag anywhere among the options: `a=1 --resume b=2`; says in one line what it cannot take."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        return self.parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser(description: str | None, examples: str) -> argparse.ArgumentParser:
    """An argument parser whose help shows defaults and ends with examples.

    description: usually the module's docstring. examples: one command a line.
    """

    class Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
        def _get_help_string(self, action: argparse.Action) -> str | None:
            if action.default in (None, False, True) or action.required:
                return action.help
            return super()._get_help_string(action)

    lines = "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    return _Parser(
        prog=Path(sys.argv[0]).name,
        description=description,
        epilog=f"examples:\n{lines}",
        formatter_class=Formatter,
        allow_abbrev=False,
    )


def config_arguments(description: str | None, examples: str) -> argparse.ArgumentParser:
    """A parser for a command that a YAML config steers: --config and `section.key=value` overrides."""
    commands = parser(description, examples)
    commands.add_argument("--config", type=Path, required=True, help="YAML file; config/default.yml lists every key")
    commands.add_argument("overrides", nargs="*", metavar="section.key=value", help="what differs from the YAML")
    return commands


def renamed(commands: argparse.ArgumentParser, old: str, new: str) -> None:
    """Refuse an option's old spelling, with or without a value, in one line that names the new one; --help hides it."""

    class Refuse(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
            parser.error(f"{old} is now {new}")

    commands.add_argument(old, action=Refuse, nargs="*", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(main: Callable[[], None]) -> None:
    """Run a command's main; a UserError becomes one line and exit status 1, Ctrl-C exit status 130."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # "→" into a file or pipe, where Windows writes in an old code page
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) went away: point stdout at nothing so that the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
