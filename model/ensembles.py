"""Ensemble checkpoints: a folder of checkpoints and, in ensemble.json, the weights by which their curves are mixed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.errors import UserError
from config.files import regular, written_whole
from config.mixing import check_weight, sum_to_one
from config.run_folder import BEST, LAST, SUFFIX
from config.yaml_files import shown
from dataset.stats import STATS, merged_stats, save_stats

WEIGHTS = "ensemble.json"


def write_ensemble(folder: Path, checkpoints: Mapping[str, Path], weights: Mapping[str, float] | None = None) -> None:
    """Copy checkpoints' weights into a folder, by the names they get there, and note their shares, equal by default.

    The folder's stats.json is over all that one of them was trained on.
    """
    from model.checkpoint import copy_weights

    weights = weights or dict.fromkeys(checkpoints, 1 / len(checkpoints))
    stats = []
    for name, checkpoint in checkpoints.items():
        with written_whole(folder / f"{name}{SUFFIX}") as partial:
            stats.append(copy_weights(checkpoint, partial).stats)
    save_stats(folder / STATS, merged_stats(stats))
    content = {"weights": {f"{name}{SUFFIX}": weights[name] for name in checkpoints}}
    with written_whole(folder / WEIGHTS) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_ensemble(folder: Path) -> dict[Path, float]:
    """The checkpoints of a folder and their weights, which sum to 1; without an ensemble.json, equal ones.

    Raises UserError for a folder without checkpoints, a training run's own, and an ensemble.json that makes no sense.
    """
    if (folder / WEIGHTS).is_file():
        return _read_weights(folder / WEIGHTS)
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    if not found or {BEST, LAST} & {path.name for path in found}:
        raise UserError(f"{folder}: a folder; name the checkpoint in it, such as best.safetensors")
    return dict.fromkeys(found, 1 / len(found))


def _read_weights(path: Path) -> dict[Path, float]:
    try:
        said = json.loads(regular(path).read_text(encoding="utf-8"))["weights"]
        weights = {path.parent / _member(path, name): _weight(weight) for name, weight in said.items()}
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        example = '{"weights": {"fold_0.safetensors": 0.5, …}}'
        raise UserError(f"{path}: not the weights of checkpoints in this folder; expected {example}") from None
    for checkpoint, weight in weights.items():
        check_weight(f"{path}: {checkpoint.name}", weight)
    if not sum_to_one(weights.values()):
        raise UserError(f"{path}: the weights sum to {sum(weights.values()):g}, not 1")
    return weights


def _member(path: Path, name: str) -> str:
    """The name, of a file in the ensemble's own folder. Raises UserError for one that leads elsewhere."""
    if Path(name).name != name or name == ".." or "\\" in name or not name.isprintable():
        raise UserError(f"{path}: {shown(name)}: no checkpoint in this folder; copy it there and name it alone")
    return name


def _weight(weight: Any) -> float:
    """Raises TypeError for what only Python takes for a number, such as true and "0_5"."""
    if type(weight) not in (int, float):
        raise TypeError
    return float(weight)
