"""Turn a published .bin checkpoint of the reference implementation into one of ours, without running its pickle."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.files import keep_apart
from dataset.stats import STATS


def main() -> None:
    commands = parser(__doc__, "python scripts/import_reference.py checkpoint.bin result/reference/best.safetensors")
    commands.add_argument("source", type=Path, help="the reference's .bin file, written by torch.save")
    commands.add_argument("target", type=Path, help="our checkpoint, .safetensors")
    given = commands.parse_args()
    written = {"target": given.target, "the stats beside it": given.target.with_name(STATS)}
    keep_apart([given.source], written.items())
    from model.reference import import_checkpoint

    header, tensors = import_checkpoint(given.source, given.target)
    domains = "with" if header.config.domain_size else "without"
    print(f"imported {tensors} tensors, {header.fps:g} fps, {domains} domain one-hot: {given.target}")


if __name__ == "__main__":
    run(main)
