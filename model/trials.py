"""A trial: train with a config, synthesize the clips it holds out, score them. What folds and ablations are made of.

A trial that is done is not done again: its scores.json says so. One that was cut short goes on where it was.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from tqdm import tqdm

from config.errors import UserError
from config.files import write_json
from config.load import difference, load_config
from config.run_folder import BEST, LAST
from config.schema import Config, Run, Split
from config.study import Epoch
from dataset.audio import to_float
from dataset.blendshapes import write_curves
from dataset.clip import Clip
from dataset.split import split_clips
from dataset.stats import Stats
from model.ensembles import write_ensemble
from model.features import extract, open_clips
from model.synthesis import Synthesizer
from model.training import train

SCORES = "scores.json"
FREE_TO_CHANGE = {"run.dir", "features.cache"}  # without becoming another trial

Scores: TypeAlias = Mapping[str, Any]
"""Scores by name, as the scorer gives them."""


class Scorer(Protocol):
    """What scores a trial's held-out clips; postprocess.score.held_out has one."""

    @property
    def pieces_s(self) -> float | None:
        """Its one setting: trials that were scored with another are scored again."""

    def clip(self, clip: Clip, curves: np.ndarray, channels: tuple[str, ...]) -> Scores:
        """The scores of a clip's predicted curves, (frames, len(channels))."""

    def mean_face(self, clip: Clip, stats: Stats) -> Scores:
        """The scores of the training mean held still: what a model must beat."""

    def mean(self, clips: Sequence[Scores]) -> Scores:
        """The scores of several clips in one."""


def held_out_clips(config: Config) -> list[str]:
    """The ids of the clips to score. Raises UserError when data.split holds out none."""
    held_out = split_clips(open_clips(config).clips, config.data)[1]
    if not held_out:
        raise UserError(f"data.split: by: {config.data.split.by} holds out no clip to score; by: fold does")
    return [clip.id for clip in held_out]


def with_split(config: Config, split: Split) -> Config:
    """The config with another split of its clips."""
    return config.model_copy(update={"data": config.data.model_copy(update={"split": split})})


def run_folds(
    config: Config, splits: Sequence[Split], folder: Path, scorer: Scorer, epoch: Epoch, overwrite: bool
) -> Scores:
    """A trial a split; scores over all clips and fold by fold. The models become one ensemble, in folder/ensemble.

    Every clip's curves are in folder/oof, by the model that did not hear it. Raises UserError as run_trial does.
    """
    folds = []
    checkpoints = {}
    for number, split in enumerate(splits):
        print(f"{folder.name}, fold {number + 1} of {len(splits)}")
        trial = _placed(with_split(config, split), folder, f"fold_{number}", config.run.seed)
        folds.append(run_trial(trial, folder / "oof", scorer, epoch, overwrite))
        checkpoints[trial.run.name] = checkpoint_of(trial, epoch)
    write_ensemble(folder / "ensemble", checkpoints)
    clips = {clip: scores for fold in folds for clip, scores in fold["clips"].items()}
    floor = [fold["mean_face"] for fold in folds for _ in fold["clips"]]
    return {
        "mean": scorer.mean(list(clips.values())),
        "mean_face": scorer.mean(floor),
        "folds": [{key: fold[key] for key in ("train_s", "mean")} | {"clips": list(fold["clips"])} for fold in folds],
        "clips": dict(sorted(clips.items())),
    }


NO_TSV = " (no tsv)"  # a model that reads text, scored without transcripts


def run_grid(
    variants: Mapping[str, Config], folder: Path, scorer: Scorer, seeds: int, epoch: Epoch, overwrite: bool
) -> dict[str, list[Scores]]:
    """Each variant's trials, one a seed, from its own run.seed up; one that reads text has a second row, NO_TSV.

    Every variant has its first seed before any has its second, so that a study cut short compares.
    Raises UserError as run_trial does.
    """
    rows: dict[str, list[Scores]] = {name: [] for name in variants}
    for number in range(seeds):
        for place, (name, config) in enumerate(variants.items()):
            done = number * len(variants) + place
            seed = config.run.seed + number
            print(f"{name}, seed {seed} ({done + 1} of {seeds * len(variants)})")
            trial = _placed(config, folder / name, f"seed_{seed}", seed)
            scores = run_trial(trial, trial.run_dir / "csv", scorer, epoch, overwrite)
            rows[name].append(scores)
            if "sound_alone" in scores:
                rows.setdefault(name + NO_TSV, []).append({**scores, "mean": scores["sound_alone"]})
    return rows


def _placed(config: Config, folder: Path, name: str, seed: int) -> Config:
    """The config of a trial whose run is in folder/name."""
    return config.model_copy(update={"run": Run(name=name, dir=folder, seed=seed)})


def checkpoint_of(config: Config, epoch: Epoch) -> Path:
    """The checkpoint of a trial that is scored."""
    return config.run_dir / {"best": BEST, "last": LAST}[epoch]


def run_trial(config: Config, csvs: Path, scorer: Scorer, epoch: Epoch = "last", overwrite: bool = False) -> Scores:
    """What scores.json in the run's folder holds, after training and scoring if that is still to do.

    csvs: the folder for the held-out clips' curves, synthesized with their own domain and clamped, and with their own
    transcripts where the model reads text. The scores: "mean", "mean_face" (the training mean held still) and "clips",
    each as the scorer gives them; "sound_alone", of a model that reads text, the mean without transcripts; and
    "train_s", the seconds that training took once features were there, None where it was interrupted.
    Raises UserError where the folder holds a trial with another config, unless it may be overwritten.
    """
    path = config.run_dir / SCORES
    difference = _difference(config)
    if difference and not overwrite:
        raise UserError(f"{config.run_dir}: {difference}; set it back, or start every trial afresh with --overwrite")
    done: Scores = json.loads(path.read_text(encoding="utf-8")) if path.is_file() and not overwrite else {}
    asked = {"pieces_s": scorer.pieces_s, "epoch": epoch}
    if done and asked.items() <= done.items() and all(_csv(csvs, clip).is_file() for clip in done["clips"]):
        return done
    path.unlink(missing_ok=True)
    train_s = done["train_s"] if done else _train(config, resume=not overwrite)
    scores = {**asked, "train_s": train_s, **_score(config, checkpoint_of(config, epoch), csvs, scorer)}
    write_json(path, scores)
    return scores


def _csv(csvs: Path, clip: str) -> Path:
    return csvs / f"{clip}.csv"


def _difference(config: Config) -> str:
    """What the run in the trial's folder was trained with instead; "" when it is this trial, or none yet."""
    path = config.run_dir / "config.yml"
    return difference(load_config(path), config, FREE_TO_CHANGE) if path.is_file() else ""


def _train(config: Config, resume: bool) -> float | None:
    """The seconds that training took; None when a part of it was done before."""
    extract(config)
    fresh = not (resume and checkpoint_of(config, "last").exists())
    began = time.perf_counter()
    train(config, resume=resume)
    return time.perf_counter() - began if fresh else None


def _score(config: Config, checkpoint: Path, csvs: Path, scorer: Scorer) -> Scores:
    store = open_clips(config)
    synthesizer = Synthesizer(checkpoint, config.features.model)
    channels = synthesizer.channels
    clips: dict[str, Scores] = {}
    floors: list[Scores] = []
    alone: list[Scores] = []
    held_out = split_clips(store.clips, config.data)[1]
    for info in tqdm(held_out, "scored", unit="clip", disable=None, leave=False):
        clip = store.whole(info.id)
        curves = synthesizer.synthesize(to_float(clip.audio), clip.domain, words=clip.words).clip(0, 1)
        write_curves(_csv(csvs, clip.id), curves, channels)
        clips[clip.id] = scorer.clip(clip, curves, channels)
        floors.append(scorer.mean_face(clip, synthesizer.header.stats))
        if synthesizer.reads_text:
            curves = synthesizer.synthesize(to_float(clip.audio), clip.domain).clip(0, 1)
            alone.append(scorer.clip(clip, curves, channels))
    return {
        "fps": store.fps,
        "mean": scorer.mean(list(clips.values())),
        "mean_face": scorer.mean(floors),
        **({"sound_alone": scorer.mean(alone)} if alone else {}),
        "clips": clips,
    }
