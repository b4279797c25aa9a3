"""What a person may name a model by: a file, a folder, or its id on the Hugging Face hub."""

from collections.abc import Callable, Sequence
from pathlib import Path

from config.errors import UserError
from config.places import is_hub_id
from config.run_folder import BEST, SUFFIX
from model.ensembles import WEIGHTS


def find_checkpoint(source: str | Path) -> Path:
    """The checkpoint, or the ensemble's folder, that a file, a folder or a hub id stands for.

    Of a folder, and of what the hub holds, it is best.safetensors or else the only checkpoint, unless there is an
    ensemble.json; a folder of several stands for itself. So does a path where nothing is: its reader says so.
    Raises UserError for a hub id that is neither in the local cache nor given by the hub.
    """
    path = Path(source)
    if path.is_dir():
        return _checkpoint_in(path)
    name = path.as_posix()
    if path.exists() or not is_hub_id(name):
        return path
    found = find_snapshot(name, [[f"*{SUFFIX}", WEIGHTS]], lambda folder: any(folder.glob(f"*{SUFFIX}")))
    if found is None:
        raise UserError(
            f"{name}: no such file or folder, and the hub gives no checkpoint by that name;"
            f" see that `hf download {name}` does"
        )
    return _checkpoint_in(found)


def find_snapshot(hub_id: str, choices: Sequence[Sequence[str]], holds: Callable[[Path], bool]) -> Path | None:
    """The folder of a hub id's files: from the local cache without asking the network, else downloaded.

    choices: patterns of files, of which the first is taken whose folder holds what is needed; None where none does.
    """
    from huggingface_hub import snapshot_download  # which a file on the disk need not wait for

    for offline in (True, False):
        for patterns in choices:
            try:
                folder = Path(snapshot_download(hub_id, allow_patterns=list(patterns), local_files_only=offline))
            except (OSError, ValueError):  # no such model, no network, or no hub id at all
                continue
            if holds(folder):
                return folder
    return None


def _checkpoint_in(folder: Path) -> Path:
    if (folder / WEIGHTS).is_file():
        return folder
    if (folder / BEST).is_file():
        return folder / BEST
    found = list(folder.glob(f"*{SUFFIX}"))
    return found[0] if len(found) == 1 else folder
