"""The one error that a person sees as a line of text instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

MOST_SAID = 120  # characters of an error that is no line for a person


class UserError(Exception):
    """Something in a person's input that they can mend; the message names the file, the place and the mend."""


@contextmanager
def in_one_line(place: object) -> Iterator[None]:
    """Whatever is raised inside becomes one line about `place`, so that one bad file takes no good ones with it.

    A net below readers, which say by themselves what is wrong where they can.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise as_user_error(place, error) from error


def as_user_error(place: object, error: Exception) -> UserError:
    """The error itself where it is one, else a line about `place`."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, MemoryError):
        return UserError(f"{place}: needs more memory than there is")
    if isinstance(error, OSError) and error.strerror:
        return UserError(f"{place}: {error.strerror}")
    said = " ".join(str(error).split())[:MOST_SAID]
    return UserError(f"{place}: damaged or not what it seems: {type(error).__name__}{said and ': '}{said}")
