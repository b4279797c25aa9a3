"""Train a decoder on a packed corpus: features are cached once, the best and the last checkpoint kept in the run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import config_arguments, run
from config.files import keep_apart
from config.load import load_config
from config.run_folder import BEST, LAST, check_run_folder

EXAMPLES = """
    python scripts/train.py --config config/facegood.yml
    python scripts/train.py --config config/facegood.yml run.name=wide model.width=256 train.epochs=30
    python scripts/train.py --config config/facegood.yml --resume
    python scripts/train.py --config config/finetune.yml data.corpus=data/me data.lmdb=data/me/clips.lmdb run.name=me
    accelerate launch scripts/train.py --config config/aiwin.yml
"""


def main() -> None:
    commands = config_arguments(__doc__, EXAMPLES)
    either = commands.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="go on from the run's last.safetensors, if it has one")
    either.add_argument("--overwrite", action="store_true", help="start afresh where the run's folder holds a run")
    arguments = commands.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    check_run_folder(config.run_dir, arguments.resume, arguments.overwrite)
    if config.train.init and not arguments.resume:
        from model.hub import find_checkpoint

        base = find_checkpoint(config.train.init)
        keep_apart([base], [("run.name", config.run_dir / name) for name in (BEST, LAST)])
    from model.training import train

    train(config, resume=arguments.resume)


if __name__ == "__main__":
    run(main)
