"""Train fold by fold: every clip is predicted and scored by a model that never heard it, and the models are kept."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import UserError, config_arguments, run
from config.files import write_json
from config.grid import BASE, choose, load_grid, load_variants
from config.schema import Config, Split
from config.tables import table
from dataset.corpus import read_manifest
from model.ensembles import write_ensemble
from model.features import open_clips
from postprocess.score.metrics import CONFIDENCE, Scores, intervals, mean_scores
from scripts.ridge import run_ridge
from scripts.trials import CHECKPOINTS, COLUMNS, add_trial_options, cells, check_pieces, placed, run_trial, seconds

EXAMPLES = """
    python scripts/kfold.py --config config/facegood.yml --pieces 10
    python scripts/kfold.py --config config/facegood.yml --folds 5 --variants base no_onehot
    python scripts/kfold.py --config config/facegood.yml --grid config/grids/ablation.yml --variants base tanh
    python scripts/kfold.py --config config/aiwin.yml --by speaker run.name=by_speaker
"""


def parse() -> argparse.Namespace:
    commands = config_arguments(__doc__, EXAMPLES)
    add = commands.add_argument
    add("--folds", type=int, help="into how many parts the clips are divided; by default as the config says")
    add("--by", choices=("clip", "speaker"), default="clip", help="speaker: nobody is on both sides, by manifest.csv")
    add(
        "--variants",
        nargs="+",
        metavar="NAME",
        help="base, no_onehot or names of the grid; by default the grid, or base",
    )
    add("--grid", type=Path, metavar="YAML", help="named changes of the config, such as config/grids/ablation.yml")
    add_trial_options(commands)
    return commands.parse_args()


def main() -> None:
    given = parse()
    grid = load_grid(given.grid) if given.grid else {BASE: ()}
    chosen = choose(grid, given.variants)
    variants = load_variants(given.config, given.overrides, chosen)
    first = next(iter(variants.values()))
    folds = first.data.split.folds if given.folds is None else given.folds
    splits = fold_splits(first, folds, given.by)

    check_pieces(given.pieces, first.data.fps)
    folder = first.run.dir / f"{first.run.name}_kfold"
    results = {}
    for name, config in variants.items():
        results[name] = run_folds(config, splits, folder / name, given)
        results[name]["changes"] = chosen[name]
    ridge = run_ridge([parted(first, split) for split in splits], folder / "floors" / "ridge", given.pieces)
    print("", report(results, ridge), sep="\n")
    print_gains(results)
    settings = {"by": given.by, "pieces_s": given.pieces, "epoch": given.epoch}
    write_json(folder / "kfold.json", {**settings, "variants": results, "ridge": ridge})
    models, clips = len(variants) * folds, len(next(iter(results.values()))["clips"])
    print(f"{models} models, {clips} clips, each scored by models that never heard it: {folder / 'kfold.json'}")
    for name in variants:
        print(f"curves: {folder / name / 'oof'}   ensemble: {folder / name / 'ensemble'}")


def fold_splits(config: Config, folds: int, by: str) -> list[Split]:
    """The split of each fold. By speaker the speakers, in the order of their first clips, are dealt out in turn.

    Raises UserError for fewer clips or speakers than folds, and a manifest that is missing or lacks a clip.
    """
    clips = [clip.id for clip in open_clips(config).clips]
    if folds < 2:
        raise UserError(f"--folds {folds}: must be at least 2")
    if by == "clip":
        if len(clips) < folds:
            raise UserError(f"--folds {folds}: the corpus has {len(clips)} clips")
        return [Split(by="fold", fold=fold, folds=folds, val=()) for fold in range(folds)]
    manifest = config.data.corpus / "manifest.csv"
    rows = read_manifest(manifest)
    for clip in clips:
        if not rows.get(clip, {}).get("speaker"):
            raise UserError(f"{manifest}: no speaker of {clip}; --by speaker needs the columns id and speaker")
    speakers = list(dict.fromkeys(rows[clip]["speaker"] for clip in clips))
    if len(speakers) < folds:
        raise UserError(f"--folds {folds}: {manifest} names {len(speakers)} speaker{'s' * (len(speakers) > 1)}")
    dealt = {speaker: number % folds for number, speaker in enumerate(speakers)}
    sides = [tuple(clip for clip in clips if dealt[rows[clip]["speaker"]] == fold) for fold in range(folds)]
    return [Split(by="list", fold=0, folds=folds, val=side) for side in sides]


def parted(config: Config, split: Split) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update={"split": split})})


def run_folds(config: Config, splits: list[Split], folder: Path, given: argparse.Namespace) -> dict:
    """A variant's scores over all clips and fold by fold; its models become one ensemble."""
    folds = []
    checkpoints = {}
    for number, split in enumerate(splits):
        print(f"{folder.name}, fold {number + 1} of {len(splits)}")
        trial = placed(parted(config, split), folder, f"fold_{number}")
        folds.append(run_trial(trial, folder / "oof", given.pieces, given.epoch, given.overwrite))
        checkpoints[trial.run.name] = trial.run_dir / CHECKPOINTS[given.epoch]
    write_ensemble(folder / "ensemble", checkpoints)
    clips = {clip: scores for fold in folds for clip, scores in fold["clips"].items()}
    floor = [fold["mean_face"] for fold in folds for _ in fold["clips"]]
    return {
        "mean": mean_scores(list(clips.values())),
        "mean_face": mean_scores(floor),
        "folds": [{key: fold[key] for key in ("train_s", "mean")} | {"clips": list(fold["clips"])} for fold in folds],
        "clips": dict(sorted(clips.items())),
    }


def report(results: dict[str, dict], ridge: Scores) -> str:
    """One table: each variant's folds, then the mean over all its clips, then the floors."""
    lines = []
    for name, result in results.items():
        for number, fold in enumerate(result["folds"]):
            label = f"{name} fold {number}"
            lines.append([label, str(len(fold["clips"])), *cells(fold["mean"]), seconds([fold["train_s"]])])
        times = seconds([fold["train_s"] for fold in result["folds"]])
        lines.append([f"{name} (mean)", str(len(result["clips"])), *cells(result["mean"]), times])
    lines.append(["(ridge)", str(len(ridge["clips"])), *cells(ridge["mean"]), seconds([ridge["train_s"]])])
    floor = next(iter(results.values()))
    lines.append(["(mean face)", str(len(floor["clips"])), *cells(floor["mean_face"]), "–"])
    return table(["variant", "clips", *COLUMNS, "train s"], lines)


def print_gains(results: dict[str, dict]) -> None:
    """Each variant's contest score, and its gain on the first clip by clip, with bootstrap intervals over the clips."""
    (first, base), *_ = results.items()
    for name, result in results.items():
        print(f"{name}: contest {with_interval(list(result['clips'].values()), '.4f')}")
    for name, result in list(results.items())[1:]:
        gains = [
            {"contest": result["clips"][clip]["contest"] - base["clips"][clip]["contest"]} for clip in base["clips"]
        ]
        better = sum(gain["contest"] < 0 for gain in gains)
        print(f"{name} against {first}: {with_interval(gains, '+.4f')}, better on {better} of {len(gains)} clips")


def with_interval(clips: Sequence[Scores], style: str) -> str:
    """The mean contest score and, in brackets, its interval."""
    mean, interval = mean_scores(clips)["contest"], intervals(clips)["contest"]
    ends = f" ({CONFIDENCE:.0%}: {format(interval[0], style)} to {format(interval[1], style)})" if interval else ""
    return format(mean, style) + ends


if __name__ == "__main__":
    run(main)
