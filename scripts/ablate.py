"""Rank what each part of a recipe is worth: every change of a grid, trained with the same seeds, scored unseen."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import config_arguments, run
from config.errors import UserError
from config.grid import choose, load_grid, load_variants
from config.study import add_trial_options, check_pieces
from config.tables import table
from postprocess.score.ablation import ablation_rows, write_ablation_page, write_ablation_picture
from postprocess.score.held_out import HeldOutScorer

EXAMPLES = """
    python scripts/ablate.py --config config/facegood.yml --grid config/grids/ablation.yml --pieces 10
    python scripts/ablate.py --config config/facegood.yml --grid config/grids/ablation.yml --seeds 5
    python scripts/ablate.py --config config/demo.yml --grid config/grids/ablation.yml train.epochs=20
"""


def parse() -> argparse.Namespace:
    commands = config_arguments(__doc__, EXAMPLES)
    add = commands.add_argument
    add("--grid", type=Path, required=True, metavar="YAML", help="named changes, such as config/grids/ablation.yml")
    add("--variants", nargs="+", metavar="NAME", help="only these of the grid")
    add("--seeds", type=int, default=3, help="trainings a variant; the first has the config's run.seed")
    add_trial_options(commands)
    return commands.parse_args()


def main() -> None:
    given = parse()
    if given.seeds < 1:
        raise UserError(f"--seeds {given.seeds}: must be at least 1")
    grid = choose(load_grid(given.grid), given.variants)
    variants = load_variants(given.config, given.overrides, grid)
    first = next(iter(variants.values()))
    check_pieces(given.pieces, first.data.fps)
    from model.ridge_regression import run_ridge
    from model.trials import held_out_clips, run_grid

    held_out, scorer = held_out_clips(first), HeldOutScorer(given.pieces)
    folder = first.run.dir / f"{first.run.name}_ablation"
    trials = run_grid(variants, folder, scorer, given.seeds, given.epoch, given.overwrite)
    ridge = run_ridge([first], folder / "floors" / "ridge", scorer)
    print("", table(*ablation_rows(trials, ridge)), sep="\n")
    write_ablation_page(folder / "ablation.md", trials, ridge, grid, held_out, given.epoch)
    write_ablation_picture(folder / "ablation.png", trials)
    trainings, clips = len(variants) * given.seeds, f"{len(held_out)} held-out clip{'s' * (len(held_out) > 1)}"
    print(f"\n{len(variants)} variants, {trainings} trainings, {clips}: {folder / 'ablation.md'}")
    print(f"picture: {folder / 'ablation.png'}")


if __name__ == "__main__":
    run(main)
