"""What is said about the code: the front page is short, and functions on arrays state their shapes."""

import ast
import re
from collections.abc import Iterator

from tests.test_imports import MODULES, ROOT

LONGEST_README = 130  # lines
LEAST_STATED = 0.9  # of the public functions on arrays
# An array's axes in brackets: (frames, 52), (samples,), (B, T, len(names)), (windows + 1, 37).
_AXIS = r"[\w.…'*]+(?:\([^()]*\))?(?: ?(?://|[-+*/·×]) ?[\w.]+)*"
SHAPE = re.compile(rf"\({_AXIS}(?:,|(?:, {_AXIS})+)\)|\b(?:(?:any|same) shape|scalars?)\b")
ARRAY = re.compile(r"\b(?<!Batch\[)(?:ndarray|Tensor)\b")  # a batch says the shapes of its parts itself

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(tree: ast.Module) -> Iterator[tuple[str, Function, str]]:
    """(name, function, what its docstring says) of a module's public functions and those of its public classes.

    What a class says of its axes counts for its forward, which torch's users read there.
    """
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    said = (ast.get_docstring(inner) or "") + (
                        (ast.get_docstring(node) or "") if inner.name == "forward" else ""
                    )
                    yield f"{node.name}.{inner.name}", inner, said


def handles_arrays(function: Function) -> bool:
    """Whether an argument or the result is annotated as an array or a tensor, or as something of them."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg]
    annotations = [argument.annotation for argument in every if argument] + [function.returns]
    return any(ARRAY.search(ast.unparse(annotation)) for annotation in annotations if annotation)


def test_functions_on_arrays_state_shapes() -> None:
    functions, silent = 0, []
    for path in MODULES:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for name, function, said in public_functions(tree):
            if handles_arrays(function):
                functions += 1
                if not SHAPE.search(said):
                    silent.append(f"{path.as_posix()}:{function.lineno} {name}")
    share = 1 - len(silent) / functions
    assert share >= LEAST_STATED, f"{share:.0%} of {functions} state a shape such as (frames, 52); not:\n" + "\n".join(
        silent
    )


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README
