"""Train a decoder on a packed corpus: features are cached once, the best and the last checkpoint kept in the run."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import UserError, config_arguments, run
from config.load import load_config
from config.schema import Config

if TYPE_CHECKING:
    from model.training import Batch, Training

EXAMPLES = """
    python scripts/train.py --config config/facegood.yml
    python scripts/train.py --config config/facegood.yml run.name=wide model.width=256 train.epochs=30
    python scripts/train.py --config config/facegood.yml --resume
    accelerate launch scripts/train.py --config config/aiwin.yml
"""


def main() -> None:
    commands = config_arguments(__doc__, EXAMPLES)
    either = commands.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="go on from the run's last.safetensors, if it has one")
    either.add_argument("--overwrite", action="store_true", help="start afresh where the run's folder holds a run")
    arguments = commands.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    standing = next(path for path in (config.run_dir, *config.run_dir.parents) if path.exists())
    if not standing.is_dir():
        raise UserError(f"{standing}: a file where the run's folder would be; choose another run.dir or run.name")
    held = {path.name for path in config.run_dir.glob("*.safetensors")}
    if held and not arguments.overwrite and not (arguments.resume and "last.safetensors" in held):
        mend = "it has no last.safetensors to resume from; add" if arguments.resume else "add --resume or"
        raise UserError(f"{config.run_dir}: holds a run; {mend} --overwrite, or choose another run.name")
    train(config, resume=arguments.resume)


def train(config: Config, resume: bool = False) -> None:
    """Train for config.train.epochs, or until train.patience_epochs is used up; the run is in config.run_dir."""
    from accelerate import Accelerator
    from tqdm import tqdm

    from model.memory import keep_freed_memory
    from model.training import Training

    keep_freed_memory()
    accelerator = Accelerator(mixed_precision="no")  # losses sum over paths of hundreds of cells, in float32
    with closing(Training(config, accelerator, resume)) as run:
        bar = tqdm(total=run.total_steps, initial=run.step, unit="step", disable=not accelerator.is_main_process)
        while run.epoch < config.train.epochs and not run.out_of_patience:
            bar.set_description(f"epoch {run.epoch + 1}/{config.train.epochs}")
            run.model.train()
            for batch in run.batches():
                step(run, batch)
                bar.update()
            bar.set_postfix(run.finish_epoch())
        bar.close()
    run.draw_losses()
    accelerator.print(run.summary())


def step(run: "Training", batch: "Batch") -> None:
    """One batch: model → losses → backward → clip → step → log."""
    from model.losses import compute_losses

    prediction = run.model(batch.features, batch.domain, batch.unit, batch.position)
    losses = compute_losses(prediction, batch.target, run.config.loss)
    run.accelerator.backward(losses["total"])
    if run.config.train.clip_norm:
        run.accelerator.clip_grad_norm_(run.model.parameters(), run.config.train.clip_norm)
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.finish_step(losses)


if __name__ == "__main__":
    run(main)
