"""What the scripts share: their arguments, the walk over a file or a folder, and the closing line of totals."""

import argparse
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field, ValidationError, validate_call

from config.command import UserError, parser
from config.files import find, output_path
from config.suggest import nearest
from dataset.blendshapes import ARKIT, GROUPS, CurveTable, canonical, read_csv, write_csv
from dataset.stats import load_stats

Change = Callable[[Path, tuple[str, ...], np.ndarray], np.ndarray]
"""(file, channels, curves (frames, channels)) → the curves to write in their place, same shape."""

InputPath = Annotated[Path, Field(strict=False)]
"""A path that may be told as text: what a YAML has."""


class Step(NamedTuple):
    """One change to curves, ready to run."""

    done: str  # "smoothed", …
    wanted: tuple[str, ...]  # the channels that it changes, where a file has them
    change: Change


def arguments(description: str | None, examples: str, several: bool = False) -> argparse.ArgumentParser:
    """A parser with --input (`several` makes it a list) and --output, each a csv or a folder of them."""
    options = parser(description, examples)
    count = "+" if several else None
    options.add_argument(
        "--input", type=Path, required=True, nargs=count, metavar="PATH", help="a csv or a folder of them"
    )
    options.add_argument("--output", type=Path, required=True, metavar="PATH", help="where the result goes, likewise")
    return options


def add_channels(options: argparse.ArgumentParser) -> None:
    """Add --channels; resolve_channels turns what it holds into names."""
    options.add_argument(
        "--channels",
        nargs="+",
        metavar="NAME",
        help=f"groups ({', '.join(GROUPS)}) or blendshapes to change, the others pass untouched (default: face)",
    )


def resolve_channels(words: Sequence[str] | None, option: str = "--channels") -> tuple[str, ...]:
    """Channel names, in ARKIT order, for group names and blendshape names in any spelling; None means face.

    Raises UserError, beginning with the option, for a word that is neither.
    """
    wanted: set[str] = set()
    for word in words or ["face"]:
        name = canonical(word)
        wanted.update(GROUPS[word] if word in GROUPS else [name or _unknown(word, option)])
    return tuple(name for name in ARKIT if name in wanted)


def _unknown(word: str, option: str) -> str:
    hint = nearest(word, [*GROUPS, *ARKIT]) or f"; groups are {', '.join(GROUPS)}"
    raise UserError(f'{option}: "{word}" is no group and no ARKit blendshape{hint}')


def rewrite(done: str, source: Path, output: Path, wanted: tuple[str, ...], change: Change) -> None:
    """Change the wanted channels of a csv, or of every csv in a folder, and say what was done ("smoothed", …).

    Length, header, column order and every other column stay as they are. A file that has only some of the wanted
    channels has those changed; one that has none is refused.
    """
    run_steps([Step(done, wanted, change)], source, output)


def run_steps(steps: Sequence[Step], source: Path, output: Path) -> None:
    """Run the steps one after the other on a csv, or on every csv in a folder; each file is written once.

    Otherwise as `rewrite`, which is this with one step.
    """
    from tqdm import tqdm

    files = find(source, (".csv",))
    if source.is_dir() and (output.is_file() or output.suffix == ".csv"):
        raise UserError(f"--output {output}: {source} is a folder, so this must be one too")
    done, frames = ", ".join(step.done for step in steps), 0
    for file in tqdm(files, desc=done, unit="file", disable=None, leave=False):
        table = read_csv(file)
        for step in steps:
            table = _changed(file, table, step)
        write_csv(output_path(file, source, output), table)
        frames += len(table.values)
    print(f"{done} {len(files)} file{'s' * (len(files) > 1)}, {frames:,} frames: {output}")


def _changed(file: Path, table: CurveTable, step: Step) -> CurveTable:
    channels = tuple(name for name in step.wanted if name in table.names)
    if not channels:
        raise UserError(f"{file}, line 1: none of the channels to change is here ({_shortened(step.wanted)})")
    return table.with_channels(channels, step.change(file, channels, table.select(channels)))


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def training_row(path: Path, row: Literal["mean", "max"], wanted: Sequence[str], mend: str) -> dict[str, float]:
    """Channel → its mean or maximum over the training clips, from a stats.json or a checkpoint.

    Raises UserError, with the mend, when the stats lack a wanted channel.
    """
    stats = load_stats(path)
    for name in wanted:
        if name not in stats.channels:
            raise UserError(f"{path}: no training {row}{'imum' * (row == 'max')} for {name}; {mend}")
    return dict(zip(stats.channels, getattr(stats, row).tolist(), strict=True))


def validated(place: str, prepare: Callable[..., Step], settings: dict[str, Any]) -> Step:
    """prepare(**settings), its signature being the schema: no unknown key, none missing, every type as it says.

    Raises UserError, beginning with `place` and the key, for settings that do not fit.
    """
    try:
        return validate_call(config=ConfigDict(strict=True, allow_inf_nan=False))(prepare)(**settings)
    except ValidationError as error:
        found = error.errors()[0]
        *parents, key = found["loc"]
        where = f"{place}: {'.'.join(map(str, found['loc']))}"
        if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            hint = nearest(str(key), list(inspect.signature(prepare).parameters)) if not parents else ""
            raise UserError(f"{where}: unknown key{hint}") from None
        if found["type"].startswith("missing"):
            raise UserError(f"{where}: missing") from None
        message = found["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}: {message[0].lower()}{message[1:]}, not {found['input']!r}") from None
