"""
Compilation of the engine's kernels: ahead of the first call, and cached on disk.

A kernel has one explicit signature, so it is compiled (or read from the cache, in milliseconds) when its module is
imported, and never during a request. numba's own cache notices a change of the file that holds the kernel, but not of
the files that hold its helpers and constants; here an entry is valid for one state of all sources of the engine.
Where nothing near the sources or in the user's cache directory can be written, the kernel is compiled in memory.
"""

import contextlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba import types

Function = TypeVar("Function", bound=Callable[..., object])


def stamp_of(folder: Path) -> bytes:
    """Return a digest of the names and contents of all sources under a folder."""
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(b"%b\0%b\0" % (str(path.relative_to(folder)).encode(), sha256(path.read_bytes()).digest()))
    return digest.digest()


_STAMP = stamp_of(Path(__file__).parent)


def kernel(returns: types.Type, *arguments: types.Type) -> Callable[[Function], Function]:
    """Compile a function for these numba types; calling it releases the GIL."""
    signature = returns(*arguments)

    def decorate(function: Function) -> Function:
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined] # NUMBA_DISABLE_JIT=1: to debug, slowly
            return function
        dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
        with contextlib.suppress(RuntimeError):  # no directory to cache in
            dispatcher.enable_caching()
            vars(dispatcher)["_cache"]._cache_file._source_stamp = _STAMP  # noqa: SLF001 -- numba has no public way
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return cast("Function", dispatcher)

    return decorate


def inlined(function: Function) -> Function:
    """Make a function callable from kernels; it is compiled as a part of each of them."""
    return cast("Function", numba.njit(error_model="numpy", forceinline=True)(function))
