"""What a training run carries from step to step: its data, weights and place, and how these are logged and saved."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from config.command import UserError
from config.files import written_whole
from config.load import save_config
from config.processes import share
from config.schema import Config, Train, Windows
from dataset import windows
from dataset.augment import copies_name, masks, with_copies
from dataset.blendshapes import GROUPS
from dataset.feature_store import FeatureStore
from dataset.split import split_clips
from dataset.stats import STATS, save_stats, training_stats
from dataset.store import ClipInfo
from dataset.windows import WindowDataset, epoch_batches, versions
from model import checkpoint
from model.checkpoint import Header, prefixed, unprefixed
from model.decoder import FeatureNorm, build_decoder
from model.encoders import build_encoder
from model.features import cache_features, feature_keys, open_clips, validation_windows
from model.losses import TOTAL, compute_losses, loss_names

BEST, LAST = "best.safetensors", "last.safetensors"
METRICS, TENSORBOARD, PICTURE = "metrics.jsonl", "tensorboard", "loss.png"
OPTIMIZER, RNG, PROGRESS = "optimizer.", "rng.", "progress"
# What a resumed run may change without becoming another run.
FREE_TO_CHANGE = {
    "run": {"dir"},
    "data": {"corpus", "lmdb"},
    "features": {"cache", "model"},
    "train": {"epochs", "patience_epochs", "checkpoint_steps", "workers"},
}
CACHED_STD_FLOOR = 1e-3  # a feature that is flat in training must not blow up in use


class Batch(NamedTuple):
    """dataset.windows.Batch as tensors on the device."""

    features: Tensor
    target: Tensor
    domain: Tensor
    unit: Tensor | None = None
    position: Tensor | None = None


class Data:
    """The clips of a run, cut into examples, with their features in the cache.

    Of the training clips there may be altered copies; what training measures, it measures on the clips themselves.
    """

    def __init__(self, config: Config, accelerator: Accelerator) -> None:
        self.store = open_clips(config)
        train, val = split_clips(self.store.clips, config.data)
        self.stats = training_stats(self.store, train)
        copies: list[ClipInfo] = []
        if config.augment.copies:
            make = partial(with_copies, self.store, train, config.augment, config.run.seed, config.run_dir)
            if accelerator.is_main_process:
                make()
            accelerator.wait_for_everyone()
            with accelerator.local_main_process_first():  # on other hosts' own disks
                self.store, copies = make()
        encoder = build_encoder(config.features, self.store.fps).to(accelerator.device)
        cache = FeatureStore(config.features.cache)
        self.encoder_identity, self.feature_size = encoder.identity, encoder.size
        self.steps_stacked, self.steps_per_frame = encoder.steps_stacked, encoder.steps_per_frame

        def examples(clips: list[ClipInfo], grid: Windows) -> WindowDataset:
            cache_features(cache, self.store, share(clips), encoder, config, grid)
            accelerator.wait_for_everyone()
            with accelerator.local_main_process_first():  # what other hosts keep on disks of their own
                cache_features(cache, self.store, clips, encoder, config, grid)
            keys = feature_keys(clips, encoder, config, grid)
            domains = [domain.name for domain in config.data.domains]
            stats = self.stats.select(GROUPS[config.model.channels])
            per_window, with_text = config.features.context == "window", bool(config.text_size)
            scale = config.model.curve_scale
            return WindowDataset(self.store, cache, keys, clips, domains, grid, stats, scale, per_window, with_text)

        self.recorded = train
        self.train = examples(train + copies, config.windows)
        self.alike = versions(self.train.examples, len(train), config.augment.copies)
        self.val = examples(val, validation_windows(config.windows)) if val else None
        weights = np.array([domain.weight for domain in config.data.domains])
        self.weights = weights[self.train.domain[self.train.examples[self.alike[:, 0], 0]]]

    def fit(self, norm: FeatureNorm) -> None:
        """Give the decoder's feature norm the mean and std of the training clips' features."""
        count, total, squares = 0, 0.0, 0.0
        for clip in self.recorded:
            features = self.train.features[self.train.keys[clip.id]].astype(np.float64)
            features = features.reshape(-1, features.shape[-1])
            count, total, squares = count + len(features), total + features.sum(0), squares + (features**2).sum(0)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        norm.mean.copy_(torch.from_numpy(mean))
        norm.std.copy_(torch.from_numpy(np.maximum(std, CACHED_STD_FLOOR)))


class Training:
    """The state of a run. Everything that the next step depends on is in last.safetensors, bit for bit."""

    def __init__(self, config: Config, accelerator: Accelerator, resume: bool) -> None:
        self.config, self.accelerator = config, accelerator
        self.data = Data(config, accelerator)
        # Of all epochs; domain weights with fractions may make an epoch a batch longer or shorter.
        self.total_steps = config.train.epochs * len(self._batches_of(0))
        torch.manual_seed(config.run.seed)
        self.decoder = build_decoder(config, self.data.feature_size, len(GROUPS[config.model.channels]))
        if isinstance(self.decoder.normalise, FeatureNorm):
            self.data.fit(self.decoder.normalise)
        self.model = accelerator.prepare(self.decoder)
        self.averaged = deepcopy(self.decoder).eval() if config.train.ema else self.decoder
        self.optimizer = torch.optim.AdamW(
            self.decoder.parameters(), betas=config.train.betas, weight_decay=config.train.weight_decay, fused=True
        )
        torch.manual_seed(config.run.seed + 1 + accelerator.process_index)  # dropout differs between processes

        self.step = self.epoch = self.batch = self.stale_epochs = self.best_epoch = 0
        self.best = math.inf
        self.losses: list[dict[str, Tensor]] = []  # of the epoch's steps so far
        folder = config.run_dir
        if resume and (folder / LAST).exists():
            self._restore(folder / LAST)
        elif accelerator.is_main_process:
            _clear(folder, self.data.store.files)
            save_config(config, folder / "config.yml")
            save_stats(folder / STATS, self.data.stats)
        self.log = Log(folder, self.epoch, self.step - self.batch) if accelerator.is_main_process else None
        self._set_learning_rate()

    @property
    def out_of_patience(self) -> bool:
        return 0 < self.config.train.patience_epochs <= self.stale_epochs

    def batches(self) -> Iterator[Batch]:
        """What is left of the epoch."""
        loader: DataLoader[Batch] = DataLoader(
            self.data.train,  # type: ignore[arg-type]  # its items are fetched a batch at a time, by __getitems__
            batch_sampler=self._batches_of(self.epoch)[self.batch :],
            collate_fn=_to_tensors,  # type: ignore[arg-type]
            num_workers=self.config.train.workers,
            generator=torch.Generator(),  # the loader's own, so that a resumed epoch draws the same dropout
        )
        for number, batch in enumerate(loader, self.batch):
            yield self._masked(_moved(batch, self.accelerator.device), number)

    def _masked(self, batch: Batch, number: int) -> Batch:
        """The epoch's batch of this number, with each example's mean over time where features are masked."""
        augment = self.config.augment
        if not (augment.band_mask_share or augment.time_mask_frames):
            return batch
        random = np.random.default_rng((self.config.run.seed, self.epoch, number, self.accelerator.process_index))
        (examples, frames, size), stacked = batch.features.shape, self.data.steps_stacked
        hidden = masks(augment, random, examples, frames, size // stacked, stacked, self.data.steps_per_frame)
        mean = batch.features.mean(dim=1, keepdim=True)
        return batch._replace(features=torch.where(torch.from_numpy(hidden).to(mean.device), mean, batch.features))

    def _batches_of(self, epoch: int) -> list[list[int]]:
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        train, seed = self.config.train, self.config.run.seed
        batches = epoch_batches(self.data.weights, train.batch_size, seed, epoch, process, processes, self.data.alike)
        if not batches:
            raise UserError(f"data.domains: with these weights epoch {epoch + 1} has no example; raise one")
        return batches

    def finish_step(self, losses: Mapping[str, Tensor]) -> None:
        """Average the weights, note the losses and move on."""
        self.losses.append({name: loss.detach() for name, loss in losses.items()})
        self.step, self.batch = self.step + 1, self.batch + 1
        if self.config.train.ema:
            self._average()
        self._set_learning_rate()
        if self.config.train.checkpoint_steps and self.step % self.config.train.checkpoint_steps == 0:
            self._save(LAST)

    def finish_epoch(self) -> dict[str, str]:
        """Validate, log and save; the losses to show."""
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
        size, device = self.config.train.batch_size, self.accelerator.device
        first = range(self.accelerator.process_index * size, len(self.data.val), self.accelerator.num_processes * size)
        sums: dict[str, Tensor] = {}
        for start in first:
            items = range(start, min(start + size, len(self.data.val)))
            batch = _moved(_to_tensors(self.data.val.__getitems__(items)), device)
            prediction = self.averaged(batch.features, batch.domain, batch.unit, batch.position)
            losses = compute_losses(prediction, batch.target, self.config.loss)
            for name, loss in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=device)) + loss * len(items)
        names = [*loss_names(self.config.loss), TOTAL]
        row = torch.stack([sums.get(name, torch.zeros((), device=device)) for name in names])
        return dict(zip(names, (self.accelerator.reduce(row) / len(self.data.val)).tolist(), strict=True))

    def close(self) -> None:
        """End the log: what TensorBoard has still to write is written, and its thread ends."""
        if self.log:
            self.log.board.close()

    def draw_losses(self) -> None:
        """Write loss.png, a picture of every epoch so far."""
        if not self.accelerator.is_main_process or not self.epoch:
            return
        picture, metrics = self.config.run_dir / PICTURE, self.config.run_dir / METRICS
        try:
            from model.loss_picture import write_loss_picture

            write_loss_picture(picture, metrics, self.config, self.best_epoch)
        except Exception as error:  # whatever it is: the weights are there, and a picture must not fail the run
            print(f"{picture}: not drawn: {error}")

    def summary(self) -> str:
        kept = (
            "the last epoch" if self.data.val is None else f"epoch {self.best_epoch}, validation loss {self.best:.4f}"
        )
        return f"trained {self.epoch} epochs, {self.step:,} steps; best: {kept}\n{self.config.run_dir / BEST}"

    @torch.no_grad()
    def _average(self) -> None:
        # Early on a short memory, so that the random start is forgotten.
        decay = min(self.config.train.ema, (1 + self.step) / (10 + self.step))
        for ours, theirs in zip(self.averaged.parameters(), self.decoder.parameters(), strict=True):
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
        tensors = prefixed(self.averaged.state_dict(), checkpoint.WEIGHTS)
        more: dict[str, str] = {}
        if name == LAST:
            tensors = prefixed(self.decoder.state_dict(), checkpoint.WEIGHTS)
            if self.config.train.ema:
                tensors |= prefixed(self.averaged.state_dict(), checkpoint.AVERAGED)
            tensors |= prefixed(checkpoint.optimizer_tensors(self.decoder, self.optimizer), OPTIMIZER)
            tensors |= prefixed(self._random_states(), RNG)
            more = {PROGRESS: json.dumps(self._progress())}
        if self.accelerator.is_main_process:
            with written_whole(self.config.run_dir / name) as partial:
                checkpoint.save_checkpoint(partial, self._header(), tensors, **more)

    def _progress(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stale_epochs": self.stale_epochs,
            "losses": _to_floats(self.losses),
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
        self.decoder.load_state_dict(unprefixed(tensors, checkpoint.WEIGHTS))
        if self.config.train.ema:
            self.averaged.load_state_dict(unprefixed(tensors, checkpoint.AVERAGED))
        checkpoint.restore_optimizer(self.decoder, self.optimizer, unprefixed(tensors, OPTIMIZER))
        process = self.accelerator.process_index
        states = {kind: states for kind, states in unprefixed(tensors, RNG).items() if process < len(states)}
        if "cpu" in states:
            torch.set_rng_state(states["cpu"][process])
        if "cuda" in states and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"][process], self.accelerator.device)
        progress = json.loads(metadata[PROGRESS])
        self.step, self.epoch, self.batch = header.step, progress["epoch"], progress["batch"]
        self.best, self.best_epoch = progress["best"], progress["best_epoch"]
        self.stale_epochs = progress["stale_epochs"]
        self.losses = [{name: torch.tensor(loss) for name, loss in row.items()} for row in progress["losses"]]


def learning_rate(step: int, total_steps: int, train: Train) -> float:
    """The rate of a step: a linear warm-up, then constant, or half a cosine down to 0 at the last step."""
    if step < train.warmup_steps:
        return train.learning_rate * (step + 1) / train.warmup_steps
    if train.schedule == "constant":
        return train.learning_rate
    done = (step - train.warmup_steps) / max(1, total_steps - train.warmup_steps)
    return train.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


class Log:
    """metrics.jsonl, a row a step and an epoch, and TensorBoard.

    Rows are written at the end of an epoch; a run that goes on in `epoch`, which began after `step` steps, drops those
    of an epoch that was logged and then lost.
    """

    def __init__(self, folder: Path, epoch: int, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / METRICS
        if self.path.exists():
            rows = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            with written_whole(self.path) as partial:
                partial.write_text("".join(_rows_before(rows, epoch)), encoding="utf-8")
        self.board = SummaryWriter(str(folder / TENSORBOARD), purge_step=step + 1)

    def write(self, rows: list[dict[str, Any]]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        for row in rows:
            for name, value in row.items():
                if name not in ("epoch", "step", "split"):
                    self.board.add_scalar(f"{name}/{row['split']}", value, row["step"])
        self.board.flush()


def _rows_before(rows: list[str], epoch: int) -> Iterator[str]:
    for row in rows:
        if not row.endswith("\n") or json.loads(row)["epoch"] >= epoch:  # a kill may have cut the last row short
            return
        yield row


def _to_tensors(batch: windows.Batch) -> Batch:
    return Batch(*(torch.from_numpy(array) for array in batch if array is not None))


def _moved(batch: Batch, device: torch.device) -> Batch:
    """On the device, and only there widened from float16: torch does so three times as fast as numpy."""
    features, *others = (tensor.to(device, non_blocking=True) for tensor in batch if tensor is not None)
    return Batch(features.float(), *others)


def _to_floats(losses: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """One wait for the device instead of one a step."""
    if not losses:
        return []
    table = torch.stack([torch.stack([loss.cpu() for loss in row.values()]) for row in losses]).tolist()
    return [dict(zip(row, values, strict=True)) for row, values in zip(losses, table, strict=True)]


def _clear(folder: Path, keep: Sequence[Path]) -> None:
    """Remove what an earlier run left, and nothing else; keep: files that this run has made already."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*(folder / name for name in (BEST, LAST, METRICS, PICTURE)), *folder.glob(copies_name("*"))):
        if path not in keep:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)


def _check_same_run(path: Path, old: Header, new: Header) -> None:
    """Raises UserError where config, clips or encoder are not those of the checkpoint's run."""
    before, after = old.config.model_dump(), new.config.model_dump()
    for section, keys in before.items():
        for key, value in keys.items():
            if after[section][key] != value and key not in FREE_TO_CHANGE.get(section, ()):
                raise UserError(
                    f"{path}: trained with {section}.{key} {value}, the config says {after[section][key]}; "
                    "set it back, or start afresh with --overwrite"
                )
    for kind in ("stats", "encoder"):
        if getattr(old, kind) != getattr(new, kind):
            what = "clips" if kind == "stats" else "features"
            raise UserError(f"{path}: trained on other {what} than there are now; start afresh with --overwrite")
