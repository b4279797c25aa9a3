import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.grid import load_grid, load_variants
from config.load import ROOT
from scripts import ablate

GRID = "base: []\nlinear: [model.output=linear]\ndeaf: [train.learning_rate=1e-9, model.conv_layers=0]\n"
NAMES = ("base", "linear", "deaf")


@pytest.fixture(scope="module")
def study(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with grid.yml and tiny_ablation/ after two seeds of three variants."""
    folder = tmp_path_factory.mktemp("ablate")
    (folder / "grid.yml").write_text(GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["ablate", *map(str, words(folder, packed))])
        ablate.main()
    return folder


def words(folder: Path, packed: Path, *more: object) -> list[object]:
    return ["--config", packed, "--grid", folder / "grid.yml", "--seeds", 2, f"run.dir={folder}", "run.seed=7", *more]


def contests(folder: Path) -> dict[str, list[float]]:
    cells = {
        name: [folder / "tiny_ablation" / name / f"seed_{seed}" / "scores.json" for seed in (7, 8)] for name in NAMES
    }
    return {name: [json.loads(path.read_text())["mean"]["contest"] for path in paths] for name, paths in cells.items()}


def test_the_table_ranks_means_over_the_same_seeds(study: Path) -> None:
    found = contests(study)
    text = (study / "tiny_ablation" / "ablation.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    head, _, *rows, ridge, floor = lines
    assert head[:3] == ["variant", "contest", "vs base"] and head[-1] == "train s"
    assert (ridge[0], floor[0]) == ("(ridge)", "(mean face)")
    assert [path.name for path in (study / "tiny_ablation" / "floors" / "ridge").iterdir()] == ["a1.csv"]
    best_first = sorted(NAMES, key=lambda name: np.mean(found[name]))
    assert [row[0] for row in rows] == best_first
    for name, contest, against, *_ in rows:
        one, two = found[name]
        assert one != two  # the seeds differ
        assert contest == f"{(one + two) / 2:.4f} ± {abs(one - two) / 2**0.5:.4f}"
        gain = 100 * (sum(found[name]) / sum(found["base"]) - 1)
        assert against == ("–" if name == "base" else f"{gain:+.1f} %")
    assert "Held out: a1." in text and "over 2 seeds" in text
    assert "- deaf: `train.learning_rate=1e-9`, `model.conv_layers=0`" in text and "- base: nothing changed" in text
    assert (study / "tiny_ablation" / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_a_cell_that_is_done_stays_and_a_new_one_is_added(
    study: Path, packed: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = sorted((study / "tiny_ablation").glob("*/seed_*/*.safetensors"))
    before = {path: path.stat().st_mtime_ns for path in kept}
    found = contests(study)
    (study / "grid.yml").write_text(GRID + "wide: [model.width=16]\n")
    run_main(ablate, *words(study, packed))
    (study / "grid.yml").write_text(GRID)
    assert {path: path.stat().st_mtime_ns for path in kept} == before and contests(study) == found
    shown = capsys.readouterr().out
    assert "wide, seed 8 (8 of 8)" in shown and "4 variants, 8 trainings, 1 held-out clip:" in shown
    run_main(ablate, *words(study, packed), "--variants", "base", "linear")
    assert "2 variants, 4 trainings" in capsys.readouterr().out


def test_a_cell_is_the_same_alone(study: Path, packed: Path, tmp_path: Path, run_main: Callable[..., None]) -> None:
    """A variant's scores do not depend on what was trained before it in the same process."""
    (tmp_path / "grid.yml").write_text("deaf: [train.learning_rate=1e-9, model.conv_layers=0]\n")
    run_main(ablate, *words(tmp_path, packed))
    alone = tmp_path / "tiny_ablation" / "deaf"
    for seed, contest in zip((7, 8), contests(study)["deaf"], strict=True):
        scores = json.loads((alone / f"seed_{seed}" / "scores.json").read_text())
        assert scores["mean"]["contest"] == pytest.approx(contest, rel=1e-5)


def test_a_cell_with_other_settings_is_refused(study: Path, packed: Path, refusal: Callable[..., str]) -> None:
    line = refusal(ablate, *words(study, packed, "train.epochs=3"))
    place = study / "tiny_ablation" / "base" / "seed_7"
    says = "trained with train.epochs 2, the config says 3"
    assert line == f"{place}: {says}; set it back, or start every trial afresh with --overwrite"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("", "{path}: no names; expected lines such as `no_onehot: [model.domain_one_hot=false]`"),
        ("a b: []", "{path}, line 1: a b: it names a folder; use letters, digits and _ . -"),
        ("base: []\nx: train.ema=0", "{path}, line 2: x: expected a list of section.key=value, such as [train.ema=0]"),
        ("x: [train.emma=0]", "x: emma: unknown key in train; did you mean ema?"),
        ("x: []\nx: []", "{path}, line 2: x stands twice; keep one"),
        ("x: [ema]", "x: ema: expected section.key=value, such as train.epochs=20"),
    ],
)
def test_refusals_of_a_grid(grid: str, message: str, packed: Path, tmp_path: Path, refusal: Callable[..., str]) -> None:
    path = tmp_path / "grid.yml"
    path.write_text(grid)
    assert refusal(ablate, "--config", packed, "--grid", path) == message.format(path=path)


def test_refusals(study: Path, packed: Path, refusal: Callable[..., str]) -> None:
    given = words(study, packed)
    assert refusal(ablate, *given, "--seeds", 0) == "--seeds 0: must be at least 1"
    line = refusal(ablate, *words(study, packed, "data.split.by=none"))
    assert line == "data.split: by: none holds out no clip to score; by: fold does"
    line = refusal(ablate, *given, "--variants", "bass")
    assert line == "--variants: no bass in the grid; known: base, no_onehot, linear, deaf"


@pytest.mark.parametrize("grid", sorted((ROOT / "config" / "grids").glob("*.yml")), ids=lambda path: path.name)
@pytest.mark.parametrize("config", ["facegood", "demo"])
def test_every_change_of_the_shipped_grids_makes_another_config(grid: Path, config: str) -> None:
    variants = load_variants(ROOT / "config" / f"{config}.yml", [], load_grid(grid))
    texts = [variant.model_dump_json() for variant in variants.values()]
    assert "base" in variants and len(set(texts)) == len(texts)
