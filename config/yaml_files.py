"""YAML in and out, for all that a person writes of it: what it holds, and where each key stands."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from config.errors import UserError
from config.files import MEBIBYTE, regular

MOST_BYTES = MEBIBYTE
Keys = tuple[str | int, ...]
Places = dict[Keys, str]
"""The way to a key, from the top → the place to name in an error."""

DEEPEST = 20  # lists and mappings inside each other
LONGEST_NUMBER = 40  # characters
LONGEST_KEY = 200
TAG = "tag:yaml.org,2002:"


class Loader(yaml.SafeLoader):
    """YAML 1.2's plain values instead of PyYAML's 1.1: 1e-4 is a number; 007, 1114_3_15, 2024-01-31 and no are text.

    Without aliases, which let a short file stand for an endless one, without tags, and only so deep.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node. Raises _Refusal for one that no config needs."""
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise _Refusal(line, f"*{event.anchor}: an alias, which is not taken; write out what it stands for")
        if event.tag:
            raise _Refusal(
                line,
                f"{event.tag.replace(TAG, '!!')}: a tag, which is not taken; write the value alone, text in quotes",
            )
        if self._depth == DEEPEST:
            raise _Refusal(line, f"more than {DEEPEST} lists or mappings inside each other; write it flatter")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class Dumper(yaml.SafeDumper):
    """Quotes text that a reader of either version would take for something else."""


class _Refusal(Exception):
    """What is no mistake to YAML, yet nothing that a person's file should hold."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, shown(problem, 200)


VALUES: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: text.lower() == "true",
    "null": lambda _: None,
    "str": str,
}
for _kind, _pattern, _first in (
    ("int", r"[-+]?(0|[1-9]\d*)", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?", "-+.0123456789"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
):
    for _yaml in (Loader, Dumper):
        _yaml.add_implicit_resolver(f"{TAG}{_kind}", re.compile(f"^({_pattern})$", re.ASCII), list(_first))


def read_yaml(path: Path, mend: str = "") -> tuple[Any, Places]:
    """What a YAML file holds (None, where nothing), and its keys' places.

    Raises UserError, with the line, for one that cannot be read or says a key twice; mend: what to add where it cannot.
    """
    try:
        text = regular(path, MOST_BYTES).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}{mend}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text{mend}") from None
    return parse_yaml(text, str(path), lambda line: f"{path}, line {line}")


def parse_yaml(text: str, source: str, place: Callable[[int], str], mend: str = "") -> tuple[Any, Places]:
    """What YAML text holds (None, where nothing), and its keys' places: the one parser of all that a person writes.

    place: of a line, from 1; source: where no line is known; mend: what to add for what is no YAML. Raises UserError
    for that, for keys that are no text or stand twice, for aliases and tags, and for numbers and nesting nobody needs.
    """
    places: Places = {}
    try:
        node = yaml.compose(text, Loader)
        content = None if node is None else _content(node, (), place, places)
    except _Refusal as refusal:
        raise UserError(f"{place(refusal.line)}: {refusal.problem}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise UserError(f"{place(mark.line + 1) if mark else source}: not YAML: {shown(problem, 200)}{mend}") from None
    except (ValueError, OverflowError):  # an escape such as \Uffffffff
        raise UserError(f"{source}: not YAML: an escape stands for no character") from None
    return content, places


def shown(text: str, most: int = 60) -> str:
    """Text as a line can quote it: printable, and not without end."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= most else f"{text[:most]}…"


def _content(node: yaml.Node, keys: Keys, place: Callable[[int], str], places: Places) -> Any:
    """What a node stands for; the places of the keys below it go into `places`."""
    if isinstance(node, yaml.SequenceNode):
        return [_content(value, (*keys, index), place, places) for index, value in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return {
            (name := _key(key, keys, place, places)): _content(value, (*keys, name), place, places)
            for key, value in node.value
        }
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    kind, line = node.tag.removeprefix(TAG), node.start_mark.line + 1
    if kind in ("int", "float") and len(node.value) > LONGEST_NUMBER:
        raise _Refusal(line, f"a number of {len(node.value):,} characters; write a shorter one, or text in quotes")
    if any("\ud800" <= letter <= "\udfff" for letter in node.value):
        raise _Refusal(line, f"{node.value}: not UTF-8 text")
    return VALUES[kind](node.value)


def _key(node: yaml.Node, keys: Keys, place: Callable[[int], str], places: Places) -> str:
    """A mapping's key, with its place noted. Raises _Refusal for one that is no text, UserError for a second."""
    line = node.start_mark.line + 1
    key = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(key, str) or not key.isprintable() or len(key) > LONGEST_KEY:
        found = node.value if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
        raise _Refusal(line, f"{shown(found)}: a key must be text, such as a name; put it in quotes")
    if (*keys, key) in places:
        raise UserError(f"{place(line)}: {'.'.join(map(str, (*keys, key)))} stands twice; keep one")
    places[(*keys, key)] = place(line)
    return key
