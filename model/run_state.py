"""The state of a run: its weights, optimiser and place, how they are saved, and how a run goes on from them."""

import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from config.errors import UserError
from config.files import written_whole
from config.load import difference, save_config
from config.run_folder import BEST, LAST
from config.schema import Config, Train
from dataset.augment import copies_name
from dataset.blendshapes import GROUPS
from dataset.stats import STATS, save_stats
from dataset.windows import Batch
from model import checkpoint
from model.checkpoint import Header, prefixed, unprefixed, with_domains
from model.decoder import FeatureNorm, build_decoder
from model.hub import find_checkpoint
from model.learner import Learner
from model.losses import TOTAL, compute_losses, lip_gap
from model.run_data import RunData
from model.run_log import METRICS, PICTURE, TENSORBOARD, RunLog
from model.transfer import freeze, start_from, with_domain_size

OPTIMIZER, RNG, PROGRESS = "optimizer.", "rng.", "progress"
HEADS, AVERAGED_HEADS, HEADS_OPTIMIZER = "heads.", "averaged_heads.", "heads_optimizer."  # of the losses alone
# What a resumed run may change without becoming another run.
FREE_TO_CHANGE = {
    "run.dir", "data.corpus", "data.lmdb", "features.cache", "features.model",
    "train.init", "train.epochs", "train.patience_epochs", "train.checkpoint_steps", "train.workers",
}  # fmt: skip


class RunState:
    """The state of a run. Everything that the next step depends on is in last.safetensors, bit for bit.

    resume: go on from the folder's last.safetensors; without one, and by default, the run begins, from train.init where
    it names weights, and clears the folder.
    Raises UserError for clips or an encoder that cannot be had, and for a checkpoint of another run or one that cannot
    be started from.
    """

    def __init__(self, config: Config, accelerator: Accelerator, resume: bool) -> None:
        folder, asked = config.run_dir, config
        last = folder / LAST if resume and (folder / LAST).exists() else None
        base = last or (config.train.init and find_checkpoint(config.train.init))
        self.config = config = with_domain_size(config, base, resumed=last is not None)
        self.accelerator = accelerator
        self.data = RunData(config, accelerator, base)
        stats = self.data.stats.select(GROUPS[config.model.channels])
        self.lips = lip_gap(stats, config.model.curve_scale, accelerator.device)
        # Of all epochs; domain weights with fractions may make an epoch a batch longer or shorter.
        self.total_steps = config.train.epochs * len(self.data.epoch_examples(0))
        torch.manual_seed(config.run.seed)
        self.decoder = build_decoder(config, self.data.feature_size, len(GROUPS[config.model.channels]))
        if isinstance(self.decoder.normalise, FeatureNorm):
            self.data.fit(self.decoder.normalise)
        self.step = self.epoch = self.batch = self.stale_epochs = self.best_epoch = 0
        if base and not last:
            accelerator.print(start_from(base, self.decoder, self._header()))
        freeze(self.decoder, config.train.freeze)
        self.learner = Learner(self.decoder, config.loss)
        self.model = accelerator.prepare(self.learner)
        self.averaged = deepcopy(self.learner).eval() if config.train.ema else self.learner
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), betas=config.train.betas, weight_decay=config.train.weight_decay, fused=True
        )
        torch.manual_seed(config.run.seed + 1 + accelerator.process_index)  # dropout differs between processes

        self.best = math.inf
        self.losses: list[dict[str, Tensor]] = []  # of the epoch's steps so far
        if last:
            self._restore(last)
        elif accelerator.is_main_process:
            _clear(folder, self.data.store.files)
            save_config(asked, folder / "config.yml")
            save_stats(folder / STATS, self.data.stats)
        self.log = RunLog(folder, self.epoch, self.step - self.batch) if accelerator.is_main_process else None
        self._set_learning_rate()

    @property
    def out_of_patience(self) -> bool:
        """Whether train.patience_epochs have passed without a better validation loss."""
        return 0 < self.config.train.patience_epochs <= self.stale_epochs

    def batches(self) -> Iterator[Batch[Tensor]]:
        """What is left of the epoch."""
        return self.data.batches(self.epoch, self.batch)

    def finish_step(self, losses: Mapping[str, Tensor]) -> None:
        """Average the weights, note the losses and move on. losses: each a scalar, as compute_losses gives them."""
        self.losses.append({name: loss.detach() for name, loss in losses.items()})
        self.step, self.batch = self.step + 1, self.batch + 1
        if self.config.train.ema:
            self._average()
        self._set_learning_rate()
        if self.config.train.checkpoint_steps and self.step % self.config.train.checkpoint_steps == 0:
            self._save(LAST)

    def finish_epoch(self) -> dict[str, str]:
        """Validate, log and save; the losses to show. Raises UserError when the loss is not finite."""
        steps = _to_floats(self.losses)
        rows = [
            {"epoch": self.epoch, "step": self.step - len(steps) + n + 1, "split": "step", **losses}
            for n, losses in enumerate(steps)
        ]
        shown = {"train": {name: float(np.mean([row[name] for row in steps])) for name in steps[0]}}
        if self.data.val is not None:
            shown["val"] = self.validate()
        if not all(math.isfinite(row[TOTAL]) for row in shown.values()):
            raise UserError(f"epoch {self.epoch + 1}: the loss is not finite; lower train.learning_rate or clip_norm")
        rows += [{"epoch": self.epoch, "step": self.step, "split": split, **row} for split, row in shown.items()]
        self.epoch, self.batch, self.losses = self.epoch + 1, 0, []
        loss = shown.get("val", shown["train"])[TOTAL]
        better = loss < self.best or self.data.val is None
        self.best, self.best_epoch = (loss, self.epoch) if better else (self.best, self.best_epoch)
        self.stale_epochs = 0 if better else self.stale_epochs + 1
        if self.log:
            self.log.write(rows)
        if better:
            self._save(BEST)
        self._save(LAST)
        return {split: f"{row[TOTAL]:.4f}" for split, row in shown.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Each loss over the validation clips' windows, by the averaged weights where there are any."""
        assert self.data.val is not None
        self.averaged.eval()
        names = [*self.config.loss.weights, TOTAL]
        sums = torch.zeros(len(names), device=self.accelerator.device)
        for batch in self.data.validation_batches():
            prediction = self.averaged(batch.features, batch.domain, batch.unit, batch.position)
            losses = compute_losses(prediction, batch, self.config.loss, self.lips)
            sums += torch.stack([losses[name] for name in names]) * len(batch.domain)
        return dict(zip(names, (self.accelerator.reduce(sums) / len(self.data.val)).tolist(), strict=True))

    def close(self) -> None:
        """End the log."""
        if self.log:
            self.log.close()

    def summary(self) -> str:
        """What was trained, which epoch is kept as the best, and where."""
        kept = (
            "the last epoch" if self.data.val is None else f"epoch {self.best_epoch}, validation loss {self.best:.4f}"
        )
        return f"trained {self.epoch} epochs, {self.step:,} steps; best: {kept}\n{self.config.run_dir / BEST}"

    @torch.no_grad()
    def _average(self) -> None:
        # Early on a short memory, so that the random start is forgotten.
        decay = min(self.config.train.ema, (1 + self.step) / (10 + self.step))
        for ours, theirs in zip(self.averaged.parameters(), self.learner.parameters(), strict=True):
            ours.lerp_(theirs, 1 - decay)

    def _set_learning_rate(self) -> None:
        rate = learning_rate(self.step, self.total_steps, self.config.train)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _header(self) -> Header:
        return Header(
            config=self.config,
            stats=self.data.stats,
            channels=GROUPS[self.config.model.channels],
            fps=self.data.store.fps,
            encoder=self.data.encoder_identity,
            feature_size=self.data.feature_size,
            step=self.step,
        )

    def _save(self, name: str) -> None:
        """best: the weights to use. last: all that the next step depends on."""
        tensors = prefixed(self.averaged.decoder.state_dict(), checkpoint.WEIGHTS)
        more: dict[str, str] = {}
        if name == LAST:
            tensors = self._tensors() | prefixed(self._random_states(), RNG)
            more = {PROGRESS: json.dumps(self._progress())}
        if self.accelerator.is_main_process:
            path = self.config.run_dir / name
            checkpoint.check_finite(path, tensors, "it is not written; lower train.learning_rate or clip_norm")
            with written_whole(path) as partial:
                checkpoint.save_checkpoint(partial, self._header(), tensors, **more)

    def _tensors(self) -> dict[str, Tensor]:
        """All weights, and the optimiser's state of them, by the names that _restore knows."""
        heads, optimizer = self.learner.heads, self.optimizer
        tensors = prefixed(self.decoder.state_dict(), checkpoint.WEIGHTS) | prefixed(heads.state_dict(), HEADS)
        if self.config.train.ema:
            tensors |= prefixed(self.averaged.decoder.state_dict(), checkpoint.AVERAGED)
            tensors |= prefixed(self.averaged.heads.state_dict(), AVERAGED_HEADS)
        tensors |= prefixed(checkpoint.optimizer_tensors(self.decoder, optimizer), OPTIMIZER)
        return tensors | prefixed(checkpoint.optimizer_tensors(heads, optimizer), HEADS_OPTIMIZER)

    def _progress(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stale_epochs": self.stale_epochs,
            "losses": _to_floats(self.losses),
            "threads": torch.get_num_threads(),
        }

    def _random_states(self) -> dict[str, Tensor]:
        """Dropout's random state in every process: (processes, bytes)."""
        states = {"cpu": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return {
            kind: self.accelerator.gather(state[None].to(self.accelerator.device)) for kind, state in states.items()
        }

    def _restore(self, path: Path) -> None:
        header, tensors, metadata = checkpoint.load_checkpoint(path)
        if PROGRESS not in metadata:
            raise UserError(f"{path}: weights only, nothing to resume from; start afresh with --overwrite")
        _check_same_run(path, header, self._header())
        self.decoder.load_state_dict(with_domains(header, unprefixed(tensors, checkpoint.WEIGHTS)))
        self.learner.heads.load_state_dict(unprefixed(tensors, HEADS))
        if self.config.train.ema:
            self.averaged.decoder.load_state_dict(with_domains(header, unprefixed(tensors, checkpoint.AVERAGED)))
            self.averaged.heads.load_state_dict(unprefixed(tensors, AVERAGED_HEADS))
        checkpoint.restore_optimizer(self.decoder, self.optimizer, unprefixed(tensors, OPTIMIZER))
        checkpoint.restore_optimizer(self.learner.heads, self.optimizer, unprefixed(tensors, HEADS_OPTIMIZER))
        process = self.accelerator.process_index
        states = {kind: states for kind, states in unprefixed(tensors, RNG).items() if process < len(states)}
        if "cpu" in states:
            torch.set_rng_state(states["cpu"][process])
        if "cuda" in states and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"][process], self.accelerator.device)
        progress = json.loads(metadata[PROGRESS])
        self._say_threads(path, progress.get("threads", torch.get_num_threads()))
        self.step, self.epoch, self.batch = header.step, progress["epoch"], progress["batch"]
        self.best, self.best_epoch = progress["best"], progress["best_epoch"]
        self.stale_epochs = progress["stale_epochs"]
        self.losses = [{name: torch.tensor(loss) for name, loss in row.items()} for row in progress["losses"]]

    def _say_threads(self, path: Path, before: int) -> None:
        """Sums are added up thread by thread, so that another count gives other last digits."""
        now = torch.get_num_threads()
        if before != now and self.accelerator.is_main_process:
            print(
                f"{path}: was trained on {before} threads, goes on with {now}: not the same to the last bit; "
                f"OMP_NUM_THREADS={before} makes it so",
                file=sys.stderr,
            )


def learning_rate(step: int, total_steps: int, train: Train) -> float:
    """The rate of a step: a linear warm-up, then constant, or half a cosine down to 0 at the last step."""
    if step < train.warmup_steps:
        return train.learning_rate * (step + 1) / train.warmup_steps
    if train.schedule == "constant":
        return train.learning_rate
    done = (step - train.warmup_steps) / max(1, total_steps - train.warmup_steps)
    return train.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


def _to_floats(losses: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """One wait for the device instead of one a step."""
    if not losses:
        return []
    table = torch.stack([torch.stack([loss.cpu() for loss in row.values()]) for row in losses]).tolist()
    return [dict(zip(row, values, strict=True)) for row, values in zip(losses, table, strict=True)]


def _clear(folder: Path, keep: Sequence[Path]) -> None:
    """Remove what an earlier run left, and nothing else; keep: files that this run has made already."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (BEST, LAST, METRICS, PICTURE):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(copies_name("*")):
        if path not in keep:
            with suppress(PermissionError):  # Windows, where another run is reading them; they do no harm
                path.unlink(missing_ok=True)
    shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)


def _check_same_run(path: Path, old: Header, new: Header) -> None:
    """Raises UserError where config, clips or encoder are not those of the checkpoint's run."""
    if changed := difference(old.config, new.config, FREE_TO_CHANGE):
        raise UserError(f"{path}: {changed}; set it back, or start afresh with --overwrite")
    for kind, what in (("stats", "clips"), ("encoder", "features")):
        if getattr(old, kind) != getattr(new, kind):
            raise UserError(f"{path}: trained on other {what} than there are now; start afresh with --overwrite")
