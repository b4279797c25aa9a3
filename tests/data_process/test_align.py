"""Alignment: real TextGrids, a stand-in for mfa, and energy, against the audio, the texts and known word times."""

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_process import align
from data_process.energy import speech_stretches, spread
from dataset.audio import read_audio, sample_count
from dataset.textgrid import read_grid, split, timed_tokens
from dataset.tokens import tokenize
from dataset.transcript import Word, read_tsv
from tests.helpers import CASES, DEMO, TEXTGRIDS, Corpus, needs_case, needs_shared, refused, skip_without

CLIPS = ("774", "814", "854", "934", "974")


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """The five real utterances as a corpus, their texts without the spaces between words."""
    skip_without(TEXTGRIDS)
    (tmp_path / "wav").mkdir()
    (tmp_path / "text").mkdir()
    for clip in CLIPS:
        shutil.copy(TEXTGRIDS / f"{clip}.wav", tmp_path / "wav")
        text = (TEXTGRIDS / f"{clip}.lab").read_text(encoding="utf-8").replace(" ", "")
        (tmp_path / "text" / f"{clip}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def check_tsv(corpus: Path, clip: str) -> list[Word]:
    """Tokens are the text's characters, in order, without overlap (read_tsv refuses it), within the sound."""
    words = read_tsv(corpus / "tsv" / f"{clip}.tsv")
    [wav] = (corpus / "wav").glob(f"{clip}.*")
    assert [word.text for word in words] == tokenize((corpus / "text" / f"{clip}.txt").read_text(encoding="utf-8"))
    assert all(word.end_s > word.start_s for word in words)
    assert words[-1].end_s <= sample_count(wav) / 16_000 + 1e-3
    return words


def test_the_real_textgrids(real: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    run_main(align, "--corpus", real, "--textgrids", TEXTGRIDS, "--jobs", 1)
    assert "aligned 5 clips (0 up to date), 172 tokens in 0.8 min, 0 dropped" in capsys.readouterr().out
    words = {clip: check_tsv(real, clip) for clip in CLIPS}
    assert {clip: len(found) for clip, found in words.items()} == {
        "774": 36,
        "814": 37,
        "854": 34,
        "934": 30,
        "974": 35,
    }
    # Syllables cut by hand from the phones: n belongs to 散 and 年, ng to 耕, and r to 而.
    for clip, expected in {
        "814": [("散", 0.31, 0.51), ("文", 0.51, 1.03)],
        "774": [("十", 2.03, 2.23), ("年", 2.23, 2.73), ("耕", 4.43, 4.72), ("牛", 4.72, 5.07), ("而", 6.72, 6.88)],
        "934": [("运", 0.19, 0.42), ("动", 0.42, 0.63), ("员", 0.63, 0.79), ("全", 7.4, 7.73)],
        "854": [("包", 3.3, 3.51), ("罗", 3.51, 3.77), ("万", 3.77, 4.01), ("象", 4.01, 4.76)],
    }.items():
        assert [Word(*row) for row in expected if Word(*row) not in words[clip]] == []
    head = (real / "tsv" / "974.tsv").read_text(encoding="utf-8").splitlines()[:2]
    assert head[0] == "# textgrid: from a forced alignment in mandarin_textgrid/"
    assert head[1] == "# split evenly, the phones not telling the characters apart: 喀布尔"

    run_main(align, "--corpus", real, "--textgrids", TEXTGRIDS, "--jobs", 1)
    assert "(5 up to date)" in capsys.readouterr().out


@needs_shared(TEXTGRIDS)
def test_short_and_long_textgrids_read_the_same(tmp_path: Path) -> None:
    from praatio import textgrid

    long = TEXTGRIDS / "934.TextGrid"
    grid = textgrid.openTextgrid(str(long), includeEmptyIntervals=True)
    for kind in ("short_textgrid", "long_textgrid"):
        grid.save(str(tmp_path / kind), kind, includeBlankSpaces=True)
        assert read_grid(tmp_path / kind)[1:] == read_grid(long)[1:]
    (tmp_path / "utf16").write_text(long.read_text(encoding="utf-8"), encoding="utf-16")
    assert read_grid(tmp_path / "utf16")[1:] == read_grid(long)[1:]


@pytest.mark.parametrize(
    ("word", "phones", "cuts"),
    [
        ("大娘", "d a4 n ia2 ng", [2]),  # the same consonant between, and another character
        ("单样", "d a1 n ia4 ng", [3]),
        ("然而", "r a2 n e2 r", [3]),
        ("二人", "e4 r e2 n", [1]),
        ("儿童", "e2 r t o2 ng", [2]),
        ("三年", "s a1 n n ia2 n", [3]),
        ("广州", "g uang3 zh ou1", [2]),  # initials and whole finals
        ("朋友", "p ə˧˥ ŋ j ow˧˥", [3]),  # MFA's IPA: a glide starts the syllable, tones are contours
        ("安全", "ʔ a˥ n tɕʰ ɥ e˧˥ n", [3]),
        ("什么", "ʂ ə˧˥ m ə", [2]),  # a neutral tone has no mark
        ("知识", "ʈʂ ʐ̩˥ ʂ ʐ̩˥˩", [2]),  # syllabic consonants carry the tone
        ("运动员", "v4 n d o4 ng va2 n", [2, 5]),
    ],
)
def test_words_are_split_at_their_syllables(word: str, phones: str, cuts: list[int]) -> None:
    intervals = [Word(phone, index / 10, (index + 1) / 10) for index, phone in enumerate(phones.split())]
    found = split(Word(word, 0.0, len(intervals) / 10), list(word), intervals)
    assert found is not None and [token for token, _, _ in found] == list(word)
    assert [round(token.start_s * 10) for token in found[1:]] == cuts
    assert [round(token.end_s * 10) for token in found[:-1]] == cuts


@pytest.mark.parametrize(("word", "phones"), [("花儿", "h ua1 r"), ("喀布尔", "b u4 e3 r"), ("你好", "")])
def test_words_whose_phones_do_not_tell_are_not_guessed_at(word: str, phones: str) -> None:
    intervals = [Word(phone, index / 10, (index + 1) / 10) for index, phone in enumerate(phones.split())]
    assert split(Word(word, 0.0, 1.0), list(word), intervals) is None


def write_grid(path: Path, words: list[tuple[float, float, str]], tier: str = "words", end_s: float = 2.0) -> Path:
    """A TextGrid as a person's tool may write it: the one tier, in the long format, silences left out."""
    rows = "".join(
        f'intervals [{index}]:\n    xmin = {start}\n    xmax = {end}\n    text = "{text}"\n'
        for index, (start, end, text) in enumerate(words, 1)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {end_s}\ntiers? <exists>\nsize = 1\n'
        f'item []:\n    item [1]:\n        class = "IntervalTier"\n        name = "{tier}"\n        xmin = 0\n'
        f"        xmax = {end_s}\n        intervals: size = {len(words)}\n{rows}",
        encoding="utf-8",
    )
    return path


def test_unknown_words_stand_for_one_token_and_words_are_split_evenly_without_phones(tmp_path: Path) -> None:
    words = [(0.1, 0.2, "sil"), (0.2, 0.4, "今天"), (0.4, 0.5, "<unk>"), (0.5, 0.7, "HELLO"), (0.7, 0.8, "don't")]
    timed = timed_tokens(
        read_grid(write_grid(tmp_path / "a.TextGrid", words, "Anna - words")), tokenize("今天喀 hello don’t")
    )
    assert [word.text for word in timed.words] == ["今", "天", "喀", "hello", "don't"]
    assert timed.split_evenly == ["今天"] and timed.unknown == ["喀"]
    assert timed.words[1].start_s == timed.words[0].end_s == pytest.approx(0.3)


TALK = [(0.2, 0.5, "你好"), (0.5, 0.9, "世界")]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two clips of two seconds: noise that speaks from 0.2 to 0.9 s."""
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000) * np.repeat([1e-4, 1, 1e-4], [3_200, 11_200, 17_600])
    made = Corpus(tmp_path)
    for clip in ("a", "b"):
        made.sound(clip, noise)
        made.text(clip, "你好，世界")
        write_grid(tmp_path / "grids" / f"{clip}.TextGrid", TALK)
    return tmp_path


def text_of(corpus: Path) -> Path:
    return corpus / "text" / "b.txt"


def grid_of(corpus: Path) -> Path:
    return corpus / "grids" / "b.TextGrid"


BAD_GRIDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a TextGrid": (lambda c: grid_of(c).write_text("hello"), "b.TextGrid: not a readable TextGrid"),
    "binary": (lambda c: grid_of(c).write_bytes(bytes(range(256))), "b.TextGrid: not a readable TextGrid"),
    "empty": (lambda c: grid_of(c).write_text(""), "b.TextGrid: not a readable TextGrid"),
    "truncated": (
        lambda c: grid_of(c).write_text(grid_of(c).read_text(encoding="utf-8")[:-40], encoding="utf-8"),
        "b.TextGrid: ",
    ),
    "overlapping": (
        lambda c: write_grid(grid_of(c), [(0.2, 0.6, "你好"), (0.5, 0.9, "世界")]),
        "b.TextGrid: not a readable TextGrid: ",
    ),
    "other tier": (lambda c: write_grid(grid_of(c), TALK, "notes"), 'b.TextGrid: no tier named "words"; it has notes'),
    "silent": (lambda c: write_grid(grid_of(c), [(0.0, 2.0, "sil")]), "b.TextGrid: no word in its tier of words"),
    "unknown": (
        lambda c: write_grid(grid_of(c), [(0.2, 0.9, "<unk>")]),
        "b.TextGrid: the aligner's dictionary has none",
    ),
    "other word": (
        lambda c: write_grid(grid_of(c), [(0.2, 0.5, "你好"), (0.5, 0.9, "时节")]),
        'b.TextGrid: token 3 is "时", but "世" in the text; align again after a change of text',
    ),
    "too few": (lambda c: write_grid(grid_of(c), TALK[:1]), "b.TextGrid: 2 tokens, but the text has 4"),
    "another clip's": (
        lambda c: write_grid(grid_of(c), [(3.2, 3.5, "你好"), (3.5, 3.9, "世界")], end_s=4.0),
        'b.TextGrid: "你" starts at 3.2 s, but the sound ends at 2.00 s',
    ),
    "missing grid": (lambda c: grid_of(c).unlink(), "b.wav: no b.TextGrid in "),
    "missing text": (lambda c: text_of(c).unlink(), "b.wav: no "),
    "missing sound": (lambda c: (c / "wav" / "b.wav").unlink(), "b.txt: no sound of this name in wav/"),
    "wordless": (lambda c: text_of(c).write_text("……", encoding="utf-8"), "b.txt: no word in it"),
    "no text": (lambda c: text_of(c).write_bytes(b"\xff\x00\xfe"), "b.txt: not text in UTF-8 or GBK"),
    "truncated sound": (
        lambda c: (c / "wav" / "b.wav").write_bytes((c / "wav" / "b.wav").read_bytes()[:9_000]),
        "b.wav: truncated",
    ),
}


@pytest.mark.parametrize("fault", BAD_GRIDS)
def test_a_clip_that_does_not_align_is_listed_with_its_reason(
    corpus: Path,
    fault: str,
    run_main: Callable[..., None],
    refusal: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = (align, "--corpus", corpus, "--textgrids", corpus / "grids", "--jobs", 1)
    run_main(*words)
    break_it, line = BAD_GRIDS[fault]
    break_it(corpus)
    run_main(*words)
    assert "aligned 1 clips (1 up to date), 4 tokens in 0.0 min, 1 dropped: see" in capsys.readouterr().out
    [reason] = (corpus / "align.log").read_text(encoding="utf-8").splitlines()
    assert line in reason
    assert (corpus / "tsv" / "a.tsv").exists()
    if not fault.startswith("missing"):
        assert not (corpus / "tsv" / "b.tsv").exists(), "it would be of another state of the clip"
    assert line in refusal(*words, "--strict")


@pytest.mark.parametrize("folder", ["wav", "text", "grids"])
def test_a_corpus_without_a_folder_is_refused(corpus: Path, folder: str, refusal: Callable[..., str]) -> None:
    shutil.rmtree(corpus / folder)
    line = refusal(align, "--corpus", corpus, "--textgrids", corpus / "grids")
    assert line.startswith(f"{corpus / folder}: no ")


def test_energy_says_that_it_is_approximate(
    corpus: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(align, "--corpus", corpus, "--aligner", "energy", "--jobs", 2)
    assert "aligned 2 clips" in capsys.readouterr().out
    first, *_ = (corpus / "tsv" / "a.tsv").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# energy: approximate")
    words = check_tsv(corpus, "a")
    assert words[0].start_s == pytest.approx(0.2, abs=0.03) and words[-1].end_s == pytest.approx(0.9, abs=0.03)
    assert (corpus / "tsv" / "a.tsv").read_bytes() == (corpus / "tsv" / "b.tsv").read_bytes()


def test_energy_refuses_silence(corpus: Path, run_main: Callable[..., None], refusal: Callable[..., str]) -> None:
    soundfile.write(corpus / "wav" / "b.wav", np.zeros(16_000), 16_000)
    run_main(align, "--corpus", corpus, "--aligner", "energy", "--jobs", 1)
    assert "b.wav: silence (-100 dB at its loudest); no speech to align" in (corpus / "align.log").read_text()
    (corpus / "wav" / "a.wav").unlink()
    assert "no clip could be aligned; the first: " in refusal(align, "--corpus", corpus, "--aligner", "energy")


def test_energy_lies_near_known_word_times() -> None:
    """The demo corpus's words have the synthesizer's own times."""
    errors = []
    for tsv in sorted((DEMO / "tsv").glob("*_00[1-6].tsv")):
        truth = read_tsv(tsv)
        found = spread([word.text for word in truth], speech_stretches(read_audio(DEMO / "wav" / f"{tsv.stem}.flac")))
        errors += [(a.start_s + a.end_s - b.start_s - b.end_s) / 2 for a, b in zip(found, truth, strict=True)]
    assert len(errors) > 100
    assert np.abs(errors).mean() < 0.12


def test_tokens_respect_pauses_and_take_time_by_their_length() -> None:
    words = spread(["a", "b", "something", "c"], np.array([[1.0, 2.0], [2.5, 3.5], [5.0, 6.0]]))
    assert [word.text for word in words] == ["a", "b", "something", "c"]
    assert words[0] == Word("a", 1.0, 1.5) and words[1] == Word("b", 1.5, 2.0)
    assert words[2] == Word("something", 2.5, 3.5) and words[3] == Word("c", 5.0, 6.0)


def test_one_token_and_steady_sound() -> None:
    steady = np.sin(np.arange(8_000) * 0.2).astype(np.float32)
    assert speech_stretches(steady).tolist() == [[0.0, 0.5]]
    assert spread(["啊"], speech_stretches(steady)) == [Word("啊", 0.0, 0.5)]


FAKE_MFA = """#!{python}
import os, pathlib, shutil, sys
assert sys.argv[1:5] == ["align", "--clean", "-j", "1"], sys.argv
corpus, dictionary, acoustic, output = map(pathlib.Path, sys.argv[5:])
assert (str(dictionary), str(acoustic)) == ("my.dict", "mandarin_mfa")
print("Setting up corpus information...")
if os.environ.get("FAIL"):
    sys.exit("PretrainedModelNotFoundError: no mandarin_mfa")
output.mkdir()
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sorted(path.stem for path in corpus.glob("*.lab"))) + "\\n")
for lab in corpus.glob("*.lab"):
    grid = pathlib.Path({grids!r}) / (lab.stem + ".TextGrid")
    assert lab.with_suffix(".wav").exists() and lab.read_text(encoding="utf-8").split()
    if grid.exists():
        shutil.copy(grid, output)
"""


@pytest.fixture
def mfa_calls(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Puts an `mfa` on PATH that takes TextGrids from a folder; returns where it lists the clips of each call."""

    def install(grids: Path) -> Path:
        if os.name != "posix":
            pytest.skip("a script that stands for mfa is run by its first line, which a POSIX system reads")
        folder = tmp_path_factory.mktemp("bin")
        calls = folder / "calls"
        mfa = folder / "mfa"
        mfa.write_text(FAKE_MFA.format(python=sys.executable, calls=str(calls), grids=str(grids)), encoding="utf-8")
        mfa.chmod(mfa.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return calls

    return install


def test_mfa_runs_over_what_is_not_up_to_date(
    real: Path,
    mfa_calls: Callable[[Path], Path],
    run_main: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = mfa_calls(TEXTGRIDS)
    words = (align, "--corpus", real, "--dictionary", "my.dict", "--jobs", 1)
    run_main(*words)
    assert "aligned 5 clips (0 up to date), 172 tokens" in capsys.readouterr().out
    for clip in CLIPS:
        check_tsv(real, clip)
    assert (real / "tsv" / "774.tsv").read_text(encoding="utf-8").startswith(
        "# mfa: acoustic model mandarin_mfa, dictionary my.dict\n"
    )  # fmt: skip
    info = soundfile.info(real / "mfa" / "corpus" / "774.wav")
    assert (info.samplerate, info.channels, info.duration) == (16_000, 1, 11.75)
    assert (real / "mfa" / "corpus" / "774.lab").read_text(encoding="utf-8").startswith("像 张 王 村 八 十 年 代")

    (real / "text" / "814.txt").write_text("散文", encoding="utf-8")
    run_main(*words)
    run_main(*words, "--acoustic_model", "mandarin_mfa")
    out = capsys.readouterr().out
    assert out.count("aligned 4 clips (4 up to date), 135 tokens in 0.6 min, 1 dropped") == 2
    assert calls.read_text().splitlines() == [" ".join(CLIPS), "814", "814"]
    assert not (real / "tsv" / "814.tsv").exists()
    assert "814.TextGrid: 37 tokens, but the text has 2" in (real / "align.log").read_text(encoding="utf-8")


def test_clips_that_mfa_gives_up_on_are_dropped(
    corpus: Path, mfa_calls: Callable[[Path], Path], run_main: Callable[..., None]
) -> None:
    mfa_calls(corpus / "grids")
    grid_of(corpus).unlink()
    run_main(align, "--corpus", corpus, "--dictionary", "my.dict", "--jobs", 1)
    log = (corpus / "align.log").read_text(encoding="utf-8")
    assert "b.wav: mfa gave it no TextGrid; most likely " in log and log.count("\n") == 1


def test_mfa_missing_or_failing_is_one_line(
    corpus: Path, mfa_calls: Callable[[Path], Path], refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(corpus))
    line = refusal(align, "--corpus", corpus, "--acoustic_model", "english_mfa", "--jobs", 1)
    assert line.startswith('mfa: not found; install it with: conda create -n aligner -c conda-forge "montreal-forced')
    assert "mfa model download acoustic english_mfa && mfa model download dictionary mandarin_mfa" in line
    mfa_calls(corpus / "grids")
    monkeypatch.setenv("FAIL", "1")
    line = refusal(align, "--corpus", corpus, "--dictionary", "my.dict", "--jobs", 1)
    assert (
        "mfa.log: mfa failed, saying last: PretrainedModelNotFoundError: no mandarin_mfa; for a missing model: " in line
    )


def test_read_grid_of_nothing(tmp_path: Path) -> None:
    assert "no such file" in refused(read_grid, tmp_path / "a.TextGrid")


WORDS = [Word("hello", 0.3, 0.7), Word("there", 0.7, 1.2)]
POINTS = '"TextTier"\n"tones"\n0\n2\n1\n0.5\n"H*"\n'
INTERVALS = '"IntervalTier"\n"words"\n0\n2\n3\n0\n0.3\n""\n0.3\n0.7\n"hello"\n0.7\n1.2\n"there"\n'


def written(folder: Path, *tiers: str, head: str = 'File type = "ooTextFile"\nObject class = "TextGrid"\n') -> Path:
    path = folder / "a.TextGrid"
    path.write_text(f"{head}\n0\n2\n<exists>\n{len(tiers)}\n{''.join(tiers)}", encoding="utf-8")
    return path


def test_a_tier_that_is_not_asked_for_is_passed_over(tmp_path: Path) -> None:
    for order in ((POINTS, INTERVALS), (INTERVALS, POINTS), (INTERVALS, POINTS, POINTS)):
        assert read_grid(written(tmp_path, *order)).words == WORDS
    phones = POINTS.replace("tones", "phones")
    assert read_grid(written(tmp_path, INTERVALS, phones)).phones == []
    points = POINTS.replace("tones", "words")
    assert read_grid(written(tmp_path, points, INTERVALS)).words == WORDS
    assert "is of points, which have no end" in refused(read_grid, written(tmp_path, points))
    crossed = INTERVALS.replace("words", "notes").replace("0.7\n1.2", "0.5\n1.2")
    assert read_grid(written(tmp_path, crossed, INTERVALS)).words == WORDS


def test_a_textgrid_in_free_standing_form(tmp_path: Path) -> None:
    tier = (
        '"IntervalTier" "words" ! tier 1: "words"\nfrom 0 s to 2 s, and with 3 intervals: size = 3\n'
        '0 0.3 "" ! 0.1\n0.3 0.7 "hello"\nthen 0.7 to 1.2 is "there" [3] "and no more"x\n'
    )
    tier = tier.replace(" and with 3 intervals:", "")
    path = written(tmp_path, tier, head='"ooTextFile"\n"TextGrid"')
    assert read_grid(path).words == WORDS
    quoted = written(tmp_path, INTERVALS.replace('"hello"', '"say ""hi"""'))
    assert read_grid(quoted).words[0].text == 'say "hi"'
    short_of_one = written(tmp_path, INTERVALS.replace("2\n3\n", "2\n4\n"))
    line = refused(read_grid, short_of_one)
    assert "found its end where a number belongs; open it in Praat and save it as a text file" in line


def test_a_word_in_brackets_stands_for_any_one_token(tmp_path: Path) -> None:
    for unknown in ("[bracketed]", "[laughter]", "<unk>"):
        grid = read_grid(written(tmp_path, INTERVALS.replace("hello", unknown)))
        timed = timed_tokens(grid, ["noise", "There"])
        assert timed.words == [Word("noise", 0.3, 0.7), Word("There", 0.7, 1.2)] and timed.unknown == ["noise"]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("12-textgrid-point-tier", [(0.3, 0.7, "Hello"), (0.7, 1.2, "there"), (1.2, 1.6, "Bob")]),
        ("13-textgrid-dialects", [(0.3, 0.7, "Hello"), (0.7, 1.2, "there"), (1.2, 1.6, "Bob")]),
        ("14-textgrid-bracketed", [(0.3, 0.5, "Hello"), (0.5, 0.7, "noise"), (0.7, 1.2, "there"), (1.2, 1.6, "Bob")]),
    ],
)
@needs_case("12-textgrid-point-tier")
def test_textgrids_in_the_wild(
    tmp_path: Path, run_main: Callable[..., None], case: str, expected: list[tuple[float, float, str]]
) -> None:
    for kind in ("wav", "text"):
        shutil.copytree(CASES / case / "corpus" / kind, tmp_path / kind)
    run_main(align, "--corpus", tmp_path, "--textgrids", CASES / case / "grids", "--jobs", 1)
    [tsv] = (tmp_path / "tsv").iterdir()
    assert [(word.start_s, word.end_s, word.text) for word in read_tsv(tsv)] == expected
    assert ("not in the aligner's dictionary: noise" in tsv.read_text(encoding="utf-8")) == ("noise" in str(expected))
