"""The clips of a run as its examples: cut into windows, with their features in the cache, in batches by epoch."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from config.errors import UserError
from config.processes import share
from config.schema import Config, Windows
from dataset.augment import masks, with_copies
from dataset.blendshapes import GROUPS
from dataset.feature_store import FeatureStore
from dataset.split import split_clips
from dataset.stats import training_stats
from dataset.store import ClipInfo
from dataset.windows import Batch, WindowDataset, epoch_batches, versions
from model.decoder import FeatureNorm
from model.encoders import build_encoder
from model.features import cache_features, feature_keys, open_clips, validation_windows
from model.header import read_header
from model.lookahead import delays_of
from model.speech_encoder import SpeechEncoder

CACHED_STD_FLOOR = 1e-3  # a feature that is flat in training must not blow up in use


class RunData:
    """The clips of a run, cut into examples, with their features in the cache.

    Of the training clips there may be altered copies; what training measures, it measures on the clips themselves.
    base: a checkpoint whose stats a channel has that no training clip captures, so that what is learnt of it stays.
    Raises UserError for a database, a split or an encoder that cannot be had.
    """

    def __init__(self, config: Config, accelerator: Accelerator, base: Path | None = None) -> None:
        self.config, self.accelerator = config, accelerator
        self.store = open_clips(config)
        self.recorded, val = split_clips(self.store.clips, config.data)
        if config.loss.phones and not any(clip.phones for clip in self.recorded):
            raise UserError(
                f"{self.store.path}: loss.phones has a weight, but no training clip has phones; set it to 0"
            )
        known = read_header(base).stats if base else None
        self.stats = training_stats(self.store, self.recorded, known)
        copies = self._add_copies() if config.augment.copies else []
        encoder = build_encoder(config.features, self.store.fps).to(accelerator.device)
        self.encoder_identity, self.feature_size = encoder.identity, encoder.size
        self.steps_stacked, self.steps_per_frame = encoder.steps_stacked, encoder.steps_per_frame
        self.train = self._examples(self.recorded + copies, config.windows, encoder)
        self.val = self._examples(val, validation_windows(config.windows), encoder) if val else None
        self.alike = versions(self.train.examples, len(self.recorded), config.augment.copies)
        weights = np.array([domain.weight for domain in config.data.domains])
        self.weights = weights[self.train.domain[self.train.examples[self.alike[:, 0], 0]]]

    def _add_copies(self) -> list[ClipInfo]:
        """Have the store hold altered copies of the training clips too; those copies."""
        config = self.config
        make = partial(with_copies, self.store, self.recorded, config.augment, config.run.seed, config.run_dir)
        if self.accelerator.is_main_process:
            make()
        self.accelerator.wait_for_everyone()
        with self.accelerator.local_main_process_first():  # on other hosts' own disks
            self.store, copies = make()
        return copies

    def _examples(self, clips: list[ClipInfo], grid: Windows, encoder: SpeechEncoder) -> WindowDataset:
        """The windows of some clips, once the cache has their features."""
        config, cache = self.config, FeatureStore(self.config.features.cache)
        cache_features(cache, self.store, share(clips), encoder, config, grid)
        self.accelerator.wait_for_everyone()
        with self.accelerator.local_main_process_first():  # what other hosts keep on disks of their own
            cache_features(cache, self.store, clips, encoder, config, grid)
        return WindowDataset(
            self.store,
            cache,
            feature_keys(clips, encoder, config, grid),
            clips,
            [domain.name for domain in config.data.domains],
            grid,
            self.stats.select(GROUPS[config.model.channels]),
            config.model.curve_scale,
            per_window=config.features.context == "window",
            with_text=bool(config.text_size),
            with_phones=bool(config.loss.phones),
            margin=delays.margin if (delays := delays_of(config, self.store.fps)) else (0, 0),
        )

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

    def epoch_examples(self, epoch: int) -> list[list[int]]:
        """The examples of each of this process's batches. Raises UserError when the domains' weights leave none."""
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        batch_size, seed = self.config.train.batch_size, self.config.run.seed
        batches = epoch_batches(self.weights, batch_size, seed, epoch, process, processes, self.alike)
        if not batches:
            raise UserError(f"data.domains: with these weights epoch {epoch + 1} has no example; raise one")
        return batches

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch[Tensor]]:
        """This process's batches of an epoch, from number `first` on, on the device; masked as config.augment says."""
        loader: DataLoader[Batch[Tensor]] = DataLoader(
            self.train,  # type: ignore[arg-type]  # its items are fetched a batch at a time, by __getitems__
            batch_sampler=self.epoch_examples(epoch)[first:],
            collate_fn=_to_tensors,  # type: ignore[arg-type]
            num_workers=self.config.train.workers,
            generator=torch.Generator(),  # the loader's own, so that a resumed epoch draws the same dropout
        )
        for number, batch in enumerate(loader, first):
            yield self._masked(self._on_device(batch), epoch, number)

    def validation_batches(self) -> Iterator[Batch[Tensor]]:
        """This process's share of the validation clips' windows, on the device."""
        assert self.val is not None
        size, stride = self.config.train.batch_size, self.accelerator.num_processes
        for start in range(self.accelerator.process_index * size, len(self.val), stride * size):
            items = range(start, min(start + size, len(self.val)))
            yield self._on_device(_to_tensors(self.val.__getitems__(items)))

    def _on_device(self, batch: Batch[Tensor]) -> Batch[Tensor]:
        """On the device, and only there widened from float16: torch does so three times as fast as numpy."""
        moved = batch.map(lambda tensor: tensor.to(self.accelerator.device, non_blocking=True))
        return moved.with_features(moved.features.float())

    def _masked(self, batch: Batch[Tensor], epoch: int, number: int) -> Batch[Tensor]:
        """The epoch's batch of this number, with each example's mean over time where features are masked."""
        augment = self.config.augment
        if not (augment.band_mask_share or augment.time_mask_frames):
            return batch
        random = np.random.default_rng((self.config.run.seed, epoch, number, self.accelerator.process_index))
        (examples, frames, size), stacked = batch.features.shape, self.steps_stacked
        hidden = masks(augment, random, examples, frames, size // stacked, stacked, self.steps_per_frame)
        mean = batch.features.mean(dim=1, keepdim=True)
        return batch.with_features(torch.where(torch.from_numpy(hidden).to(mean.device), mean, batch.features))


def _to_tensors(batch: Batch[np.ndarray]) -> Batch[Tensor]:
    return batch.map(torch.from_numpy)
