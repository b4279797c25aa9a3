"""A step's command: its options are the typed and described arguments of the function that prepares it."""

import argparse
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from config.command import parser, renamed
from config.yaml_files import read_yaml
from postprocess.steps import RENAMED, Step, run_steps, validated


class Setting(NamedTuple):
    """An argument of a `prepare`."""

    name: str
    kind: Any  # its type, without None and without what is annotated
    described: str
    default: Any  # inspect.Parameter.empty where it has none

    @property
    def is_path(self) -> bool:
        return self.kind is Path

    @property
    def is_mapping(self) -> bool:
        return get_origin(self.kind) is dict


def settings_of(prepare: Callable[..., Step]) -> list[Setting]:
    """The arguments of a `prepare`, in their order."""
    return [
        Setting(name, *_unwrapped(parameter.annotation), parameter.default)
        for name, parameter in inspect.signature(prepare).parameters.items()
    ]


def _unwrapped(annotation: Any) -> tuple[Any, str]:
    """The type, and how it is described."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        kind, described = _unwrapped(inner)
        told = [note.description for note in notes if isinstance(note, FieldInfo) and note.description]
        return kind, told[0] if told else described
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1:
            return _unwrapped(kinds[0])
    return annotation, ""


def command_arguments(description: str | None, examples: str, several: bool = False) -> argparse.ArgumentParser:
    """A parser with --input (`several` makes it a list) and --output, each a file of curves or a folder of them."""
    options = parser(description, examples)
    count, curves = "+" if several else None, "curves (csv, json, npy), or a folder of them"
    options.add_argument("--input", type=Path, required=True, nargs=count, metavar="PATH", help=curves)
    options.add_argument("--output", type=Path, required=True, metavar="PATH", help="where the csvs go, likewise")
    return options


def step_command(description: str | None, examples: str, prepare: Callable[..., Step]) -> None:
    """Parse the command line of a step, and run it. Where `prepare` has an argument `inputs`, --input takes several,
    which it gets, and the first one is changed."""
    settings = [setting for setting in settings_of(prepare) if setting.name != "inputs"]
    several = "inputs" in inspect.signature(prepare).parameters
    options = command_arguments(description, examples, several)
    for setting in settings:
        _add(options, setting)
    for old, new in RENAMED.items():
        if new in (setting.name for setting in settings):
            renamed(options, f"--{old}", f"--{new}")
    given = vars(options.parse_args())
    source = given["input"][0] if several else given["input"]
    values = {"inputs": given["input"]} if several else {}
    tables = [setting.name for setting in settings if setting.is_mapping]
    values |= {setting.name: given[setting.name] for setting in settings}
    values |= {name: read_yaml(given[name])[0] for name in tables}
    step = validated(str(given[tables[0]]), prepare, values) if tables else prepare(**values)
    run_steps([step], source, given["output"], [given[name] for name in tables])


def _add(options: argparse.ArgumentParser, setting: Setting) -> None:
    """Add the option of a setting; a mapping's is a YAML file that holds it."""
    required = setting.default is inspect.Parameter.empty
    told: dict[str, Any] = {"required": required, "help": setting.described.replace("%", "%%")}
    if not required:
        told["default"] = setting.default
    kind, one = setting.kind, setting.name.removesuffix("s")
    if kind is bool:
        told = {"action": "store_true", "help": told["help"]}
    elif get_origin(kind) is Literal:
        told["choices"] = get_args(kind)
    elif get_origin(kind) is list:
        told |= {"nargs": "+", "type": _reader(get_args(kind)[0], one), "metavar": one.upper()}
    elif setting.is_path or setting.is_mapping:
        told |= {"type": Path, "metavar": "PATH" if setting.is_path else "FILE"}
    else:
        told["type"] = kind
    options.add_argument(f"--{setting.name}", **told)


def _reader(kind: Any, name: str) -> Callable[[str], Any]:
    """What reads a word of the command line as a value of the type; argparse says the name where it cannot."""
    adapter: TypeAdapter = TypeAdapter(kind)

    def read(word: str) -> Any:
        return adapter.validate_python(word)

    read.__name__ = name
    return read
