"""Saved files: what goes in comes out, damage is told, and saving survives any crash."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastnn.files import from_bytes, read, to_bytes, write

DESCRIPTION = {"layers": [{"units": 3, "rate": 0.1}], "name": 'größe \n" \\', "none": None}
REFUSED = "expected a fastnn model, got"


def small_arrays():
    return {
        "dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "ids": np.array([-1, 2**40]),
        "π": np.float64(0.5) * np.ones(()),
        "none": np.zeros((0, 5), np.int32),
        "text": np.frombuffer(b"abc", np.uint8),
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
        assert found[name].flags.aligned
        np.testing.assert_array_equal(found[name], array)


def test_round_trip_through_a_file(tmp_path):
    write(tmp_path / "m.fnn", DESCRIPTION, small_arrays())
    description, arrays = read(str(tmp_path / "m.fnn"))
    assert description == DESCRIPTION
    assert list(description) == list(DESCRIPTION)
    assert_same(arrays, small_arrays())


def test_bytes_and_file_are_the_same_and_repeat(tmp_path):
    write(tmp_path / "m.fnn", DESCRIPTION, small_arrays())
    data = to_bytes(DESCRIPTION, small_arrays())
    assert (tmp_path / "m.fnn").read_bytes() == data == to_bytes(DESCRIPTION, small_arrays())
    assert_same(from_bytes(data)[1], small_arrays())


def test_nothing_to_save_is_saved(tmp_path):
    write(tmp_path / "m.fnn", {}, {})
    assert read(tmp_path / "m.fnn") == ({}, {})


def test_safetensors_reads_our_files(tmp_path):
    from safetensors.numpy import load_file

    write(tmp_path / "m.fnn", DESCRIPTION, small_arrays())
    assert_same(load_file(tmp_path / "m.fnn"), small_arrays())


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0).reshape(4, 3)[::-2, ::2],
        np.broadcast_to(np.float32(3), (2, 2)),
        np.arange(3, dtype=">f8"),
        np.frombuffer(b"\0" + np.arange(3.0).tobytes(), np.float64, 3, 1),
        np.arange(4, dtype="longlong"),
    ],
    ids=["fortran", "strided", "broadcast", "swapped", "misaligned", "longlong"],
)
def test_odd_arrays_come_back_plain(array):
    found = from_bytes(to_bytes({}, {"a": array}))[1]["a"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("description", "arrays", "error", "match"),
    [
        ({}, {"a": np.zeros(1, np.float16)}, TypeError, "uint8, got float16 for 'a'"),
        ({}, {"a": np.array(["x"])}, TypeError, "got <U1 for 'a'"),
        ({}, {"a": np.array([object()])}, TypeError, "got object for 'a'"),
        ({}, {1: np.zeros(1)}, TypeError, "names of type str, got int"),
        ({}, {"": np.zeros(1)}, ValueError, "names of 1 to 512 bytes, got ''"),
        ({}, {"é" * 257: np.zeros(1)}, ValueError, "names of 1 to 512 bytes"),
        ({}, {"__metadata__": np.zeros(1)}, ValueError, "got '__metadata__'"),
        ({"a": np.nan}, {}, ValueError, "description: expected JSON values and finite numbers"),
        ({"a": {1, 2}}, {}, TypeError, "description: .* got Object of type set"),
        ({"a": 10**30}, {}, ValueError, "expected what a file can hold, got .* out of range"),
        ({"a": [0] * 1_100_000}, {}, ValueError, "long lists belong into arrays"),
        ({"a": "x" * 17_000_000}, {}, ValueError, "a header of 17000"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(
    tmp_path, description, arrays, error, match
):
    path = tmp_path / "m.fnn"
    write(path, {"old": True}, {})
    with pytest.raises(error, match=match):
        write(path, description, arrays)
    assert read(path) == ({"old": True}, {})
    assert names(tmp_path) == ["m.fnn"]


def test_too_many_arrays_are_refused():
    array = np.zeros(0, np.uint8)
    with pytest.raises(ValueError, match=r"65537 arrays \(at most 65536\)"):
        to_bytes({}, {str(i): array for i in range(65_537)})


def test_each_flipped_bit_is_found():
    data = bytearray(to_bytes({"a": 'é\n"'}, {"b\t\x1fé": np.arange(3, dtype=np.float32)}))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=REFUSED):
            from_bytes(bytes(data))
        data[bit // 8] ^= 1 << bit % 8
    from_bytes(bytes(data))


def test_each_truncation_and_any_tail_are_found():
    data = to_bytes(DESCRIPTION, small_arrays())
    for length in range(len(data)):
        with pytest.raises(ValueError, match=REFUSED):
            from_bytes(data[:length])
    with pytest.raises(ValueError, match=r"bytes where its header says \d+"):
        from_bytes(data + b"\0")


def test_damage_names_the_file(tmp_path):
    path = tmp_path / "m.fnn"
    path.write_bytes(to_bytes({}, {})[:-1])
    with pytest.raises(ValueError, match=f"^path: {REFUSED} .*{re.escape(str(path))}"):
        read(path)


def test_reading_something_else_than_a_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.fnn")
    with pytest.raises(ValueError, match="something that is no file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="something that is no file"):
        read(tmp_path / "pipe")


def test_permissions_are_those_of_a_normal_file(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "new.fnn", {}, {})
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new.fnn").stat().st_mode) == 0o640
    (tmp_path / "new.fnn").chmod(0o604)
    write(tmp_path / "new.fnn", {"again": 1}, {})
    assert stat.S_IMODE((tmp_path / "new.fnn").stat().st_mode) == 0o604


def test_a_link_is_kept_and_its_target_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.fnn").symlink_to(tmp_path / "real" / "m.fnn")
    write(tmp_path / "link.fnn", {"a": 1}, {})
    assert (tmp_path / "link.fnn").is_symlink()
    assert read(tmp_path / "real" / "m.fnn") == ({"a": 1}, {})


@pytest.mark.parametrize("call", ["fsync", "fchmod", "rename", "write"])
def test_a_refusing_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call):
    path = tmp_path / "m.fnn"
    write(path, {"old": True}, {})

    def refuse(*_):
        raise OSError(errno.ENOSPC, "no space left on device")

    def half(*_):
        yield b"half"
        refuse()

    if call == "rename":
        monkeypatch.setattr(Path, "replace", refuse)
    elif call == "write":
        monkeypatch.setattr("fastnn.files._encode", half)
    else:
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="no space"):
        write(path, {"new": True}, {})
    monkeypatch.undo()
    assert read(path) == ({"old": True}, {})
    assert names(tmp_path) == ["m.fnn"]


def test_files_of_dead_writers_are_swept_and_of_living_ones_kept(tmp_path):
    script = """if True:
        import os, sys
        from pathlib import Path
        from fastnn.files import _temporary
        with _temporary(Path(sys.argv[1])) as (path, file):
            print(path.name, flush=True)
            sys.stdin.read()
            os._exit(1)
    """
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        name = writer.stdout.readline().decode().strip()
        write(tmp_path / "m.fnn", {}, {})
        assert names(tmp_path) == sorted([name, "m.fnn"])
    assert names(tmp_path) == sorted([name, "m.fnn"])
    write(tmp_path / "m.fnn", {}, {})
    assert names(tmp_path) == ["m.fnn"]
