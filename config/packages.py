"""The extras: packages that only some commands need."""

import importlib.util
from collections.abc import Iterable

from config.errors import UserError


def check_installed(packages: Iterable[str], requirements: str) -> None:
    """Raises UserError, naming the requirements' file, where a package is missing; nothing is loaded."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(f"{package}: not installed; python -m pip install -r {requirements}")
