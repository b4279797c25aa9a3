"""A checkpoint as one ONNX file: sound in, curves out, in any program that has an ONNX runtime.

One that streams takes samples as they come and carries its states in and out; one that hears whole windows takes a
whole sound; one on features of a speech model takes these. The file's description says how, its metadata what the
channels are.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from config.packages import check_installed
from config.places import SHIPPED
from model.lookahead import USUAL_MS

EXAMPLES = """
python scripts/export_model.py --out model.onnx
python scripts/export_model.py --ckpt_path result/live/best.safetensors --out live.onnx --lookahead_ms 50 --fp16
python scripts/export_model.py --ckpt_path user/repo --out model.onnx --domain clear
"""


def main() -> None:
    given = parse()
    keep_apart([given.ckpt_path], [("--out", given.out)])
    check_installed(["onnx"], "requirements-onnx.txt")
    from model.graph.export import export_model

    print(export_model(given.ckpt_path, given.out, given.domain, given.lookahead_ms, given.fp16))


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--ckpt_path", type=Path, default=SHIPPED, help="checkpoint, its folder, or a hub id (user/repo)")
    add("--out", type=Path, required=True, metavar="PATH", help="the .onnx file to write")
    add("--lookahead_ms", type=float, help=f"of one that streams: sound after a frame (default: {USUAL_MS:g})")
    add("--domain", help="recording set to sound like; by default the first")
    add("--fp16", action="store_true", help="keep weights in half the bytes; all is computed in float32 nevertheless")
    given = options.parse_args()
    if given.out.suffix != ".onnx":
        raise UserError(f"--out {given.out}: is written as ONNX; call it {given.out.with_suffix('.onnx').name}")
    return given


if __name__ == "__main__":
    run(main)
