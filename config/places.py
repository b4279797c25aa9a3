"""Where the repository lies, and the weights that it ships."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "result" / "voices" / "best.safetensors"  # what commands synthesize by unless told otherwise
LIVE = ROOT / "result" / "live" / "best.safetensors"  # and what they stream by
