"""How well a face tracker reads a face whose curves are known: rendered, tracked, and compared channel by channel."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.files import keep_apart

EXAMPLES = """
python scripts/closed_loop.py --out result/closed_loop.md --tracker models/face_landmarker.task
python scripts/closed_loop.py --out ict.md --head ict.glb
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--out", type=Path, required=True, help="the table to write, as Markdown")
    options.add_argument("--head", type=Path, nargs="+", help="heads to render, as scripts/render.py has them")
    options.add_argument("--tracker", type=Path, default=Path("models/face_landmarker.task"))
    options.add_argument("--size", type=int, default=384, help="pixels of the film's side")
    given = options.parse_args()
    keep_apart([given.tracker, *(given.head or [])], [("--out", given.out)])
    return given


def main() -> None:
    given = parse()
    from tempfile import TemporaryDirectory

    from config.files import written_whole
    from data_process.video.known import FPS, further_sections, known_columns, read_back, table
    from data_process.video.landmarker import check_tracker
    from dataset.blendshapes import write_columns
    from postprocess.face.heads import DEFAULT_HEAD
    from postprocess.film.footage import read_footage
    from postprocess.film.releases import write_movie

    check_tracker(given.tracker)
    readings = {}
    for head in given.head or [DEFAULT_HEAD]:
        with TemporaryDirectory() as folder:
            curves, film = Path(folder) / "known.csv", Path(folder) / "known.mp4"
            write_columns(curves, known_columns())
            print(write_movie(film, read_footage([curves], [], None, None, head, FPS, FPS), given.size))
            readings[head.stem] = read_back(film, given.tracker)
    with written_whole(given.out) as partial:
        partial.write_text(table(readings) + further_sections(given.out), encoding="utf-8")
    print(given.out)


if __name__ == "__main__":
    run(main)
