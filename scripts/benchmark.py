"""Time the parts that decide how fast training and scoring are, each beside a plain baseline, in one run."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.files import write_json

EXAMPLES = """
python scripts/benchmark.py
python scripts/benchmark.py --stages dtw_loss contest_score --json benchmark.json
python scripts/benchmark.py --quick
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--stages", nargs="+", metavar="NAME", help="only these, of model/bench/timed_stages.py")
    options.add_argument("--quick", action="store_true", help="a tenth of the repeats, part of the slow baselines")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the machine and all times here")
    return options.parse_args()


def main() -> None:
    given = parse()
    from model.bench import machine, timed_stages, timings
    from model.memory import keep_freed_memory

    effort = timings.Effort(given.quick)
    names = timed_stages.chosen(given.stages, effort)
    keep_freed_memory()
    here = machine.this_machine(effort.repeats(30))
    taken = timed_stages.time_stages(names, effort)
    print(timings.report(taken, here), end="\n\n")
    print(f"timed {len(taken)} stage{'s' * (len(taken) > 1)}")
    if given.json:
        rows = [timings.as_row(name, timing, here) for name, timing in taken.items()]
        write_json(given.json, {"machine": asdict(here), "stages": rows})
        print(given.json)


if __name__ == "__main__":
    run(main)
