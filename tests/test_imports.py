"""The house's rules: who may import whom, that no command loads what --help does not need, that files are whole."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers import ROOT

MAY_IMPORT = {
    "config": set(),
    "dataset": {"config"},
    "model": {"config", "dataset"},
    "data_process": {"config", "dataset"},
    "postprocess": {"config", "dataset"},
    "scripts": {"config", "dataset", "model", "data_process", "postprocess"},
}
HEAVY = {"torch", "numba", "transformers", "librosa", "pyarrow", "scipy", "matplotlib", "soundfile", "accelerate", "av",
         "onnx", "onnxruntime", "misaki", "mediapipe"}  # fmt: skip
MODULES = sorted(path.relative_to(ROOT) for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imports(node: ast.AST) -> set[str]:
    """Modules that are imported anywhere below the node, a name of a package's included: `from model import run`."""
    taken: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            taken |= {alias.name for alias in inner.names}
        elif isinstance(inner, ast.ImportFrom):
            assert not inner.level and inner.module, "imports name the room"
            taken |= {inner.module, *(f"{inner.module}.{alias.name}" for alias in inner.names)}
    return taken


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports."""
    return {name_of(path): imports(ast.parse((ROOT / path).read_text(encoding="utf-8"))) for path in MODULES}


def name_of(path: Path) -> str:
    """The module's name: scripts.train of scripts/train.py."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def is_command(path: Path) -> bool:
    return re.search(r"^def main\(", (ROOT / path).read_text(encoding="utf-8"), re.M) is not None


COMMANDS = [path for path in MODULES if is_command(path)]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    forbidden = {*MAY_IMPORT, "tests"} - {room} - MAY_IMPORT[room]
    modules = {name: taken for name, taken in graph().items() if name.split(".")[0] == room}
    assert modules
    wrong = {name: {one for one in taken if one.split(".")[0] in forbidden} for name, taken in modules.items()}
    assert {name: sorted(taken) for name, taken in wrong.items() if taken} == {}


def test_the_commands_are_found() -> None:
    names = {str(path) for path in COMMANDS}
    assert {"data_process/pack.py", "scripts/train.py", "scripts/synthesize.py", "postprocess/smooth.py"} <= names


PROBE = """
import importlib, sys
heavy = {heavy!r}
for module in {modules!r}:
    importlib.import_module(module)
    loaded = sorted(heavy & set(sys.modules))
    if loaded:
        sys.exit(f"importing {{module}} loads {{', '.join(loaded)}}")
    sys.argv = [module, "--help"]
    try:
        sys.modules[module].main()
    except SystemExit as end:
        assert not end.code, module
    loaded = sorted(heavy & set(sys.modules))
    if loaded:
        sys.exit(f"{{module}} --help loads {{', '.join(loaded)}}")
"""


def test_no_command_loads_anything_heavy_for_its_help() -> None:
    modules = [".".join(path.with_suffix("").parts) for path in COMMANDS]
    probe = PROBE.format(heavy=HEAVY, modules=modules)
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage:") == done.stdout.count("\nexamples:") == len(modules)


@pytest.mark.parametrize("path", COMMANDS, ids=str)
def test_a_command_runs_as_a_file_and_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert (ast.get_docstring(tree) or "").strip()
    guards = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.dump(node.test)]
    assert len(guards) == 1
    paths = [node.lineno for node in tree.body if "sys.path.insert" in ast.unparse(node)]
    ours = [node.lineno for node in tree.body if set(MAY_IMPORT) & {name.split(".")[0] for name in imports(node)}]
    assert len(paths) == 1
    assert paths[0] < min(ours)


def test_no_command_is_imported() -> None:
    commands = {name_of(path) for path in COMMANDS if path.parts[0] == "scripts"}
    assert {name: sorted(taken & commands) for name, taken in graph().items() if taken & commands} == {}


def test_scripts_holds_commands_only() -> None:
    assert [str(path) for path in MODULES if path.parts[0] == "scripts" and path not in COMMANDS] == [
        "scripts/__init__.py"
    ]


def test_no_imports_go_in_a_circle() -> None:
    ours = {name: {module for module in taken if module in graph()} for name, taken in graph().items()}
    tuple(TopologicalSorter(ours).static_order())  # raises CycleError, naming the circle


AT_ITS_OWN_NAME = {  # what is written so, and why that is right
    "config/command.py: Path(os.devnull)": "nothing",
    "data_process/align.py: log": "what mfa says while it runs",
    "model/bench/workloads.py: folder / 'preprocessor_config.json'": "a benchmark's temporary folder",
    "model/run_log.py: self.path": "a log that grows by whole lines, of which one that a kill cut short is dropped",
    "postprocess/send/json_frames.py: self._path": "the lines of a live stream, each there at once",
}


def written(path: Path) -> Iterator[str]:
    """What a file of ours opens to write or append, or writes a text or bytes to: the code that says the path."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            modes = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            opens = node.func.attr == "open" and str(modes[:1])[2:3] in ("w", "a", "x")
            if opens or node.func.attr in ("write_text", "write_bytes"):
                yield ast.unparse(node.func.value)


def test_what_is_written_has_its_name_when_it_is_whole() -> None:
    found = {f"{path.as_posix()}: {place}" for path in MODULES for place in written(path) if "partial" not in place}
    assert found == set(AT_ITS_OWN_NAME)
