"""What a mistyped word was most likely meant to be."""

import difflib
from collections.abc import Sequence


def nearest(word: str, known: Sequence[str]) -> str:
    """The hint `; did you mean …?` with the known word that is most like this one, in any case; "" where none is."""
    spellings = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), spellings, 1, 0.5)
    return f"; did you mean {spellings[near[0]]}?" if near else ""
