"""A grid: named changes of a config, such as `no_onehot: [model.domain_one_hot=false]`, each tried on its own."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.errors import UserError
from config.load import load_config, read_sections
from config.schema import LONGEST_PART, PATH_PART, Config

BASE = "base"
BUILT_IN: dict[str, tuple[str, ...]] = {BASE: (), "no_onehot": ("model.domain_one_hot=false",)}
Grid = Mapping[str, tuple[str, ...]]


def load_grid(path: Path) -> dict[str, tuple[str, ...]]:
    """Name → overrides, in the file's order. Raises UserError, with the line, for what is no such grid."""
    tree, places = read_sections(path)
    if not tree:
        raise UserError(f"{path}: no names; expected lines such as `no_onehot: [model.domain_one_hot=false]`")
    for name, words in tree.items():
        place = places[(name,)]
        if len(name) > LONGEST_PART or not re.fullmatch(PATH_PART, name):
            raise UserError(f"{place}: {name}: it names a folder; use letters, digits and _ . -")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise UserError(f"{place}: {name}: expected a list of section.key=value, such as [train.ema=0]")
    return {name: tuple(words) for name, words in tree.items()}


def choose(grid: Grid, names: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Those of a grid, and of the built-in changes, that are named; by default the whole grid. Raises UserError."""
    known = {**BUILT_IN, **grid}
    for name in names or ():
        if "=" in name:
            raise UserError(f"--variants: {name} is no name; write section.key=value before --variants")
        if name not in known:
            raise UserError(f"--variants: no {name} in the grid; known: {', '.join(known)}")
    return {name: known[name] for name in (names or grid)}


def load_variants(path: Path, overrides: Sequence[str], grid: Grid) -> dict[str, Config]:
    """The config of each name: the YAML's, with the overrides and then the name's own. Raises UserError."""
    load_config(path, overrides)  # a mistake there is no variant's
    configs = {}
    for name, words in grid.items():
        try:
            configs[name] = load_config(path, [*overrides, *words])
        except UserError as error:
            raise UserError(f"{name}: {str(error).removeprefix('on the command line: ')}") from None
    return configs
