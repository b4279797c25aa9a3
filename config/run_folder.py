"""A run's folder: the checkpoints that training leaves there, and whether a training may begin there."""

from pathlib import Path

from config.errors import UserError

SUFFIX = ".safetensors"  # of every checkpoint
BEST, LAST = f"best{SUFFIX}", f"last{SUFFIX}"


def check_run_folder(folder: Path, resume: bool, overwrite: bool) -> None:
    """Raises UserError where a file is in the folder's place, or the folder holds a run that is not to be touched.

    resume: go on from LAST, if the folder has checkpoints. overwrite: whatever is there may be replaced.
    """
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if not standing.is_dir():
        raise UserError(f"{standing}: a file where the run's folder would be; choose another run.dir or run.name")
    held = {path.name for path in folder.glob(f"*{SUFFIX}")}
    if held and not overwrite and not (resume and LAST in held):
        mend = f"it has no {LAST} to resume from; add" if resume else "add --resume or"
        raise UserError(f"{folder}: holds a run; {mend} --overwrite, or choose another run.name")
