"""The main job on what the repository ships: train a small model, score it on clips it never saw, give a wav a face.

The last five steps take the weights that the repository ships. Everything lands in result/demo.
"""

import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from config.places import ROOT

EXAMPLES = """
    python scripts/demo.py
"""
CURVES, SOUND, WORDS = "result/demo/hello_smooth.csv", "dataset/demo/hello.flac", "dataset/demo/hello.tsv"
HEARD = f"--csv {CURVES} --wav {SOUND}"
STEPS = {
    "pack": "data_process/pack.py --config config/demo.yml",
    "train": "scripts/train.py --config config/demo.yml --overwrite",
    "synthesize": "scripts/synthesize.py --ckpt_path result/demo/best.safetensors --wav_path dataset/demo/wav "
    "--out_path result/demo/csv",
    "evaluate": "scripts/evaluate.py --predictions result/demo/csv --targets dataset/demo/bs "
    "--stats result/demo/best.safetensors --unseen",
    "synthesize hello": f"scripts/synthesize.py --wav_path {SOUND} --transcript_path {WORDS} "
    "--enliven --out_path result/demo/hello.csv",
    "smooth": f"postprocess/smooth.py --input result/demo/hello.csv --output {CURVES}",
    "plot": f"scripts/plot.py {HEARD} --transcript_path {WORDS} --out_path result/demo/hello.png",
    "render": f"scripts/render.py {HEARD} --out result/demo/hello.mp4 --size 512",
    "view": f"scripts/view.py {HEARD} --transcript_path {WORDS} --out result/demo/hello.html",
}
MADE = f"""
curves: {CURVES}
plot:   result/demo/hello.png
movie:  result/demo/hello.mp4
page:   result/demo/hello.html (open it in a browser)"""


def main() -> None:
    parser(__doc__, EXAMPLES).parse_args()
    for number, (name, line) in enumerate(STEPS.items(), 1):
        print(f"\n[{number}/{len(STEPS)}] {name}: python {line}", flush=True)
        if subprocess.run([sys.executable, *shlex.split(line)], cwd=ROOT, check=False).returncode:
            raise UserError(f"the demo stops at {name}; python {line} says why above")
    print(MADE)


if __name__ == "__main__":
    run(main)
