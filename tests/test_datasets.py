import hashlib
import http.server
import os
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fastnn import datasets
from fastnn.datasets import download

SHARED = Path(os.environ.get("FASTNN_SHARED", Path(__file__).parents[2] / "shared"))


def entry_of(path, url=None):
    """A catalogue entry of one local file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return download.Download("test", "free", (download.File(url or path.as_uri(), digest),))


@pytest.fixture
def served(tmp_path):
    """Folder served over HTTP on the loopback interface, and its address."""
    root = tmp_path / "served"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=root)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_mnist_sample_is_stratified_and_scaled():
    images = datasets.load_mnist_sample()
    assert images.X_train.shape == (1000, 784)
    assert images.X_train.dtype == np.float32
    assert images.X_train.min() == 0
    assert images.X_train.max() == 1
    assert np.bincount(images.y_train).tolist() == [100] * 10
    assert np.bincount(images.y_test).tolist() == [20] * 10


def test_flights_have_the_scale_of_the_real_ones():
    flights = datasets.load_flights()
    assert {len(column) for column in flights.values()} == {20_000}
    assert flights["carrier"].dtype.kind == "U"
    assert len(set(flights["carrier"])) == 16
    assert 4 < flights["arr_delay"].mean() < 10  # 6.9 over the whole year
    assert np.corrcoef(flights["dep_delay"], flights["arr_delay"])[0, 1] > 0.9


def test_bundled_files_are_small_and_hold_no_pickles():
    files = list(Path(datasets.__file__).parent.rglob("*.npz"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 1_000_000
    for path in files:
        assert path.with_name("NOTICE.md").exists()
        with np.load(path, allow_pickle=False) as file:
            assert all(file[name].dtype != object for name in file.files)


@pytest.mark.skipif(not (SHARED / "data" / "mnist").exists(), reason="needs shared/data")
def test_mnist_sample_is_made_again_from_the_whole():
    with np.load(SHARED / "data" / "mnist" / "mnist.npz") as file:
        whole = {image.tobytes() for image in file["x_train"]}
    sample = np.round(datasets.load_mnist_sample().X_train * 255).astype(np.uint8)
    assert all(image.tobytes() in whole for image in sample)


def test_ratings_are_unique_pairs_in_halves():
    ratings = datasets.make_ratings(200, 100, 4000, seed=3)
    assert len(set(zip(ratings["user"].tolist(), ratings["item"].tolist(), strict=True))) == 4000
    assert set((ratings["rating"] * 2).tolist()) <= set(range(1, 11))
    counts = np.sort(np.bincount(ratings["item"], minlength=100))
    assert counts[-10:].sum() > 3 * counts[:10].sum()


def test_ratings_repeat_with_their_seed():
    first, second, other = (datasets.make_ratings(seed=s)["rating"] for s in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_ratings_without_noise_have_the_planted_rank():
    ratings = datasets.make_ratings(400, 40, 8000, factors=2, noise=0, step=None)
    cells = np.full((400, 40), np.nan)
    cells[ratings["user"], ratings["item"]] = ratings["rating"]
    popular = np.argsort(np.isnan(cells).sum(0))[:8]
    block = cells[:, popular][~np.isnan(cells[:, popular]).any(1)]
    assert len(block) > 8
    # mean, biases and factors together have rank 2 + factors
    assert np.linalg.matrix_rank(block, tol=1e-4) == 4


def test_too_many_ratings_are_refused():
    with pytest.raises(
        ValueError, match=r"n_ratings: expected a number from 1 to half of .*\(50\)"
    ):
        datasets.make_ratings(10, 10, 51)


def test_fetch_downloads_once_over_http(served, tmp_path, monkeypatch, capsys):
    root, address = served
    (root / "data.bin").write_bytes(b"x" * 100_000)
    monkeypatch.setitem(
        download.CATALOGUE, "mnist", entry_of(root / "data.bin", f"{address}/data.bin")
    )
    (path,) = datasets.fetch("mnist", folder=tmp_path)
    assert path == tmp_path / "mnist" / "data.bin"
    assert path.read_bytes() == b"x" * 100_000
    assert "free\n" in capsys.readouterr().err
    (root / "data.bin").unlink()
    assert datasets.fetch("mnist", folder=tmp_path) == [path]
    assert "free" not in capsys.readouterr().err


def test_fetch_says_where_to_put_a_file_it_cannot_get(served, tmp_path, monkeypatch):
    root, address = served
    (root / "here").touch()
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(root / "here", f"{address}/gone.npz"))
    with pytest.raises(OSError, match=r"gone.npz: expected a download.*put it at .*gone.npz"):
        datasets.fetch("mnist", folder=tmp_path)
    assert list((tmp_path / "mnist").iterdir()) == []


def test_fetch_refuses_a_file_with_another_checksum(tmp_path, monkeypatch):
    source = tmp_path / "data.bin"
    source.write_bytes(b"right")
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(source))
    source.write_bytes(b"wrong")
    with pytest.raises(OSError, match="expected a file with sha256"):
        datasets.fetch("mnist", folder=tmp_path)
    assert list((tmp_path / "mnist").iterdir()) == []


def test_fetch_refuses_a_damaged_file_on_disk(tmp_path, monkeypatch):
    source = tmp_path / "data.bin"
    source.write_bytes(b"right")
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(source))
    (path,) = datasets.fetch("mnist", folder=tmp_path)
    path.write_bytes(b"damaged")
    with pytest.raises(OSError, match="damaged or another version; remove it"):
        datasets.fetch("mnist", folder=tmp_path)


def test_fetch_of_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"name: expected one of mnist, .*movielens-small"):
        datasets.fetch("mnits")


def test_data_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    assert datasets.data_folder() == tmp_path
    monkeypatch.delenv("FASTNN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.data_folder() == tmp_path / "cache" / "fastnn"


def test_movielens_small_is_read_from_its_zip(tmp_path, monkeypatch):
    source = tmp_path / "ml-latest-small.zip"
    with zipfile.ZipFile(source, "w") as archive:
        rows = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n7,163949,5.0,1\n"
        archive.writestr("ml-latest-small/ratings.csv", rows)
    monkeypatch.setitem(download.CATALOGUE, "movielens-small", entry_of(source))
    ratings = datasets.fetch_movielens_small(tmp_path)
    assert ratings["user"].tolist() == [1, 7]
    assert ratings["item"].tolist() == [31, 163949]
    assert ratings["rating"].tolist() == [2.5, 5.0]


def test_mnist_is_read_from_its_npz(tmp_path, monkeypatch):
    source = tmp_path / "mnist.npz"
    images = np.full((3, 28, 28), 255, np.uint8)
    labels = np.arange(3, dtype=np.uint8)
    np.savez(source, x_train=images, y_train=labels, x_test=images[:1], y_test=labels[:1])
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(source))
    found = datasets.fetch_mnist(tmp_path)
    assert found.X_train.shape == (3, 784)
    assert found.X_train.min() == 1
    assert found.y_test.tolist() == [0]


def test_importing_data_sets_imports_no_scikit_learn():
    import subprocess

    code = "import sys, fastnn.datasets; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
