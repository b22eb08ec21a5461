"""A file that is being received: not compressed, on disk, within bounds."""

import hashlib
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final, Self

from app.core.errors import InvalidInputError, TooLargeError

#: Decompressed at a time, so that a decompression bomb is refused in time.
_PIECE_BYTES: Final = 1 << 20
_GZIP: Final = 31
#: Members of a compressed file, each of which costs time however little it holds; a gigabyte by bgzip, which begins one
#: every 64 kB, has fewer.
_MOST_MEMBERS: Final = 20_000
#: A reader holds a batch of lines in memory, whatever their length.
_MOST_LINE_BYTES: Final = 1 << 18


class Spool:
    """
    Takes a file piece by piece, as it arrives; then `file` has it whole, with its size and hash.

    It has no name on disk, so nothing is left of it whatever happens to the process.
    """

    def __init__(self, folder: Path, *, is_gzip: bool, most_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - this is a context manager itself
        self.size_bytes = 0
        self._sha = hashlib.sha256()
        self._most_bytes = most_bytes
        self._line_bytes = 0
        self._members = 1
        self._gzip = zlib.decompressobj(_GZIP) if is_gzip else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def sha256(self) -> str:
        """Return the hash of what has arrived, decompressed, in hexadecimal."""
        return self._sha.hexdigest()

    def write(self, data: bytes) -> None:
        """
        Take the next piece.

        Raises:
            TooLargeError: the file is larger than it may be, once decompressed.
            InvalidInputError: it is not what gzip makes, or a line of it is too long.
        """
        while data and self._gzip is not None:
            try:
                self._keep(self._gzip.decompress(data, _PIECE_BYTES))
            except zlib.error as error:
                raise InvalidInputError("The body is not compressed by gzip.") from error
            data = self._gzip.unconsumed_tail or self._gzip.unused_data
            if self._gzip.eof and data:
                self._gzip = self._next_member()
        if self._gzip is None:
            self._keep(data)

    def finish(self) -> None:
        """
        Go to the beginning; all has arrived.

        Raises:
            InvalidInputError: it ends in the middle.
        """
        if self._gzip is not None and not self._gzip.eof:
            raise InvalidInputError("The compressed body ends in the middle.")
        self.file.flush()
        self.file.seek(0)

    def _next_member(self) -> "zlib._Decompress":
        """Return what decompresses the next member: a file may be several, one behind the other."""
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise InvalidInputError(f"The body is more than {_MOST_MEMBERS} gzip files, one behind the other.")
        return zlib.decompressobj(_GZIP)

    def _keep(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self._most_bytes:
            raise TooLargeError(f"The file may have at most {self._most_bytes} bytes, decompressed.")
        first, *others = map(len, data.split(b"\n"))
        lines = [self._line_bytes + first, *others]
        if max(lines) > _MOST_LINE_BYTES:
            raise InvalidInputError(f"A line is longer than {_MOST_LINE_BYTES} bytes.")
        self._line_bytes = lines[-1]
        self._sha.update(data)
        self.file.write(data)
