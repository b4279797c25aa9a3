"""default.yml ← a person's YAML ← key=value overrides → Config; a mistake becomes one line with its place and mend."""

import json
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.errors import UserError
from config.files import written_whole
from config.places import ROOT, is_hub_id
from config.schema import Config
from config.suggest import nearest
from config.yaml_files import DEEPEST, Dumper, Keys, Places, parse_yaml, read_yaml, shown

DEFAULT = ROOT / "config" / "default.yml"
PATH_KEYS = (("run", "dir"), ("data", "corpus"), ("data", "lmdb"), ("features", "cache"), ("train", "init"))
HUB_KEY = "train.init"  # may be a hub id too

Tree = dict[str, Any]


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file (what it leaves out comes from default.yml), with `section.key=value` overrides.

    Relative paths in a YAML are taken from the repository's root, those typed as overrides from the working directory.
    Raises UserError in one line for a file that cannot be read, an unknown key, a wrong type or an impossible value.
    """
    tree = read_sections(DEFAULT)[0]
    layers = (read_sections(path), _parse_overrides(overrides))
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
    text = yaml.dump(portable(config), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def portable(config: Config) -> Tree:
    """The config as plain values, paths below the repository's root from there: files that hold it can be moved."""
    tree = config.model_dump(mode="json")
    for section, key in PATH_KEYS:
        tree[section][key] = _for_each(_from_root, tree[section][key])
    return tree


def _from_root(path: str) -> str:
    place = Path(path)
    return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else path


def difference(before: Config, now: Config, free: Collection[str] = ()) -> str:
    """`trained with section.key a, the config says b` of the first key that differs; "" where none does.

    free: dotted keys that may differ.
    """
    after = now.model_dump()
    for section, keys in before.model_dump().items():
        for key, value in keys.items():
            if after[section][key] != value and f"{section}.{key}" not in free:
                return f"trained with {section}.{key} {value}, the config says {after[section][key]}"
    return ""


def read_sections(path: Path) -> tuple[Tree, Places]:
    """A config's or a grid's mapping, with its keys' places; paths from the repository's root."""
    tree, places = read_yaml(path, "; a config is a YAML file such as config/demo.yml")
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected sections such as `train:`, found {type(tree).__name__}")
    _resolve_paths(tree, ROOT)
    return tree, places


def _parse_overrides(overrides: Sequence[str]) -> tuple[Tree, Places]:
    tree: Tree = {}
    places: Places = {}
    for override in overrides:
        keys, value = _parse_override(override)
        for key in reversed(keys):
            value = {key: value}
        tree = _merge(tree, value)
        places[keys] = "on the command line"
    _resolve_paths(tree, Path.cwd())
    return tree, places


def _parse_override(override: str) -> tuple[Keys, Any]:
    dotted, equals, text = override.partition("=")
    keys, said = tuple(dotted.split(".")), shown(override)
    if not equals or not dotted or dotted.startswith("-") or not dotted.isprintable() or len(keys) > DEEPEST:
        raise UserError(f"{said}: expected section.key=value, such as train.epochs=20")
    return keys, parse_yaml(text, said, lambda _: said, mend="; quote it")[0]


def _resolve_paths(tree: Tree, base: Path) -> None:
    for section, key in PATH_KEYS:
        values = tree.get(section)
        if isinstance(values, dict) and key in values:
            values[key] = _for_each(partial(_resolved, base, f"{section}.{key}"), values[key])


def _resolved(base: Path, key: str, path: str) -> str:
    try:
        place = (base / Path(path).expanduser()).resolve()
        return path if key == HUB_KEY and is_hub_id(path) and not place.exists() else str(place)
    except (RuntimeError, ValueError):  # ~nobody, a NUL character
        raise UserError(f"{key}: not a path: {shown(repr(path))}") from None


def _for_each(function: Callable[[str], str], said: Any) -> Any:
    """The text, or each of a list of texts, by the function; what is neither stays, for the schema to refuse."""
    if isinstance(said, list):
        return [_for_each(function, value) for value in said]
    return function(said) if isinstance(said, str) else said


def _merge(base: Tree, layer: Tree) -> Tree:
    merged = dict(base)
    for key, value in layer.items():
        if isinstance(merged.get(key), dict) and isinstance(
            value, dict | None
        ):  # `train:` with nothing below: as it is
            value = _merge(merged[key], value or {})
        merged[key] = value
    return merged


def _place(keys: Keys, layers: Sequence[tuple[Tree, Places]], path: Path) -> str:
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
    value = "" if error["type"] == "value_error" else f", not {shown(repr(error['input']))}"
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
    return nearest(name, known) or f"; known: {', '.join(known)}"
