"""Train fold by fold: every clip is predicted and scored by a model that never heard it, and the models are kept."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import config_arguments, run
from config.files import write_json
from config.grid import BASE, choose, load_grid, load_variants
from config.study import add_trial_options, check_pieces
from dataset.corpus import Corpus
from dataset.split import clip_folds, speaker_folds
from postprocess.score.fold_table import fold_table, gain_lines
from postprocess.score.held_out import HeldOutScorer

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
    grid = choose(load_grid(given.grid) if given.grid else {BASE: ()}, given.variants)
    variants = load_variants(given.config, given.overrides, grid)
    first = next(iter(variants.values()))
    check_pieces(given.pieces, first.data.fps)
    from model.features import open_clips
    from model.ridge_regression import run_ridge
    from model.trials import run_folds, with_split

    clips = [clip.id for clip in open_clips(first).clips]
    folds = first.data.split.folds if given.folds is None else given.folds
    manifests = [Corpus(folder).manifest for folder in first.data.corpus]
    splits = clip_folds(clips, folds) if given.by == "clip" else speaker_folds(clips, folds, manifests)
    scorer = HeldOutScorer(given.pieces)
    folder = first.run.dir / f"{first.run.name}_kfold"
    results = {}
    for name, config in variants.items():
        scores = run_folds(config, splits, folder / name, scorer, given.epoch, given.overwrite)
        results[name] = {**scores, "changes": grid[name]}
    ridge = run_ridge([with_split(first, split) for split in splits], folder / "floors" / "ridge", scorer)
    print("", fold_table(results, ridge), *gain_lines(results), sep="\n")
    settings = {"by": given.by, "pieces_s": given.pieces, "epoch": given.epoch}
    write_json(folder / "kfold.json", {**settings, "variants": results, "ridge": ridge})
    models = len(variants) * len(splits)
    print(f"{models} models, {len(clips)} clips, each scored by models that never heard it: {folder / 'kfold.json'}")
    for name in variants:
        print(f"curves: {folder / name / 'oof'}   ensemble: {folder / name / 'ensemble'}")


if __name__ == "__main__":
    run(main)
