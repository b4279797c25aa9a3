"""Keep the memory of freed tensors, so that the next ones need not be mapped and zeroed again."""

import ctypes
from functools import lru_cache

# <malloc.h>: parameters of mallopt(3)
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
TOP_PAD_BYTES = 64 << 20  # by which the heap grows at a time


@lru_cache
def keep_freed_memory() -> bool:
    """Have malloc serve large blocks from the heap and never give it back; whether that could be set.

    glibc maps every large block afresh and unmaps it when freed, so that each activation of a network costs a page
    fault for every 4 KiB. Kept, the process stays at its peak size until it ends: for the main of heavy commands.
    False where malloc has no such settings (macOS, Windows, musl); then nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no C library to look in
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD_BYTES))
    return all(mallopt(name, value) == 1 for name, value in settings)
