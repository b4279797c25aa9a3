"""What a run leaves to look at: metrics.jsonl, TensorBoard, and a picture of its losses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from config.files import written_whole
from config.schema import Config
from model import loss_picture

METRICS, TENSORBOARD, PICTURE = "metrics.jsonl", "tensorboard", "loss.png"


class RunLog:
    """metrics.jsonl, a row a step and an epoch, and TensorBoard.

    Rows are written at the end of an epoch; a run that goes on in `epoch`, which began after `step` steps, drops those
    of an epoch that was logged and then lost.
    """

    def __init__(self, folder: Path, epoch: int, step: int) -> None:
        self.folder, self.path = folder, folder / METRICS
        if self.path.exists():
            rows = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            with written_whole(self.path) as partial:
                partial.write_text("".join(_rows_before(rows, epoch)), encoding="utf-8")
        self.board = SummaryWriter(str(folder / TENSORBOARD), purge_step=step + 1)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """rows: "epoch", "step" and "split" (step, train or val), and the losses by name."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        for row in rows:
            for name, value in row.items():
                if name not in ("epoch", "step", "split"):
                    self.board.add_scalar(f"{name}/{row['split']}", value, row["step"])
        self.board.flush()

    def draw(self, config: Config, best_epoch: int) -> None:
        """Write loss.png, a picture of every epoch so far; where that cannot be, say so."""
        picture = self.folder / PICTURE
        try:
            loss_picture.write_loss_picture(picture, self.path, config, best_epoch)
        except Exception as error:  # whatever it is: the weights are there, and a picture must not fail the run
            print(f"{picture}: not drawn: {error}")

    def close(self) -> None:
        """End the log: what TensorBoard has still to write is written, and its thread ends."""
        self.board.close()


def _rows_before(rows: list[str], epoch: int) -> Iterator[str]:
    """The log's lines up to an epoch, or to one that a kill has cut short."""
    for row in rows:
        if not row.endswith("\n") or json.loads(row)["epoch"] >= epoch:
            return
        yield row
