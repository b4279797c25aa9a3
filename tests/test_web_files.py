"""JavaScript and style sheets: linted and laid out by biome, where `npm install` has put it."""

import shutil
import subprocess

import pytest

from tests.helpers import ROOT


def test_biome_finds_nothing() -> None:
    biome = shutil.which("biome", path=ROOT / "node_modules" / ".bin")
    if biome is None:
        pytest.skip("biome is not there: npm install --no-package-lock")
    done = subprocess.run(
        [biome, "check", "--error-on-warnings"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
