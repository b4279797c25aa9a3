"""A checkpoint and a head as one offline page: a microphone or a sound file drives the face, in any browser.

The page needs no network, no server and no other file: send it by mail, open it by a double click, on a phone too.
It hears by the checkpoint's own weights, as stream.py does, and eyes, brows and head live as postprocess/enliven.py has
them of the same seed and mood. What it hears leaves it only as a csv that one saves: for a sound file, that of
synthesize.py --enliven with the same checkpoint, domain, look-ahead and seed.
As .json it is what a page of your own hears by, without a head: postprocess/integrations/three/ is one.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from config.places import LIVE
from postprocess.face.heads import DEFAULT_HEAD, read_head

EXAMPLES = """
python scripts/export_page.py --out talk.html
python scripts/export_page.py --out talk.html --head my_head.glb --title Ada
python scripts/export_page.py --out talk.html --ckpt_path result/mine/best.safetensors
python scripts/export_page.py --out data/talk.json
"""
NETWORK, PAGES = ".json", (".html", ".htm")


def main() -> None:
    given = parse()
    from model.browser_network import browser_network
    from model.causal_model import load_causal
    from postprocess.viewer.talk_page import write_network, write_talk_page  # loads soundfile

    network = browser_network(load_causal(given.ckpt_path))
    if given.out.suffix == NETWORK:
        write_network(given.out, network.numbers, network.arrays)
    else:
        path = given.head or DEFAULT_HEAD
        head = read_head(path)
        if head.missing:
            print(f"{path}: does not move for {', '.join(head.missing)}")
        write_talk_page(given.out, head, given.title or given.out.stem, network.numbers, network.arrays)
    choices = ", ".join(f"{choice['ms']:g}" for choice in network.numbers["lookaheads"])
    domains = ", ".join(network.numbers["domains"])
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB, look-ahead of {choices} ms, sounds like {domains}")


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--out", type=Path, required=True, metavar="PATH", help="the page to write, or a .json")
    add("--ckpt_path", type=Path, default=LIVE, help="checkpoint that streams, its folder, or a hub id (user/repo)")
    add("--head", type=Path, metavar="PATH", help="glb, gltf, vrm, or a folder of OBJ shapes (default: ours)")
    add("--title", help="what stands at the page's top (default: the page's name)")
    given = options.parse_args()
    if given.out.suffix == NETWORK:
        for option in ("head", "title"):
            if getattr(given, option) is not None:
                raise UserError(f"--{option}: has no meaning for a {NETWORK}, only for a page")
    elif given.out.suffix.lower() not in PAGES:
        raise UserError(f"--out {given.out}: pages are .html files, a network alone is a .json")
    keep_apart([given.ckpt_path, given.head], [("--out", given.out)])
    return given


if __name__ == "__main__":
    run(main)
