"""What belongs together in a folder of raw recordings: the sound, curves, neutral pose and transcript of each clip."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from config.errors import UserError, as_user_error
from data_process.transcripts import NAME_COLUMNS, TEXT_COLUMNS, load_transcripts, loose_name, match_names
from data_process.transcripts import SUFFIXES as TRANSCRIPT_SUFFIXES
from dataset.audio import SOUND_SUFFIXES, TRACK_SUFFIXES
from dataset.corpus import Corpus
from dataset.recordings.layout_facecap import is_facecap
from dataset.recordings.layouts import SUFFIXES as CURVE_SUFFIXES
from dataset.recordings.layouts import find_recordings, preferred_takes, take_of

HEADER_BYTES = 1 << 16  # of a csv, to tell curves from transcripts
KIND_ENDINGS = {  # of names, which say what is in the file and not whose it is
    "sound": re.compile(r"(.+?)[ _.-](audio|sound|voice|speech)", re.I),
    "curves": re.compile(
        r"(.+?)[ _.-](blendshapes?([ _.-]?data)?|bs|arkit|curves?|shapes|face|anim(ation)?)", re.IGNORECASE
    ),
}
LEFTOVERS = (".", "~$", "__MACOSX")  # how names start that file systems and word processors leave behind


@dataclass(frozen=True)
class RawClip:
    """A clip's files; at least one is there."""

    id: str
    sound: Path | None = None
    curves: Path | None = None
    neutral: Path | None = None
    sentence: str | None = None


@dataclass
class Found:
    """What is in a folder of raw recordings."""

    clips: list[RawClip]
    problems: list[str] = field(default_factory=list)  # a line for each file that is of no use until mended
    notes: list[str] = field(default_factory=list)  # a line for each file that is left aside, and why


@dataclass(frozen=True)
class _Piece:
    """A file that is one clip's, or a sentence that is."""

    name: str
    folders: tuple[str, ...]  # below the source
    file: Path
    sentence: str = ""


@dataclass(frozen=True)
class _Pair:
    sound: _Piece | None
    curves: _Piece | None

    @property
    def of(self) -> list[_Piece]:
        """Those of the two that are there."""
        return [piece for piece in (self.sound, self.curves) if piece]


def find_clips(source: Path, leave_out: Path | None = None) -> Found:
    """Every clip below `source`, but not below `leave_out`, sorted by id: files pair by stem, whatever their folders.

    The letters' case and leading zeros don't matter. Where several files have one stem, those pair that share most
    folders (s1/wav/007.wav and s1/bs/007.csv), and the folders go into the id (s1_007). Of Live Link Face's takes the
    calibrated one counts before the plain and the raw one. A sound file counts before a movie of the same name. What
    is left alone then pairs where names differ by endings such as _audio and _blendshape_data only, or where it is the
    only sound and the only curves of a folder, whose name the clip gets; a note says so. A corpus is such a folder too:
    what lies in its neutral/ are poses of the clips in its bs/.
    Raises UserError when there is no recording.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    files = [file for file in sorted(source.rglob("*")) if _is_candidate(file, source, leave_out)]
    found = Found([])
    tables = {file for file in files if file.suffix.lower() == ".csv" and _is_transcript_table(file)}
    texts_of_curves = {file for file in files if file.suffix.lower() == ".txt" and is_facecap(file)}
    curves, neutrals = _curves([file for file in files if file not in tables], texts_of_curves, source, found)
    sounds = _sounds(files, source, {loose_name(piece.name) for piece in curves}, found)
    if not sounds and not curves:
        raise UserError(
            f"{source}: no recording in it; sound comes as {', '.join((*SOUND_SUFFIXES, *TRACK_SUFFIXES)[:8])}, …, "
            f"curves as {', '.join(CURVE_SUFFIXES)}"
        )
    pairs = _named(_rejoined(_pairs(sounds, curves, found), found), found)
    poses = _assigned(neutrals, pairs, "neutral pose", found)
    texts = _transcripts([file for file in files if file not in texts_of_curves], tables, source, pairs, found)
    found.clips = [
        RawClip(
            clip,
            pair.sound.file if pair.sound else None,
            pair.curves.file if pair.curves else None,
            poses[clip].file if clip in poses else None,
            texts.get(clip),
        )
        for clip, pair in sorted(pairs.items())
    ]
    return found


def _is_candidate(file: Path, source: Path, leave_out: Path | None) -> bool:
    below = file.relative_to(source).parts
    corpus = Corpus(file.parent)
    if file in (corpus.manifest, corpus.prepared) and (file.parent / "bs").is_dir():
        return False  # about its clips, and none of them
    return file.is_file() and not any(part.startswith(LEFTOVERS) for part in below) and leave_out not in file.parents


def _is_neutral(file: Path) -> bool:
    """Whether it is a neutral pose, by the take's name or as a corpus has it."""
    return take_of(file)[1] == "neutral" or (file.parent.name == "neutral" and (file.parent.parent / "bs").is_dir())


def _is_transcript_table(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            start = stream.read(HEADER_BYTES)
    except OSError:
        return False
    encodings = ("utf-16",) if start.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        header = start.decode(encoding, errors="ignore").split("\n", 1)[0]
        titles = {cell.strip().strip('"').lower() for cell in header.split(",")}
        if titles & set(NAME_COLUMNS) and titles & set(TEXT_COLUMNS):
            return True
    return False


def _piece(name: str, file: Path, source: Path, sentence: str = "") -> _Piece:
    return _Piece(name, file.relative_to(source).parts[:-1], file, sentence)


def _curves(files: list[Path], of_text: set[Path], source: Path, found: Found) -> tuple[list[_Piece], list[_Piece]]:
    """(the best take of each performance, the neutral poses); of_text: recordings that are written as text."""
    takes: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for folder in sorted({file.parent for file in files if file.suffix.lower() in CURVE_SUFFIXES}):
        try:
            recordings = set(find_recordings(folder)) & set(files)
        except UserError:  # only files about others
            continue
        for file in sorted(recordings):
            takes[folder, take_of(file)[0]].append(file)
    for file in sorted(of_text):
        takes[file.parent, take_of(file)[0]].append(file)
    performances, neutrals = [], []
    for (_, name), of in takes.items():
        poses = [file for file in of if _is_neutral(file)]
        neutrals += [_piece(name, file, source) for file in poses]
        try:
            performed = preferred_takes([file for file in of if file not in poses])
            performances += [_piece(name, file, source) for file in performed.values()]
        except UserError as error:
            found.problems.append(f"{name}: {error}")
    return performances, neutrals


def _sounds(files: list[Path], source: Path, of_curves: set[str], found: Found) -> list[_Piece]:
    """One sound for each name in a folder: a sound file before a movie."""
    named: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in files:
        if file.suffix.lower() in SOUND_SUFFIXES + TRACK_SUFFIXES:
            named[file.parent, _name_of_sound(file, of_curves)].append(file)
    sounds = []
    for (_, name), of in named.items():
        best, *others = sorted(of, key=_is_track)
        clashing = [file for file in others if _is_track(file) == _is_track(best)]
        if clashing:
            found.problems.append(f"{name}: {clashing[0]} could be its sound as well as {best}; keep one of them")
            continue
        found.notes += [f"{name}: {file} is left aside; its sound is {best}" for file in others]
        sounds.append(_piece(name, best, source))
    return sounds


def _name_of_sound(file: Path, of_curves: set[str]) -> str:
    """Its stem; of `a_raw.wav` beside the take `a_raw.csv`, the take's."""
    stem = take_of(file)[0]
    return stem if loose_name(file.stem) not in of_curves and loose_name(stem) in of_curves else file.stem


def _is_track(file: Path) -> bool:
    return file.suffix.lower() in TRACK_SUFFIXES


def _pairs(sounds: list[_Piece], curves: list[_Piece], found: Found) -> list[_Pair]:
    """Sounds with their curves, and either alone."""
    pairs: list[_Pair] = []
    for of_name, with_name in _by_loose_name(sounds, curves):
        taken, unclear = _nearest_pairs(of_name, with_name)
        pairs += [_Pair(sound, curves_of) for sound, curves_of in taken]
        for piece in unclear:
            found.problems.append(f"{piece.name}: {piece.file} has several partners; put it beside the one it is for")
        done = {*unclear, *(piece for pair in taken for piece in pair)}
        for piece in [piece for piece in [*of_name, *with_name] if piece not in done]:
            if piece in with_name:
                pairs.append(_Pair(None, piece))
            elif taken and _is_track(piece.file):
                found.notes.append(f"{piece.name}: {piece.file} is left aside; its sound is {taken[0][0].file}")
            else:
                pairs.append(_Pair(piece, None))
    return pairs


def _rejoined(pairs: list[_Pair], found: Found) -> list[_Pair]:
    """The same, but what is alone paired by what is left of names and by folders; notes say what was, or could be."""
    sounds = [pair.sound for pair in pairs if pair.sound and not pair.curves]
    curves = [pair.curves for pair in pairs if pair.curves and not pair.sound]
    joined = _alike_but_for_kind(sounds, curves)
    left = {piece.file for piece in [*sounds, *curves]} - {piece.file for pair in joined for piece in pair.of}
    for pair in _only_two_of_folders(pairs, left):
        one, other = pair.of
        numbers = [re.findall(r"\d+", piece.name) for piece in pair.of]
        if one.folders and (numbers[0] == numbers[1] or not all(numbers)):
            joined.append(_Pair(*(replace(of, name=of.folders[-1], folders=of.folders[:-1]) for of in pair.of)))
        else:
            found.notes.append(f"{one.name}: would be a clip with {other.file} if both had one name ({one.file})")
    for pair in joined:
        files = " and ".join(str(piece.file) for piece in pair.of)
        found.notes.append(f"{pair.of[0].name}: {files} are taken as one clip")
    done = {piece.file for pair in joined for piece in pair.of}
    return [pair for pair in pairs if not any(piece.file in done for piece in pair.of)] + joined


def _only_two_of_folders(pairs: list[_Pair], left: set[Path]) -> Iterator[_Pair]:
    """The sound and the curves of each folder that holds no other recording, both of `left`."""
    beside: dict[tuple[str, ...], list[_Pair]] = defaultdict(list)
    for pair in pairs:
        for folders in {piece.folders for piece in pair.of}:
            beside[folders].append(pair)
    for of_folder in beside.values():
        sounds = [pair.sound for pair in of_folder if pair.sound and pair.sound.file in left]
        curves = [pair.curves for pair in of_folder if pair.curves and pair.curves.file in left]
        if len(of_folder) == 2 and len(sounds) == len(curves) == 1:
            yield _Pair(sounds[0], curves[0])


def _alike_but_for_kind(sounds: list[_Piece], curves: list[_Piece]) -> list[_Pair]:
    """Those whose names are the same but for an ending that says what kind of file it is."""
    plain = [
        [replace(piece, name=ending[1] if (ending := KIND_ENDINGS[kind].fullmatch(piece.name)) else piece.name)
         for piece in pieces]
        for kind, pieces in (("sound", sounds), ("curves", curves))
    ]  # fmt: skip
    return [_Pair(*pair) for group in _by_loose_name(*plain) for pair in _nearest_pairs(*group)[0]]


def _by_loose_name(*kinds: list[_Piece]) -> Iterable[tuple[list[_Piece], ...]]:
    groups: dict[str, tuple[list[_Piece], ...]] = defaultdict(lambda: tuple([] for _ in kinds))
    for kind, pieces in enumerate(kinds):
        for piece in pieces:
            groups[loose_name(piece.name)][kind].append(piece)
    return groups.values()


def _nearest_pairs(
    ones: Sequence[_Piece], others: Sequence[_Piece]
) -> tuple[list[tuple[_Piece, _Piece]], list[_Piece]]:
    """(pairs, pieces that could pair with several): the nearest pair first, then the nearest of those left."""
    left = [(_nearness(one, other), one, other) for one in ones for other in others]
    pairs: list[tuple[_Piece, _Piece]] = []
    unclear: list[_Piece] = []
    while left:
        best = max(nearness for nearness, _, _ in left)
        level = [(one, other) for nearness, one, other in left if nearness == best]
        times = Counter(piece for pair in level for piece in pair)
        clear = [pair for pair in level if times[pair[0]] == times[pair[1]] == 1]
        pairs += clear
        unclear += [piece for piece in times if not any(piece in pair for pair in clear)]
        left = [(n, one, other) for n, one, other in left if one not in times and other not in times]
    return pairs, unclear


def _nearness(one: _Piece, other: _Piece) -> tuple[int, bool, bool]:
    shared = sum((Counter(one.folders) & Counter(other.folders)).values())
    return shared, one.name == other.name, not _is_track(one.file)


def _named(pairs: list[_Pair], found: Found) -> dict[str, _Pair]:
    """Each clip under its id: its stem, after the folders that tell it from others of the same stem."""
    same_stem: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        same_stem[pair.of[0].name.casefold()].append(pair)
    named: dict[str, _Pair] = {}
    taken: set[str] = set()  # some file systems don't tell A from a
    for group in same_stem.values():
        common = Counter(group[0].of[0].folders)
        for pair in group:
            for piece in pair.of:
                common &= Counter(piece.folders)
        for pair in group:
            clip = pair.of[0].name
            if len(group) > 1:
                clip = "_".join([*_distinct_folders(pair, common), clip])
            if clip.casefold() in taken:
                found.problems.append(f"{clip}: {pair.of[0].file} has the name of another clip; rename it")
            else:
                named[clip] = pair
                taken.add(clip.casefold())
    return named


def _distinct_folders(pair: _Pair, common: Counter[str]) -> list[str]:
    shared = Counter(pair.of[0].folders) & Counter(pair.of[-1].folders)
    return [folder for folder in pair.of[0].folders if folder in shared and folder not in common]


def _assigned(pieces: list[_Piece], pairs: dict[str, _Pair], kind: str, found: Found) -> dict[str, _Piece]:
    """Clip → the piece of its name that shares most folders with it."""
    clip_of = {pair.of[-1]: clip for clip, pair in pairs.items()}
    assigned: dict[str, _Piece] = {}
    for mine, of_clips in _by_loose_name(pieces, list(clip_of)):
        taken, unclear = _nearest_pairs(mine, of_clips)
        assigned |= {clip_of[of_clip]: piece for piece, of_clip in taken}
        for piece in mine:
            if piece in unclear:
                found.problems.append(f"{piece.name}: {piece.file} could be of several clips; put it beside its own")
            elif piece not in (of_pair for of_pair, _ in taken):
                found.notes.append(f"{piece.name}: {kind} without a clip ({piece.file})")
    return assigned


def _transcripts(
    files: list[Path], tables: set[Path], source: Path, pairs: dict[str, _Pair], found: Found
) -> dict[str, str]:
    """Clip → sentence: by name alone where that is clear, else also by folder."""
    entries: dict[str, list[_Piece]] = defaultdict(list)
    for file in files:
        is_transcript = file.suffix.lower() in TRANSCRIPT_SUFFIXES and (file.suffix.lower() != ".csv" or file in tables)
        if is_transcript and not _names_channels(file):
            for piece in _sentences(file, source, found):
                entries[piece.name].append(piece)
    clear = {name: of[0] for name, of in entries.items() if len({piece.sentence for piece in of}) == 1}
    own_stem = {clip for clip, pair in pairs.items() if clip == pair.of[0].name}
    refused: list[str] = []
    matches = match_names(clear, own_stem, refused)
    found.problems += refused
    texts = {clip: clear[name].sentence for clip, name in matches.names.items()}
    used = set(matches.names.values())
    left = [piece for name, of in entries.items() if name not in used for piece in of]
    others = {clip: pair for clip, pair in pairs.items() if clip not in texts}
    return texts | {clip: piece.sentence for clip, piece in _assigned(left, others, "transcript", found).items()}


def _names_channels(file: Path) -> bool:
    """Whether it is the names file of an npy beside it."""
    stem = file.stem.lower()
    return (stem == "names" or stem.endswith("_names")) and any(file.parent.glob("*.npy"))


def _sentences(file: Path, source: Path, found: Found) -> list[_Piece]:
    try:
        sentences = load_transcripts(file, say=found.notes.append)
    except Exception as error:  # a bad file must not take the good ones with it
        found.problems.append(str(as_user_error(file, error)))
        return []
    return [_piece(name, file, source, sentence) for name, sentence in sentences.items()]
