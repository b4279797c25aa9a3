from pathlib import Path

import pytest

from config.errors import UserError
from config.load import ROOT, load_config
from config.schema import Data, Domain, Split
from dataset.split import clip_folds, domain_of, matches, speaker_folds, split_clips
from dataset.store import ClipInfo


def clips(names: str, folders: str = "") -> list[ClipInfo]:
    each = folders.split() or [""] * len(names.split())
    return [ClipInfo(name, "d", folder, 1, 1, 0, "") for name, folder in zip(names.split(), each, strict=True)]


def data_of(split: Split) -> Data:
    return load_config(ROOT / "config" / "default.yml").data.model_copy(update={"corpus": (Path("c"),), "split": split})


def split(by: str, names: str, folders: str = "", **options: object) -> tuple[str, str]:
    settings = {"by": by, "fold": 0, "folds": 5, "val": ()} | options
    train, val = split_clips(clips(names, folders), data_of(Split(**settings)))  # type: ignore[arg-type]
    return " ".join(clip.id for clip in train), " ".join(clip.id for clip in val)


@pytest.mark.parametrize(("fold", "val"), [(0, "a0 a5"), (1, "a1 a6"), (2, "a2"), (3, "a3"), (4, "a4")])
def test_folds_hold_out_every_nth_clip(fold: int, val: str) -> None:
    names = "a0 a1 a2 a3 a4 a5 a6"
    train, held_out = split("fold", names, fold=fold)
    assert held_out == val
    assert sorted(f"{train} {held_out}".split()) == names.split()


def test_by_list_names_and_patterns() -> None:
    assert split("list", "a1 a2 b1 b[1]", val=("a2", "b*")) == ("a1", "a2 b1 b[1]")
    assert split("list", "a1 a2 b1 b[1]", val=("b[1]",)) == ("a1 a2", "b1 b[1]")
    assert split("list", "a1 a2 b[1]", val=("b[1]",)) == ("a1 a2", "b[1]")
    names = "1114_3_15 1114_3_16 en_emma_0001 en_emma_0002 en_li_0001"
    held_out = "1114_3_15 en_emma_0001 en_emma_0002"
    assert split("list", names, val=("1114_3_15", "en_emma_*")) == ("1114_3_16 en_li_0001", held_out)


def test_by_folder_and_none() -> None:
    assert split("folder", "a b c", "train val train") == ("a c", "b")
    assert split("none", "a b") == ("a b", "")


@pytest.mark.parametrize(
    ("by", "folders", "options", "side"),
    [
        ("fold", "", {"fold": 4}, "validation"),
        ("list", "", {"val": ()}, "validation"),
        ("list", "", {"val": ("*",)}, "training"),
        ("folder", "", {}, "validation"),
        ("folder", "val val", {}, "training"),
    ],
)
def test_an_empty_side_is_refused(by: str, folders: str, options: dict[str, object], side: str) -> None:
    with pytest.raises(UserError, match=rf"no {side} clips among 2; see data.split \(by: {by}\)"):
        split(by, "a b", folders, **options)


@pytest.mark.parametrize(
    ("val", "mend"), [("A", "did you mean a?"), ("x*", "take it out or mend it"), ("bad_2", "did you mean bad_1?")]
)
def test_a_validation_clip_named_in_vain_is_refused(val: str, mend: str) -> None:
    with pytest.raises(UserError) as caught:
        split("list", "a bad_1", val=("a", val))
    assert str(caught.value) == f"c: data.split.val names {val}, but there is no such clip; {mend}"


def test_the_first_domain_that_matches() -> None:
    domains = [Domain(name="x", clips=("a1", "b*"), weight=1.0), Domain(name="y", clips=("a*",), weight=1.0)]
    assert [domain_of(name, domains) for name in ("a1", "a10", "b", "a")] == ["x", "y", "x", "y"]
    with pytest.raises(UserError, match=r"c: matches no domain; add its pattern to data.domains"):
        domain_of("c", domains)
    with pytest.raises(UserError):
        domain_of("A1", domains)


def test_patterns_match_whole_names() -> None:
    assert matches("a1", ["a?"])
    assert not matches("ba1", ["a?"])
    assert not matches("a1", [])


def test_every_clip_is_held_out_by_one_fold() -> None:
    names = "a0 a1 a2 a3 a4 a5 a6"
    held_out = [split_clips(clips(names), data_of(fold))[1] for fold in clip_folds(names.split(), 3)]
    assert sorted(clip.id for side in held_out for clip in side) == names.split()


def test_folds_by_speaker(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id,speaker\na1,Li\na2,Wu\na3,Li\nb1,Ma\nb2,Wu\n")
    names = ("a1", "a2", "a3", "b1", "b2")
    assert [split.val for split in speaker_folds(names, 3, [manifest])] == [("a1", "a3"), ("a2", "b2"), ("b1",)]
    others = tmp_path / "others.csv"
    others.write_text("id,speaker\nc1,Li\nc2,An\n")
    both = speaker_folds((*names, "c1", "c2"), 2, [manifest, others])
    assert [split.val for split in both] == [("a1", "a3", "b1", "c1"), ("a2", "b2", "c2")]
    assert [split.val for split in speaker_folds(names, 2, [manifest])] == [("a1", "a3", "b1"), ("a2", "b2")]
