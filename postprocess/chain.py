"""Run a chain of post-processing steps that a YAML file lists, each csv read once and written once."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import run
from config.errors import UserError
from config.places import ROOT
from config.suggest import nearest
from config.yaml_files import read_yaml
from postprocess import add_eye, close_lips, deflate, enliven, gain, gate, one_euro, smooth, symmetrise
from postprocess.flow import Live
from postprocess.step_command import command_arguments, settings_of
from postprocess.steps import Step, run_steps, validated

EXAMPLES = """
python -m postprocess.chain --config config/post.yml --input csvs/ --output out/
"""
STEPS: dict[str, Callable[..., Step]] = {
    "smooth": smooth.prepare,
    "one_euro": one_euro.prepare,
    "deflate": deflate.prepare,
    "gain": gain.prepare,
    "symmetrise": symmetrise.prepare,
    "gate": gate.prepare,
    "close_lips": close_lips.prepare,
    "add_eye": add_eye.prepare,
    "enliven": enliven.prepare,
}


def read_chain(path: Path, told: Mapping[str, Any] = MappingProxyType({})) -> list[Step]:
    """The steps of a YAML file: `steps:` with a list of names, or of `name: {setting: value, …}`; see config/post.yml.

    told: settings that win over the file's, in each step that has them.
    Raises UserError, in one line with the file, the step and the key, for what does not fit.
    """
    tree, _ = read_yaml(path)
    if not isinstance(tree, dict) or not isinstance(tree.get("steps"), list) or not tree["steps"]:
        raise UserError(f"{path}: expected `steps:` with a list such as `- smooth: {{window: 9}}`")
    for key in tree:
        if key != "steps":
            raise UserError(f"{path}: {key}: unknown key{nearest(str(key), ['steps'])}")
    return [_step(path, number, entry, told) for number, entry in enumerate(tree["steps"], 1)]


def _step(path: Path, number: int, entry: Any, told: Mapping[str, Any]) -> Step:
    entry = {entry: None} if isinstance(entry, str) else entry
    if not isinstance(entry, dict) or len(entry) != 1:
        raise UserError(f"{path}, step {number}: expected one name, with its settings below it, found {entry!r}")
    ((name, settings),) = entry.items()
    if name not in STEPS:
        raise UserError(f"{path}, step {number}: {name}: unknown step{nearest(str(name), list(STEPS))}")
    place = f"{path}, step {number} ({name})"
    if not isinstance(settings, dict | None):
        raise UserError(f"{place}: expected settings such as `key: value`, found {settings!r}")
    prepare = STEPS[name]
    known = {setting.name: setting for setting in settings_of(prepare)}
    paths = {name for name, setting in known.items() if setting.is_path}
    found = {str(key): _from_root(value) if key in paths else value for key, value in (settings or {}).items()}
    found |= {key: value for key, value in told.items() if key in known}
    try:
        return validated(place, prepare, found)
    except UserError as error:
        message = str(error).removeprefix("--")
        raise UserError(message if message.startswith(place) else f"{place}: {message}") from None


def live_steps(path: Path, told: Mapping[str, Any] = MappingProxyType({})) -> list[Step]:
    """Those steps of a YAML file that run on frames as they come; of the others it is said on stderr why they do not.

    Raises UserError as read_chain does, and where none is left.
    """
    steps = read_chain(path, told)
    for number, step in enumerate(steps, 1):
        if isinstance(step.live, str):
            print(f"{path}, step {number}: is left out of a live face: {step.live}", file=sys.stderr)
    kept = [step for step in steps if isinstance(step.live, Live)]
    if not kept:
        raise UserError(f"{path}: none of its steps runs on a live face; config/post.yml names those that do")
    return kept


def _from_root(value: Any) -> Any:
    """A path as every config means it: a relative one from the repository's root."""
    return str(ROOT / Path(value).expanduser()) if isinstance(value, str) else value


def main() -> None:
    options = command_arguments(__doc__, EXAMPLES)
    options.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="YAML with the steps; config/post.yml explains each"
    )
    given = options.parse_args()
    run_steps(read_chain(given.config), given.input, given.output, [given.config])


if __name__ == "__main__":
    run(main)
