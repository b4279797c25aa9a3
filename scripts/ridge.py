"""Predict held-out clips by ridge regression on the speech features: the strongest simple thing, which to beat."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import config_arguments, run
from config.load import load_config
from config.study import add_pieces, check_pieces
from config.tables import table
from postprocess.score.held_out import COLUMNS, HeldOutScorer, cells

EXAMPLES = """
    python scripts/ridge.py --config config/facegood.yml --out ridge/ --pieces 10
    python scripts/ridge.py --config config/facegood.yml --out ridge/ data.split.fold=0
"""


def main() -> None:
    commands = config_arguments(__doc__, EXAMPLES)
    commands.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for the curves")
    add_pieces(commands)
    given = commands.parse_args()
    config = load_config(given.config, given.overrides)
    check_pieces(given.pieces, config.data.fps)
    from model.ridge_regression import run_ridge
    from model.trials import held_out_clips

    held_out = held_out_clips(config)
    scores = run_ridge([config], given.out, HeldOutScorer(given.pieces))
    rows = {**scores["clips"], "(mean)": scores["mean"]}
    print(table(["clip", *COLUMNS], [[clip, *cells(found)] for clip, found in rows.items()]))
    count = f"{len(held_out)} held-out clip{'s' * (len(held_out) > 1)}"
    print(f"\nfitted in {scores['train_s']:.1f} s, {count}: {given.out}")


if __name__ == "__main__":
    run(main)
