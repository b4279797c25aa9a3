"""The house's rules on who may import whom, and that no command loads what --help does not need."""

import ast
import subprocess
import sys
from collections.abc import Iterator
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


def imports(node: ast.AST) -> Iterator[str]:
    """Modules that are imported anywhere below the node."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            assert not inner.level, "imports name the room"
            yield inner.module or ""


def name_of(path: Path) -> str:
    """The module's name: scripts.train of scripts/train.py."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def is_command(path: Path) -> bool:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


COMMANDS = [path for path in MODULES if is_command(path)]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = path.parts[0]
    rooms = {name.split(".")[0] for name in imports(ast.parse((ROOT / path).read_text(encoding="utf-8")))}
    assert rooms & ({*MAY_IMPORT, "tests"} - {room}) <= MAY_IMPORT[room]


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


def names_taken(path: Path) -> set[str]:
    """Modules of ours that a file imports, a name of a package's module included: `from model import run`."""
    taken = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            taken |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            taken |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return taken


GRAPH = {name_of(path): names_taken(path) for path in MODULES}


def test_no_command_is_imported() -> None:
    commands = {name_of(path) for path in COMMANDS if path.parts[0] == "scripts"}
    assert {name: sorted(taken & commands) for name, taken in GRAPH.items() if taken & commands} == {}


def test_scripts_holds_commands_only() -> None:
    assert [str(path) for path in MODULES if path.parts[0] == "scripts" and path not in COMMANDS] == [
        "scripts/__init__.py"
    ]


def test_no_imports_go_in_a_circle() -> None:
    ours = {name: {module for module in taken if module in GRAPH} for name, taken in GRAPH.items()}
    tuple(TopologicalSorter(ours).static_order())  # raises CycleError, naming the circle
