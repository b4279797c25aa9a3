from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT, read_csv, write_curves
from dataset.phones import phones
from dataset.stats import compute_stats, save_stats
from dataset.textgrid import read_phones
from dataset.transcript import Word, read_tsv, write_tsv
from postprocess.score.metrics import intervals, mean_scores
from postprocess.score.phone_evaluation import PhoneScoring, evaluate_phones
from postprocess.score.phone_metrics import phone_scores
from tests.helpers import DEMO, TEXTGRIDS, needs_shared

CLIPS = ("en_001", "en_002", "zh_001")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three clips of the demo corpus with the phones of their words."""
    for clip in CLIPS:
        write_tsv(tmp_path / "phones" / f"{clip}.tsv", phones(read_tsv(DEMO / "tsv" / f"{clip}.tsv")))
        write_curves(tmp_path / "bs" / f"{clip}.csv", read_csv(DEMO / "bs" / f"{clip}.csv").select(ARKIT), ARKIT)
    return tmp_path


def test_each_clip_is_scored_as_the_metrics_do_and_stands_beside_floors(corpus: Path) -> None:
    found = evaluate_phones(PhoneScoring(corpus / "bs", corpus / "phones"))
    for clip in CLIPS:
        curves, said = (
            read_csv(corpus / "bs" / f"{clip}.csv").select(ARKIT),
            read_tsv(corpus / "phones" / f"{clip}.tsv"),
        )
        assert found.clips[clip] == phone_scores(curves, ARKIT, said, 30)
        shifted = np.roll(curves, len(curves) // 2, axis=0)
        assert found.floors["half a clip late"][clip] == phone_scores(shifted, ARKIT, said, 30)
    assert list(found.floors) == ["half a clip late", "another clip", "viseme animator"]
    other = read_csv(corpus / "bs" / "en_001.csv").select(ARKIT)
    said = read_tsv(corpus / "phones" / "en_002.tsv")
    frames = len(read_csv(corpus / "bs" / "en_002.csv").values)
    expected = phone_scores(np.resize(other, (frames, 52)), ARKIT, said, 30)
    assert found.floors["another clip"]["en_002"] == expected
    assert found.mean == mean_scores(list(found.clips.values()))
    assert found.ends == intervals(list(found.clips.values()))
    mean, late = found.mean, found.floor_means["half a clip late"]
    assert mean["bilabials_closed"] == 1 and late["bilabials_closed"] is not None and late["bilabials_closed"] < 1
    for name in ("gap_at_pbm", "rounding_at_uwo", "jaw_height_correlation"):  # rule-based curves follow their phones
        assert abs(mean[name] or 0) > abs(late[name] or 0) + 0.1, name


def test_targets_stand_beside_and_the_mean_face_is_still(corpus: Path) -> None:
    other_face = read_csv(corpus / "bs" / "en_001.csv").select(ARKIT)[::2]
    write_curves(corpus / "other" / "en_001.csv", other_face, ARKIT)
    save_stats(corpus / "stats.json", compute_stats([other_face], ["other"]))
    found = evaluate_phones(
        PhoneScoring(
            corpus / "bs", corpus / "phones", corpus / "other", stats=corpus / "stats.json", ids=["en_001", "zh_001"]
        )
    )
    said = read_tsv(corpus / "phones" / "en_001.tsv")
    assert found.floors["target"] == {
        "en_001": phone_scores(read_csv(corpus / "other" / "en_001.csv").select(ARKIT), ARKIT, said, 30)
    }
    assert found.floor_means["mean face"]["gap_at_pbm"] is None
    assert list(found.clips) == ["en_001", "zh_001"]


def test_two_files_match_whatever_they_are_called_and_what_lacks_phones_is_said(corpus: Path) -> None:
    one = evaluate_phones(PhoneScoring(corpus / "bs" / "en_001.csv", corpus / "phones" / "en_002.tsv"))
    assert list(one.clips) == ["en_001"] and "another clip" not in one.floors
    (corpus / "phones" / "zh_001.tsv").unlink()
    assert evaluate_phones(PhoneScoring(corpus / "bs", corpus / "phones")).remarks == ["no phones for: zh_001"]
    with pytest.raises(UserError, match="no clip has phones in"):
        evaluate_phones(PhoneScoring(corpus / "bs", corpus / "phones", ids=["zh_001"]))


def test_silences_of_a_tsv_are_no_phones(tmp_path: Path) -> None:
    write_tsv(tmp_path / "a.tsv", [Word("sil", 0, 1), Word("p", 1, 2), Word("SP", 2, 3), Word("AA1", 3, 4)])
    assert [phone.text for phone in read_phones(tmp_path / "a.tsv")] == ["p", "AA1"]


def test_a_textgrid_needs_a_tier_of_phones_and_no_words(tmp_path: Path) -> None:
    grid = '"ooTextFile"\n"TextGrid"\n0 1 <exists> 1\n"IntervalTier" "{}" 0 1 2\n0 0.5 "p"\n0.5 1 "sil"\n'
    (tmp_path / "a.TextGrid").write_text(grid.format("phones"), encoding="utf-8")
    assert read_phones(tmp_path / "a.TextGrid") == [Word("p", 0, 0.5)]
    (tmp_path / "b.TextGrid").write_text(grid.format("words"), encoding="utf-8")
    with pytest.raises(UserError, match='no tier named "phones"; it has words'):
        read_phones(tmp_path / "b.TextGrid")


@needs_shared(TEXTGRIDS)
def test_pinyin_of_a_real_forced_alignment(corpus: Path) -> None:
    said = read_phones(TEXTGRIDS / "774.TextGrid")
    assert [phone.text for phone in said][:4] == ["x", "ia4", "ng", "zh"]
    found = evaluate_phones(PhoneScoring(corpus / "bs" / "zh_001.csv", TEXTGRIDS / "774.TextGrid"))
    assert found.clips["zh_001"]["jaw_at_open"] is not None
