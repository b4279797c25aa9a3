"""Where the repository lies, the weights that it ships, and how those elsewhere are named."""

import re
from pathlib import Path

from config.run_folder import SUFFIX

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "result" / "voices" / "best.safetensors"  # what commands synthesize by unless told otherwise
LIVE = ROOT / "result" / "live" / "best.safetensors"  # and what they stream by
_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")


def is_hub_id(name: str) -> bool:
    """Whether it may be user/repo on the Hugging Face hub; where a file or a folder has that name, it is that."""
    return _HUB_ID.fullmatch(name) is not None and not name.endswith(SUFFIX)
