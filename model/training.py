"""The training loop: batch → model → losses → backward → clip → step → log."""

from contextlib import closing, nullcontext

from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from config.locks import alone
from config.schema import Config
from dataset.windows import Batch
from model.losses import TOTAL, compute_losses
from model.memory import keep_freed_memory
from model.run_state import RunState


def train(config: Config, resume: bool = False) -> None:
    """Train for config.train.epochs, or until train.patience_epochs is used up; the run is in config.run_dir.

    resume: go on from the run's last.safetensors, if it has one. Raises UserError for what cannot be trained on, and
    where another training is running in the same folder.
    """
    keep_freed_memory()
    accelerator = Accelerator(mixed_precision="no")  # losses sum over paths of hundreds of cells, in float32
    lock = alone(config.run_dir, "another training is running there; wait for it, or choose another run.name")
    with lock if accelerator.is_main_process else nullcontext(), closing(RunState(config, accelerator, resume)) as run:
        bar = tqdm(total=run.total_steps, initial=run.step, unit="step", disable=not accelerator.is_main_process)
        while run.epoch < config.train.epochs and not run.out_of_patience:
            bar.set_description(f"epoch {run.epoch + 1}/{config.train.epochs}")
            run.model.train()
            for batch in run.batches():
                step(run, batch)
                bar.update()
            bar.set_postfix(run.finish_epoch())
        bar.close()
    if run.log:
        run.log.draw(config, run.best_epoch)
    accelerator.print(run.summary())


def step(run: RunState, batch: Batch[Tensor]) -> None:
    """One batch: model → losses → backward → clip → step → log."""
    prediction = run.model(batch.features, batch.domain, batch.unit, batch.position)
    losses = compute_losses(prediction, batch, run.config.loss, run.lips)
    run.accelerator.backward(losses[TOTAL])
    if run.config.train.clip_norm:
        run.accelerator.clip_grad_norm_(run.model.parameters(), run.config.train.clip_norm)
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.finish_step(losses)
