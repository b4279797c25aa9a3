"""The options of commands that train and score several times: how a trial is scored, and whether it starts afresh."""

import argparse
from typing import Literal, get_args

from config.errors import UserError

Epoch = Literal["last", "best"]
"""Which of a training's checkpoints is scored: the last epoch's, or that of the least validation loss."""


def add_trial_options(commands: argparse.ArgumentParser) -> None:
    """Add --pieces, --epoch and --overwrite."""
    add_pieces(commands)
    commands.add_argument(
        "--epoch",
        choices=get_args(Epoch),
        default="last",
        help="which of a training is scored: the last, or the one that the held-out clips' loss liked best (flatters)",
    )
    commands.add_argument("--overwrite", action="store_true", help="start every trial afresh, also those that are done")


def add_pieces(commands: argparse.ArgumentParser) -> None:
    """Add --pieces, in seconds; check_pieces says whether it can be."""
    commands.add_argument("--pieces", type=float, metavar="SECONDS", help="score DTW over pieces of this length")


def check_pieces(pieces_s: float | None, fps: float) -> None:
    """Raises UserError for pieces shorter than a frame."""
    if pieces_s is not None and not 1 <= pieces_s * fps < float("inf"):
        raise UserError(f"--pieces {pieces_s:g}: must be at least one frame long")
