"""A trial: train with a config, synthesize the clips it holds out, score them. What kfold.py and ablate.py are made of.

A trial that is done is not done again: its scores.json says so. One that was cut short goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from config.command import UserError
from config.files import write_json
from config.load import load_config
from config.schema import Config, Run
from dataset.blendshapes import ARKIT, to_arkit, write_curves
from postprocess.score.floors import mean_face
from postprocess.score.metrics import Scores, clip_scores, mean_scores

if TYPE_CHECKING:
    from dataset.clip import Clip

SCORES = "scores.json"
CHECKPOINTS = {"last": "last.safetensors", "best": "best.safetensors"}  # --epoch → the file it scores

# Heading → a score of a clip or of several clips' mean, and how it is written.
COLUMNS: dict[str, tuple[Callable[[Scores], float | None], str]] = {
    "contest": (lambda scores: scores["contest"], ".4f"),
    "MAE": (lambda scores: scores["groups"]["face"]["mae"], ".4f"),
    "r": (lambda scores: scores["groups"]["face"]["correlation"], ".3f"),
    "r JawOpen": (lambda scores: scores["channels"]["JawOpen"]["correlation"], ".3f"),
    "r MouthFunnel": (lambda scores: scores["channels"]["MouthFunnel"]["correlation"], ".3f"),
    "JawOpen ×": (lambda scores: scores["channels"]["JawOpen"]["amplitude_ratio"], ".2f"),
    "amplitude ×": (lambda scores: scores["groups"]["face"]["amplitude_ratio"], ".2f"),
    "jerk ×": (lambda scores: scores["groups"]["face"]["jerk_ratio"], ".2f"),
}


def add_trial_options(commands: argparse.ArgumentParser) -> None:
    commands.add_argument("--pieces", type=float, metavar="SECONDS", help="score DTW over pieces of this length")
    commands.add_argument(
        "--epoch",
        choices=tuple(CHECKPOINTS),
        default="last",
        help="which of a training is scored: the last, or the one that the held-out clips' loss liked best (flatters)",
    )
    commands.add_argument("--overwrite", action="store_true", help="start every trial afresh, also those that are done")


def check_pieces(pieces_s: float | None, fps: float) -> None:
    if pieces_s is not None and not 1 <= pieces_s * fps < float("inf"):
        raise UserError(f"--pieces {pieces_s:g}: must be at least one frame long")


def check_held_out(config: Config) -> list[str]:
    """The clips to score. Raises UserError when data.split holds out none."""
    from dataset.split import split_clips
    from model.features import open_clips

    held_out = split_clips(open_clips(config).clips, config.data.split)[1]
    if not held_out:
        raise UserError(f"data.split: by: {config.data.split.by} holds out no clip to score; by: fold does")
    return [clip.id for clip in held_out]


def placed(config: Config, folder: Path, name: str, seed: int | None = None) -> Config:
    """The config of a trial whose run is in folder/name."""
    run = Run(name=name, dir=folder, seed=config.run.seed if seed is None else seed)
    return config.model_copy(update={"run": run})


def run_trial(
    config: Config, csvs: Path, pieces_s: float | None = None, epoch: str = "last", overwrite: bool = False
) -> Scores:
    """What scores.json in the run's folder holds, after training and scoring if that is still to do.

    csvs: the folder for the held-out clips' curves, synthesized with their own domain and clamped, and with their own
    transcripts where the model reads text. The scores: "mean", "mean_face" (the training mean held still) and "clips",
    each as metrics.py gives them; "sound_alone", of a model that reads text, the mean without transcripts; and
    "train_s", the seconds that training took once features were there, None where it was interrupted.
    Raises UserError where the folder holds a trial with another config, unless it may be overwritten.
    """
    path = config.run_dir / SCORES
    difference = _difference(config)
    if difference and not overwrite:
        raise UserError(f"{config.run_dir}: {difference}; set it back, or start every trial afresh with --overwrite")
    done: Scores = json.loads(path.read_text(encoding="utf-8")) if path.is_file() and not overwrite else {}
    asked = {"pieces_s": pieces_s, "epoch": epoch}
    if done and asked.items() <= done.items() and all(_csv(csvs, clip).is_file() for clip in done["clips"]):
        return done
    path.unlink(missing_ok=True)
    train_s = done["train_s"] if done else _train(config, resume=not overwrite)
    scores = {**asked, "train_s": train_s, **_score(config, config.run_dir / CHECKPOINTS[epoch], csvs, pieces_s)}
    write_json(path, scores)
    return scores


def _csv(csvs: Path, clip: str) -> Path:
    return csvs / f"{clip}.csv"


def _difference(config: Config) -> str:
    """What the run in the trial's folder was trained with instead; "" when it is this trial, or none yet."""
    if not (config.run_dir / "config.yml").is_file():
        return ""
    before = load_config(config.run_dir / "config.yml").model_dump()
    for section, keys in config.model_dump().items():
        for key, value in keys.items():
            if before[section][key] != value and (section, key) != ("run", "dir"):
                return f"trained with {section}.{key} {before[section][key]}, the config says {value}"
    return ""


def _train(config: Config, resume: bool) -> float | None:
    """The seconds that training took; None when a part of it was done before."""
    from model.features import extract
    from model.training import train

    extract(config)
    fresh = not (resume and (config.run_dir / CHECKPOINTS["last"]).exists())
    began = time.perf_counter()
    train(config, resume=resume)
    return time.perf_counter() - began if fresh else None


def _score(config: Config, checkpoint: Path, csvs: Path, pieces_s: float | None) -> Scores:
    import torch
    from tqdm import tqdm

    from dataset.audio import to_float
    from dataset.split import split_clips
    from dataset.stats import Stats
    from model.features import open_clips
    from model.synthesis import Synthesizer

    store = open_clips(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    synthesizer = Synthesizer(checkpoint, config.features.model, device)
    stats = Stats.from_json(synthesizer.header.stats)
    channels = synthesizer.header.channels
    pieces = round(pieces_s * store.fps) if pieces_s else None
    clips: dict[str, Scores] = {}
    floors: list[Scores] = []
    alone: list[Scores] = []
    held_out = split_clips(store.clips, config.data.split)[1]
    for info in tqdm(held_out, "scored", unit="clip", disable=None, leave=False):
        clip = store[info.id]
        curves = synthesizer.synthesize(to_float(clip.audio), clip.domain, words=clip.words).clip(0, 1)
        write_curves(_csv(csvs, clip.id), curves, channels)
        clips[clip.id] = against(clip, curves, channels, pieces)
        floors.append(against(clip, mean_face(stats, ARKIT, len(clip.curves), checkpoint), ARKIT, pieces))
        if synthesizer.reads_text:
            curves = synthesizer.synthesize(to_float(clip.audio), clip.domain).clip(0, 1)
            alone.append(against(clip, curves, channels, pieces))
    return {
        "fps": store.fps,
        "mean": mean_scores(list(clips.values())),
        "mean_face": mean_scores(floors),
        **({"sound_alone": mean_scores(alone)} if alone else {}),
        "clips": clips,
    }


def against(clip: "Clip", curves: np.ndarray, channels: tuple[str, ...], pieces: int | None) -> Scores:
    """The scores of a clip's predicted curves, (frames, len(channels)); pieces: frames of those that DTW sees."""
    prediction = to_arkit(curves.astype(np.float64), channels)
    return clip_scores(prediction, clip.curves.astype(np.float64), ARKIT, clip.fps, pieces)


def cells(scores: Scores) -> list[str]:
    """A row's scores as a table shows them, a dash for those without meaning."""
    found = [(score(scores), style) for score, style in COLUMNS.values()]
    return ["–" if value is None else format(value, style) for value, style in found]


def spread(values: Sequence[float | None], style: str) -> str:
    """`mean ± std` of repeated measurements (n - 1 in the std); without what is unknown, and without ± of only one."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = format(float(np.mean(known)), style)
    return f"{mean} ± {format(float(np.std(known, ddof=1)), style)}" if len(known) > 1 else mean


def seconds(values: Sequence[Any]) -> str:
    """The mean of training times, in seconds."""
    return spread([None if any(value is None for value in values) else float(np.mean(values))], ".0f")
