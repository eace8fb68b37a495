"""Downloads with a checksum: what can be fetched, from where, under which licence."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_MOVIELENS_LICENCE = (
    "MovieLens data (GroupLens, University of Minnesota): for research, not for commercial use, "
    "not to be redistributed without permission; cite Harper and Konstan 2015"
)


@dataclass(frozen=True)
class File:
    """One file of a data set: its address and the SHA-256 of its bytes."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file on disk."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Download:
    """A data set that can be fetched: what it is, its licence in one sentence, its files."""

    title: str
    licence: str
    files: tuple[File, ...]


CATALOGUE = {
    "mnist": Download(
        "MNIST digits, 60,000 + 10,000 images 28 x 28, one npz of 11 MB",
        "MNIST (LeCun, Cortes, Burges): CC BY-SA 3.0",
        (
            File(
                f"{_KERAS}/mnist.npz",
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
            ),
        ),
    ),
    "fashion-mnist": Download(
        "Fashion-MNIST, 60,000 + 10,000 images 28 x 28, four IDX files of 31 MB",
        "Fashion-MNIST (Zalando SE): MIT",
        (
            File(
                f"{_FASHION}/train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            File(
                f"{_FASHION}/train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            File(
                f"{_FASHION}/t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            File(
                f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "california-housing": Download(
        "California housing, 20,640 x 8, one npz",
        "California housing (Pace and Barry 1997, StatLib): no licence stated, public use",
        (
            File(
                f"{_KERAS}/california_housing.npz",
                "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
            ),
        ),
    ),
    "cifar-10": Download(
        "CIFAR-10, 50,000 + 10,000 images 32 x 32 x 3, binary files of 170 MB",
        "CIFAR-10 (Krizhevsky 2009): no licence stated, cite the report",
        (
            File(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    "movielens-small": Download(
        "MovieLens latest small (2018), 100,836 ratings, zip of 1 MB",
        _MOVIELENS_LICENCE,
        (
            File(
                f"{_GROUPLENS}/ml-latest-small.zip",
                "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
            ),
        ),
    ),
    "movielens-100k": Download(
        "MovieLens 100K, 100,000 ratings, zip of 5 MB",
        _MOVIELENS_LICENCE,
        (
            File(
                f"{_GROUPLENS}/ml-100k.zip",
                "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            ),
        ),
    ),
    "movielens-1m": Download(
        "MovieLens 1M, 1,000,209 ratings, zip of 6 MB",
        _MOVIELENS_LICENCE,
        (
            File(
                f"{_GROUPLENS}/ml-1m.zip",
                "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            ),
        ),
    ),
    "movielens-25m": Download(
        "MovieLens 25M, 25,000,095 ratings, zip of 262 MB",
        _MOVIELENS_LICENCE,
        (
            File(
                f"{_GROUPLENS}/ml-25m.zip",
                "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
            ),
        ),
    ),
}


def data_folder() -> Path:
    """Folder that keeps downloads: ``$FASTNN_DATA``, else ``fastnn`` in the user's cache."""
    if chosen := os.environ.get("FASTNN_DATA"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "fastnn"


def is_here(name: str, *, folder: str | Path | None = None) -> bool:
    """Whether all files of a data set of `CATALOGUE` are in the folder already."""
    return all(path.exists() for path in _paths(name, folder))


def fetch(name: str, *, folder: str | Path | None = None) -> list[Path]:
    """Download the files of a data set unless they are there, and check them.

    Progress and, once, the sentence about the licence go to standard error. A file is written
    beside its place and renamed after its checksum was found right, so that no half file stays.

    Parameters
    ----------
    name : str
        A key of `CATALOGUE`.
    folder : path, optional
        Where to keep the files, in a subfolder of that name; by default `data_folder`.

    Returns
    -------
    list of Path
        The files, in the order of the catalogue.

    Raises
    ------
    ValueError
        If the name is unknown.
    OSError
        If a file cannot be downloaded, or is not the file it should be.
    """
    paths = _paths(name, folder)
    entry = CATALOGUE[name]
    for file, path in zip(entry.files, paths, strict=True):
        if not path.exists():
            _download(file, path)
            if path == paths[0]:
                sys.stderr.write(f"{entry.licence}\n")
        elif _sha256(path) != file.sha256:
            raise OSError(f"{path}: the file is damaged or another version; remove it and retry")
    return paths


def _paths(name: str, folder: str | Path | None) -> list[Path]:
    """Return where the files of a data set belong."""
    if name not in CATALOGUE:
        raise ValueError(f"name: expected one of {', '.join(CATALOGUE)}, got {name!r}")
    place = (Path(folder) if folder is not None else data_folder()) / name
    return [place / file.name for file in CATALOGUE[name].files]


def _download(file: File, path: Path) -> None:
    """Download a file to its place; the remedy is named when there is no network."""
    from tqdm.auto import tqdm

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(file.url, timeout=30) as reply, part.open("wb") as target:
            size = int(reply.headers.get("Content-Length") or 0) or None
            with tqdm(total=size, unit="B", unit_scale=True, desc=path.name) as bar:
                while block := reply.read(1 << 16):
                    target.write(block)
                    bar.update(len(block))
        if (found := _sha256(part)) != file.sha256:
            raise OSError(
                f"{file.url}: expected a file with sha256 {file.sha256}, got {found}; "
                f"get the right file elsewhere and put it at {path}"
            )
        part.replace(path)
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise OSError(
            f"{file.url}: expected a download, got no answer ({reason}); without a network, "
            f"get the file elsewhere and put it at {path}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
