"""YAML in and out, for every file that a person writes: what it holds, and where in the file each key stands."""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from config.errors import UserError
from config.files import MEBIBYTE, regular

MOST_BYTES = 16 * MEBIBYTE
Keys = tuple[str | int, ...]
Places = dict[Keys, str]
"""The way to a key, from the top → the place to name in an error."""


class Loader(yaml.SafeLoader):
    """YAML 1.2's plain values instead of PyYAML's 1.1: 1e-4 is a number; 007, 1114_3_15, 2024-01-31 and no are text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class Dumper(yaml.SafeDumper):
    """Quotes text that a reader of either version would take for something else."""


for _kind, _pattern, _first in (
    ("int", r"[-+]?(0|[1-9]\d*)", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?", "-+.0123456789"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
):
    for _yaml in (Loader, Dumper):
        _yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), list(_first))


def read_yaml(path: Path, mend: str = "") -> tuple[Any, Places]:
    """What a YAML file holds (None, where nothing), and its keys' places.

    Raises UserError, with the line, for one that cannot be read or says a key twice; mend: what to add where it cannot.
    """
    try:
        text = regular(path, MOST_BYTES).read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader)
        content = yaml.load(text, Loader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}{mend}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text{mend}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise UserError(f"{place}: not YAML: {getattr(error, 'problem', None) or 'cannot be read'}") from None
    places: Places = {}
    _collect_places(node, (), path, places)
    return content, places


def _collect_places(node: yaml.Node | None, keys: Keys, path: Path, places: Places) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_places(value, (*keys, index), path, places)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = f"{path}, line {key.start_mark.line + 1}"
            if (*keys, key.value) in places:
                raise UserError(f"{place}: {'.'.join(map(str, (*keys, key.value)))} stands twice; keep one")
            places[(*keys, key.value)] = place
            _collect_places(value, (*keys, key.value), path, places)
