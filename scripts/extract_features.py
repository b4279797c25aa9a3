"""Run the frozen speech encoder over every clip of a database and keep its features; train.py does so by itself."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import config_arguments, run
from config.load import load_config


def main() -> None:
    arguments = config_arguments(
        __doc__,
        """python scripts/extract_features.py --config config/facegood.yml
        python scripts/extract_features.py --config config/aiwin.yml features.model=~/models/chinese-hubert-large""",
    ).parse_args()
    config = load_config(arguments.config, arguments.overrides)
    from model.features import extract

    started = time.perf_counter()
    made, encoded_s, clips = extract(config)
    pace = encoded_s / (time.perf_counter() - started)
    print(
        f"{made} clips encoded, {clips - made} were there: {config.features.cache};"
        f" {encoded_s / 60:.1f} min of audio, {pace:.1f} hours of audio an hour"
    )


if __name__ == "__main__":
    run(main)
