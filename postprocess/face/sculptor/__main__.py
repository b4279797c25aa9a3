"""Make the head that the pictures and exports show: a mesh of our own with the 52 ARKit blendshapes."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from config.command import parser, run

EXAMPLES = """
python -m postprocess.face.sculptor --out postprocess/face/neutral.glb
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.prog = "python -m postprocess.face.sculptor"
    options.add_argument("--out", type=Path, required=True, metavar="GLB", help="file to write")
    return options.parse_args()


def main() -> None:
    arguments = parse()
    from postprocess.face.gltf import write_head
    from postprocess.face.sculptor.build import build_head

    head = build_head()
    write_head(arguments.out, head)
    vertices = sum(len(part.vertices) for part in head.parts)
    size_kb = arguments.out.stat().st_size / 1000
    print(f"{arguments.out}: {vertices:,} vertices, {len(head.channels)} blendshapes, {size_kb:,.0f} kB")


if __name__ == "__main__":
    run(main)
