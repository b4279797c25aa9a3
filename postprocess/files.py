"""What the four scripts share: their arguments, the walk over a file or a folder, and the closing line of totals."""

import argparse
import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dataset.blendshapes import ARKIT, GROUPS, canonical, read_csv, write_csv
from dataset.command import UserError, parser
from dataset.files import find, output_path

Change = Callable[[Path, tuple[str, ...], np.ndarray], np.ndarray]
"""(file, channels, curves (frames, channels)) → the curves to write in their place, same shape."""


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


def resolve_channels(words: Sequence[str] | None) -> tuple[str, ...]:
    """Channel names, in ARKIT order, for group names and blendshape names in any spelling; None means face.

    Raises UserError for a word that is neither.
    """
    wanted: set[str] = set()
    for word in words or ["face"]:
        name = canonical(word)
        wanted.update(GROUPS[word] if word in GROUPS else [name or _unknown(word)])
    return tuple(name for name in ARKIT if name in wanted)


def _unknown(word: str) -> str:
    spellings = {name.lower(): name for name in (*GROUPS, *ARKIT)}
    near = difflib.get_close_matches(word.lower(), spellings, n=1)
    hint = f"; did you mean {spellings[near[0]]}?" if near else f"; groups are {', '.join(GROUPS)}"
    raise UserError(f'--channels: "{word}" is no group and no ARKit blendshape{hint}')


def rewrite(done: str, source: Path, output: Path, wanted: tuple[str, ...], change: Change) -> None:
    """Change the wanted channels of a csv, or of every csv in a folder, and say what was done ("smoothed", …).

    Length, header, column order and every other column stay as they are. A file that has only some of the wanted
    channels has those changed; one that has none is refused.
    """
    from tqdm import tqdm

    files = find(source, (".csv",))
    if source.is_dir() and (output.is_file() or output.suffix == ".csv"):
        raise UserError(f"--output {output}: {source} is a folder, so this must be one too")
    frames = 0
    for file in tqdm(files, desc=done, unit="file", disable=None, leave=False):
        table = read_csv(file)
        channels = tuple(name for name in wanted if name in table.names)
        if not channels:
            raise UserError(f"{file}, line 1: none of the channels to change is here ({_shortened(wanted)})")
        changed = table.with_channels(channels, change(file, channels, table.select(channels)))
        write_csv(output_path(file, source, output), changed)
        frames += len(table.values)
    print(f"{done} {len(files)} file{'s' * (len(files) > 1)}, {frames:,} frames: {output}")


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
