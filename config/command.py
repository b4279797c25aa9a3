"""What every command shares: errors as one line on stderr, and a clean stop on Ctrl-C."""

import argparse
import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from config.errors import UserError, as_user_error

DEBUG = "--debug"
STOPPED = 130  # the exit status after Ctrl-C, as shells have it
NO_READER = 141  # and after the reader of stdout (head, less) went away


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
            says_nothing = any(action.default is default for default in (None, False, True))  # 1.0 == True says much
            if says_nothing or action.required:
                return action.help
            return super()._get_help_string(action)

    lines = "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    commands = _Parser(
        prog=Path(sys.argv[0]).name,
        description=description,
        epilog=f"examples:\n{lines}",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    commands.add_argument(DEBUG, action=_Debug, nargs=0, default=argparse.SUPPRESS, help="show an error's traceback")
    return commands


class _Debug(argparse.Action):
    """Leaves nothing among a command's own options: `run` looks for it by itself."""

    def __call__(self, *_: object) -> None:
        pass


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
    """Run a command's main, so that whatever ends it is one line on stderr; with --debug the traceback too.

    Exit status 1 after an error, 130 after Ctrl-C, 141 where the reader of stdout went away. What is no UserError is a
    reader's or our own mistake: the line is a net below those who say what is wrong.
    """
    _mend_streams()
    try:
        main()
        sys.stdout.flush()  # here a full disk can still be told
    except KeyboardInterrupt:
        _show_traceback()
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)
    except Exception as error:
        _show_traceback()
        if failure := _stdout_failure(error):
            _leave_stdout()
            # Windows says EINVAL where others say EPIPE.
            sys.exit(NO_READER if failure in (errno.EPIPE, errno.EINVAL) else f"error: stdout: {os.strerror(failure)}")
        sys.exit(f"error: {_line_of(error)}")


def _mend_streams() -> None:
    """A stream that was closed before we began goes nowhere; "→" may go where Windows writes in an old code page."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115, to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _show_traceback() -> None:
    if DEBUG in sys.argv:
        traceback.print_exc()


def _stdout_failure(error: Exception) -> int | None:
    """The errno where it was stdout that failed: it fails again."""
    if isinstance(error, BrokenPipeError):
        return errno.EPIPE
    if not isinstance(error, OSError) or error.filename is not None:
        return None
    try:
        print(flush=True)
    except OSError as again:
        return again.errno or errno.EIO
    return None


def _leave_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush is quiet."""
    with suppress(OSError):  # io.UnsupportedOperation is one: a stream in memory
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line_of(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    place = getattr(error, "filename", None) or Path(sys.argv[0]).name
    return f"{as_user_error(place, error)}; {DEBUG} shows the traceback"


def _say_stopped(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C before `run`, while a command's modules are being imported, is one line too."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _say_stopped
