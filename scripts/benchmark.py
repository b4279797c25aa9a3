"""Time the parts that decide how fast training and scoring are, each beside a plain baseline, in one run.

--live: what a live voice costs instead, beside what it may cost. --alive: how people made by rule blink and look.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart, write_json
from config.places import LIVE

PEOPLE = 8
EXAMPLES = """
python scripts/benchmark.py
python scripts/benchmark.py --stages dtw_loss contest_score --json benchmark.json
python scripts/benchmark.py --quick
python scripts/benchmark.py --live --quick
python scripts/benchmark.py --alive
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--stages", nargs="+", metavar="NAME", help="only these, of model/bench/timed_stages.py")
    options.add_argument("--quick", action="store_true", help="a tenth of the repeats, part of the slow baselines")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the machine and all times here")
    options.add_argument("--live", action="store_true", help="time a stream instead: its table, and whether it is met")
    options.add_argument("--ckpt_path", type=Path, default=LIVE, help="with --live: a checkpoint that streams")
    options.add_argument("--alive", action="store_true", help="simulate upper faces instead, an hour of each")
    given = options.parse_args()
    if given.live + given.alive + bool(given.stages) > 1:
        raise UserError("--stages, --live and --alive: are three things; leave all but one out")
    if given.alive and given.json:
        raise UserError("--json: has no meaning for --alive")
    return given


def main() -> None:
    given = parse()
    if given.alive:
        simulate(1 if given.quick else PEOPLE)
    elif given.live:
        time_live(given.ckpt_path, given.quick, given.json)
    else:
        time_parts(given.stages, given.quick, given.json)


def simulate(people: int) -> None:
    """Print how so many people blink and look, beside what is published of real ones."""
    from config.tables import table
    from postprocess.score.simulated import figures, simulated

    for name, speaking in (("talk", True), ("silence", False)):
        hours = [simulated(seed, speaking) for seed in range(people)]
        print(table([f"{people} × 60 min, {name}", "simulated", "published"], figures(hours)), end="\n\n")


def time_parts(stages: Sequence[str] | None, quick: bool, out: Path | None) -> None:
    """Print how long stages take, all or these. Raises UserError for one that is not known."""
    from model.bench import machine, timed_stages, timings
    from model.memory import keep_freed_memory

    effort = timings.Effort(quick)
    names = timed_stages.chosen(stages, effort)
    keep_freed_memory()
    here = machine.this_machine(effort.repeats(30))
    taken = timed_stages.time_stages(names, effort)
    print(timings.report(taken, here), end="\n\n")
    print(f"timed {len(taken)} stage{'s' * (len(taken) > 1)}")
    if out:
        rows = [timings.as_row(name, timing, here) for name, timing in taken.items()]
        write_json(out, {"machine": asdict(here), "stages": rows})
        print(out)


def time_live(checkpoint: Path, quick: bool, out: Path | None) -> None:
    """Print what a live voice costs. Raises UserError for a checkpoint that cannot stream."""
    keep_apart([checkpoint], [("--json", out)])
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy: one core
    import numpy as np

    from model.bench.live_timings import LiveFigure, live_figures, live_report
    from model.bench.timings import Effort
    from postprocess.send.lateness import packet_delays_ms

    effort = Effort(quick)
    late_ms = packet_delays_ms(effort.repeats(30))
    figures = live_figures(checkpoint, effort)
    figures.append(LiveFigure("from a frame's time to its packet, 99 %", float(np.percentile(late_ms, 99)), "ms"))
    print(live_report(figures))
    if out:
        write_json(out, {figure.what: figure.value for figure in figures})
        print(out)


if __name__ == "__main__":
    run(main)
