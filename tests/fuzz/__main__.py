"""Damage small files of every format in seeded ways, and see that each is read or refused in one line.

python -m tests.fuzz --inputs 20000
python -m tests.fuzz --inputs 2000 --seed 7 --only head gltf_json --keep faults/
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    options.add_argument("--inputs", type=int, default=3000, help="mutations to try")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", nargs="+", default=[], choices=tuple(READERS), metavar="KIND", help="of files")
    options.add_argument("--keep", type=Path, metavar="DIR", help="where files at fault stay")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        bar = tqdm(total=given.inputs, unit="file")
        for tally in fuzz(folder, given.inputs, given.seed, given.only):
            bar.update()
            bar.set_postfix(mishandled=len(tally.faults))
        bar.close()
    for reader, number, outcome in tally.faults:
        print(f"{number} {reader}: {outcome.kind}: {outcome.detail}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in tally.kinds.most_common())
    print(f"{tally.tried} mutations by seed {given.seed}: {kinds}; {len(tally.faults)} mishandled")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
