"""default.yml ← a person's YAML ← key=value overrides → Config; a mistake becomes one line with its place and mend."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.errors import UserError
from config.schema import Config

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "config" / "default.yml"
PATH_KEYS = (("run", "dir"), ("data", "corpus"), ("data", "lmdb"), ("features", "cache"))

Keys = tuple[str | int, ...]
Tree = dict[str, Any]


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file (what it leaves out comes from default.yml), with `section.key=value` overrides.

    Relative paths in a YAML are taken from the repository's root, those typed as overrides from the working directory.
    Raises UserError in one line for a file that cannot be read, an unknown key, a wrong type or an impossible value.
    """
    tree = read_yaml(DEFAULT)[0]
    layers = (read_yaml(path), _parse_overrides(overrides))
    for layer, _ in layers:
        tree = _merge(tree, layer)
    try:
        # JSON mode is strict about types, yet takes a list for a tuple and a string for a path.
        config = Config.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        raise UserError(_explain(error.errors()[0], _place(error.errors()[0]["loc"], layers, path))) from None
    return config


def save_config(config: Config, path: Path) -> None:
    """Write every key as YAML that load_config reads back; paths below the repository's root are written from there."""
    text = yaml.dump(portable(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(text, encoding="utf-8")


def portable(config: Config) -> Tree:
    """The config as plain values, paths below the repository's root from there: files that hold it can be moved."""
    tree = config.model_dump(mode="json")
    for section, key in PATH_KEYS:
        place = Path(tree[section][key])
        tree[section][key] = str(place.relative_to(ROOT) if place.is_relative_to(ROOT) else place)
    return tree


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values instead of PyYAML's 1.1: 1e-4 is a number; 007, 1114_3_15, 2024-01-31 and no are text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class _Dumper(yaml.SafeDumper):
    """Quotes text that a reader of either version would take for something else."""


for _kind, _pattern, _first in (
    ("int", r"[-+]?(0|[1-9]\d*)", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?", "-+.0123456789"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
):
    for _yaml in (_Loader, _Dumper):
        _yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), list(_first))


def read_yaml(path: Path) -> tuple[Tree, dict[Keys, str]]:
    """A YAML file's mapping, and for each of its keys the place to name in an error."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, _Loader)
        tree = yaml.load(text, _Loader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; a config is a YAML file such as config/demo.yml") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; a config is a YAML file such as config/demo.yml") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise UserError(f"{place}: not YAML: {getattr(error, 'problem', None) or 'cannot be read'}") from None
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected sections such as `train:`, found {type(tree).__name__}")
    _resolve_paths(tree, ROOT)
    places: dict[Keys, str] = {}
    _collect_places(node, (), path, places)
    return tree, places


def _collect_places(node: yaml.Node | None, keys: Keys, path: Path, places: dict[Keys, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = f"{path}, line {key.start_mark.line + 1}"
            if (*keys, key.value) in places:
                raise UserError(f"{place}: {'.'.join(map(str, (*keys, key.value)))} stands twice; keep one")
            places[(*keys, key.value)] = place
            _collect_places(value, (*keys, key.value), path, places)


def _parse_overrides(overrides: Sequence[str]) -> tuple[Tree, dict[Keys, str]]:
    tree: Tree = {}
    places: dict[Keys, str] = {}
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals or not dotted or dotted.startswith("-"):
            raise UserError(f"{override}: expected section.key=value, such as train.epochs=20")
        try:
            value = yaml.load(text, _Loader)
        except yaml.YAMLError:
            raise UserError(f"{override}: the value is not YAML; quote it") from None
        keys = tuple(dotted.split("."))
        for key in reversed(keys):
            value = {key: value}
        tree = _merge(tree, value)
        places[keys] = "on the command line"
    _resolve_paths(tree, Path.cwd())
    return tree, places


def _resolve_paths(tree: Tree, base: Path) -> None:
    for section, key in PATH_KEYS:
        values = tree.get(section)
        if isinstance(values, dict) and isinstance(values.get(key), str):
            try:
                values[key] = str((base / Path(values[key]).expanduser()).resolve())
            except (RuntimeError, ValueError):  # ~nobody, a NUL character
                raise UserError(f"{section}.{key}: not a path: {values[key]!r}") from None


def _merge(base: Tree, layer: Tree) -> Tree:
    merged = dict(base)
    for key, value in layer.items():
        if isinstance(merged.get(key), dict) and isinstance(
            value, dict | None
        ):  # `train:` with nothing below: as it is
            value = _merge(merged[key], value or {})
        merged[key] = value
    return merged


def _place(keys: Keys, layers: Sequence[tuple[Tree, dict[Keys, str]]], path: Path) -> str:
    """Where the value at `keys` was said: the latest layer that says it, or part of it, or what it is part of."""
    for _, places in reversed(layers):
        near = [said for said in places if keys and said[: len(keys)] == keys[: len(said)]]
        if near:
            return places[max(near, key=len)]
    return str(path)


def _explain(error: ErrorDetails, place: str) -> str:
    keys: Keys = error["loc"]
    section, key = ".".join(map(str, keys[:-1])), str(keys[-1]) if keys else ""
    if error["type"] == "extra_forbidden":
        where = f"in {section}" if section else "at the top"
        return f"{place}: {key}: unknown key {where}{_suggest(key, _fields(keys[:-1]))}"
    if error["type"] == "missing":
        return f"{place}: {key}: missing in {section}"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if error["type"] == "value_error" else f", not {error['input']!r}"
    value += "; put it in quotes" if error["type"] == "string_type" else ""
    return f"{place}: {'.'.join(map(str, keys))}{': ' if keys else ''}{message[0].lower()}{message[1:]}{value}"


def _fields(keys: Keys) -> list[str]:
    """The keys that the section at `keys` has."""
    model: Any = Config
    for key in keys:
        if isinstance(key, str):
            model = model.model_fields[key].annotation
        while not (isinstance(model, type) and issubclass(model, BaseModel)):
            model = next(inner for inner in (*get_args(model), BaseModel) if inner is not Ellipsis)
    return list(model.model_fields)


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
