"""Files of models: safetensors files whose metadata holds a description and a checksum.

The header of a `.fnn` file is the safetensors header: JSON with the type, shape and place of every
array. Its ``__metadata__`` has the one entry ``fastnn``, a JSON text of three values:

- ``sha256``: digest of the whole file, taken with these 64 digits written as zeros;
- ``version``: version of the description, counted from 1;
- ``description``: what the caller wants to find again, as JSON.

Every tool that reads safetensors reads the arrays. Reading runs no code, believes no size that the
file's own length does not bear out, and refuses whatever `write` could not have written.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Content = tuple[dict[str, Any], dict[str, Array]]

_VERSION = 1
_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "|u1"}
_START = b'{"__metadata__":{"fastnn":"{\\"sha256\\":\\"'
_DIGITS = slice(len(_START), len(_START) + 64)
_BLANK = b"0" * 64
_MAX_HEADER = 16 * 1024 * 1024
_MAX_VALUES = 1024 * 1024
_MAX_ARRAYS = 65_536
_MAX_NAME = 512
_MAX_RANK = 32
_MAX_SIZE = 2**63 - 1
_TEMPORARY = (".fastnn-", ".tmp")


class _Entry(NamedTuple):
    begin: int
    end: int
    name: str
    dtype: str
    shape: list[int]


class _DamageError(ValueError):
    """Says what is wrong with a file; `read` and `from_bytes` add the argument's name."""


def write(
    path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Save a description and named arrays so that no crash can leave half a file.

    The bytes go to a temporary file beside the target, which is flushed to the disk and then
    renamed: at any moment the target is the old file or the new one. Temporary files of writers
    that died are removed on the way.

    Parameters
    ----------
    path : str or path
        Where to save. An existing file is replaced and its permissions are kept.
    description : dict
        JSON values: dict with str keys, list, str, int, finite float, bool, None. A tuple comes
        back as a list. Long lists belong into `arrays`: there may be 1,048,576 values at most.
    arrays : dict of str to ndarray
        At most 65,536 arrays of float32, float64, int32, int64 or uint8, of any shape.
        A name has 1 to 512 bytes as UTF-8.

    Raises
    ------
    ValueError, TypeError
        When something cannot be saved; the file at `path` is then untouched.
    OSError
        When the disk refuses; the file at `path` is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> write(folder.name + "/small.fnn", {"units": 2}, {"bias": np.zeros(2, "float32")})
    >>> read(folder.name + "/small.fnn")
    ({'units': 2}, {'bias': array([0., 0.], dtype=float32)})
    >>> folder.cleanup()
    """
    pieces = _encode(description, arrays)
    target = Path(os.path.realpath(path))
    _sweep(target.parent)
    with _temporary(target.parent) as (temporary, file):
        if target.exists():
            os.fchmod(file, stat.S_IMODE(target.stat().st_mode))
        with open(file, "wb", closefd=False) as stream:
            stream.writelines(pieces)
        os.fsync(file)
        temporary.replace(target)
    _sync(target.parent)


def read(path: str | os.PathLike[str]) -> Content:
    """Load what `write` saved.

    Parameters
    ----------
    path : str or path
        A file that `write` made.

    Returns
    -------
    description : dict
        As saved, tuples as lists.
    arrays : dict of str to ndarray
        Arrays that own their memory, sorted as they lie in the file.

    Raises
    ------
    ValueError
        When the file is damaged, or none of ours. No code in a file is ever run, and no more
        memory is taken than twice the file's size (and what its JSON header needs: 1,048,576
        values at most).
    OSError
        When there is no such file, or it cannot be read.
    """
    try:
        _check(Path(path).is_file() or not Path(path).exists(), "something that is no file")
        with Path(path).open("rb") as stream:
            return _decode(stream, os.fstat(stream.fileno()).st_size)
    except _DamageError as damage:
        message = f"path: expected a fastnn model, got {damage} ({os.fspath(path)!r})"
        raise ValueError(message) from None


def to_bytes(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes that `write` would save: the same content gives the same bytes.

    Parameters
    ----------
    description : dict
        As for `write`.
    arrays : dict of str to ndarray
        As for `write`.

    Returns
    -------
    bytes
        The content of a `.fnn` file.

    Examples
    --------
    >>> from_bytes(to_bytes({"kind": "sgd"}, {"step": np.int64([3])}))
    ({'kind': 'sgd'}, {'step': array([3])})
    """
    return b"".join(_encode(description, arrays))


def from_bytes(data: bytes) -> Content:
    """Return the description and the arrays held by the bytes of `to_bytes`.

    Parameters
    ----------
    data : bytes
        The content of a `.fnn` file.

    Returns
    -------
    description : dict
        As for `read`.
    arrays : dict of str to ndarray
        As for `read`.

    Raises
    ------
    ValueError
        As for `read`.

    Examples
    --------
    >>> from_bytes(b"not a model")
    Traceback (most recent call last):
        ...
    ValueError: data: expected a fastnn model, got 11 bytes that fastnn did not write
    """
    try:
        return _decode(io.BytesIO(data), len(data))
    except _DamageError as damage:
        raise ValueError(f"data: expected a fastnn model, got {damage}") from None


def _encode(
    description: Mapping[str, Any], arrays: Mapping[str, Array]
) -> tuple[bytes | memoryview, ...]:
    from safetensors.numpy import save

    values = {"sha256": _BLANK.decode(), "version": _VERSION, "description": dict(description)}
    try:
        text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"description: expected JSON values and finite numbers, got {error}"
        raise (TypeError if isinstance(error, TypeError) else ValueError)(message) from None
    blob = save({_named(name): _plain(name, a) for name, a in arrays.items()}, {"fastnn": text})
    view, end = memoryview(blob), 8 + int.from_bytes(blob[:8], "little")
    try:
        _parse(blob[8:end])
    except _DamageError as damage:
        raise ValueError(
            f"description, arrays: expected what a file can hold, got {damage}"
        ) from None
    at, after = 8 + _DIGITS.start, 8 + _DIGITS.stop
    return view[:at], hashlib.sha256(blob).hexdigest().encode(), view[after:]


def _named(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"arrays: expected names of type str, got {type(name).__name__}")
    if not 1 <= len(name.encode()) <= _MAX_NAME or name == "__metadata__":
        raise ValueError(f"arrays: expected names of 1 to {_MAX_NAME} bytes, got {name[:40]!r}")
    return name


def _plain(name: str, array: Array) -> Array:
    value = np.asarray(array)
    if value.dtype.newbyteorder("<").str not in _DTYPES.values():
        raise TypeError(
            "arrays: expected float32, float64, int32, int64 or uint8, "
            f"got {value.dtype} for {name!r}"
        )
    return np.asarray(value, value.dtype.newbyteorder("="), order="C")


def _decode(stream: io.BufferedIOBase, size: int) -> Content:
    start = stream.read(8)
    length = int.from_bytes(start, "little")
    _check(length <= min(_MAX_HEADER, size - 8), f"{size} bytes that fastnn did not write")
    header = stream.read(length)
    description, entries = _parse(header)
    end = entries[-1].end if entries else 0
    _check(8 + length + end == size, f"{size} bytes where its header says {8 + length + end}")
    digest = hashlib.sha256(start + header[: _DIGITS.start] + _BLANK + header[_DIGITS.stop :])
    arrays = {}
    for entry in entries:
        array = np.empty(entry.shape, _DTYPES[entry.dtype])
        raw = array.reshape(-1).view(np.uint8).data
        _check(stream.readinto(raw) == len(raw), "a file that shrinks while it is read")
        digest.update(raw)
        arrays[entry.name] = array
    found = digest.hexdigest().encode()
    _check(found == header[_DIGITS], "damaged bytes: the checksum differs")
    return description, arrays


def _parse(header: bytes) -> tuple[dict[str, Any], list[_Entry]]:
    """Return the description and the arrays' entries in the order of their bytes."""
    _check(header.startswith(_START), "a header that fastnn did not write")
    _check(len(header) <= _MAX_HEADER, f"a header of {len(header)} bytes")
    values = sum(header.count(mark) for mark in (b",", b"[", b"{"))
    _check(values <= _MAX_VALUES, f"a header of {values} values; long lists belong into arrays")
    try:
        table = _json(header.decode())
    except UnicodeDecodeError:
        raise _DamageError("a header that is not UTF-8") from None
    metadata = table.pop("__metadata__")
    _check(len(metadata) == 1, "metadata that fastnn did not write")
    inner = _json(metadata["fastnn"])
    _check(list(inner) == ["sha256", "version", "description"], "metadata of another shape")
    version, description = inner["version"], inner["description"]
    _check(type(version) is int and version > 0, "metadata with a bad version")
    _check(version <= _VERSION, f"version {version}: update fastnn (this one reads {_VERSION})")
    _check(isinstance(description, dict), "a description that is no dict")
    _check(len(table) <= _MAX_ARRAYS, f"{len(table)} arrays (at most {_MAX_ARRAYS})")
    entries = sorted(_entry(name, value) for name, value in table.items())
    at = 0
    for entry in entries:
        _check(entry.begin == at, f"a hole or an overlap at array {entry.name!r}")
        at = entry.end
    return description, entries


def _entry(name: str, value: Any) -> _Entry:
    shown = f"array {name[:40]!r} with"
    encoded = name.encode(errors="replace")
    fits = 1 <= len(encoded) <= _MAX_NAME and encoded.decode() == name
    _check(fits, f"{shown} a bad name")
    fields = {"dtype", "shape", "data_offsets"}
    _check(isinstance(value, dict) and set(value) == fields, f"{shown} a bad entry")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    _check(isinstance(dtype, str) and dtype in _DTYPES, f"{shown} a bad dtype")
    _check(_is_sizes(shape) and len(shape) <= _MAX_RANK, f"{shown} a bad shape")
    _check(_is_sizes(offsets) and len(offsets) == 2, f"{shown} bad offsets")
    # NumPy refuses a shape whose lengths multiply to too much even when one of them is 0.
    width = np.dtype(_DTYPES[dtype]).itemsize
    _check(math.prod(n or 1 for n in shape) * width <= _MAX_SIZE, f"{shown} too large a shape")
    fits = offsets[1] - offsets[0] == math.prod(shape) * width
    _check(fits, f"{shown} offsets that differ from its shape")
    return _Entry(offsets[0], offsets[1], name, dtype, shape)


def _is_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n <= _MAX_SIZE for n in value)


def _json(text: str) -> dict[str, Any]:
    """Parse a JSON object strictly: no duplicate keys, no numbers that are not finite."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except _DamageError:
        raise
    except RecursionError:
        raise _DamageError("a header nested too deeply") from None
    except ValueError:
        raise _DamageError("a header that is not JSON") from None
    _check(isinstance(value, dict), "a header that is no JSON object")
    return dict(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    _check(len(value) == len(pairs), "a header with the same name twice")
    return value


def _integer(text: str) -> int:
    _check(len(text) <= 20, "a header with a number out of range")
    return int(text)


def _finite(text: str) -> float:
    _check(math.isfinite(float(text)), "a header with a number out of range")
    return float(text)


def _check(ok: bool, problem: str) -> None:
    if not ok:
        raise _DamageError(problem)


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give a new locked file in the folder; remove it unless it was renamed.

    The lock ends with the process, whatever its end: a file that can be locked has no writer.
    """
    while True:
        path = folder / secrets.token_hex(8).join(_TEMPORARY)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks: nobody sweeps there
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:  # otherwise swept between its making and its lock
            break
        os.close(file)
    try:
        yield path, file
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _sweep(folder: Path) -> None:
    """Remove the temporary files of writers that died."""
    with os.scandir(folder) as items:
        names = [item.name for item in items]
    for name in names:
        if name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1]):
            with contextlib.suppress(OSError):
                _remove_if_dead(folder / name)


def _remove_if_dead(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
