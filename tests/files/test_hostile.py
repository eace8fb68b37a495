"""Files made to do harm: each is answered by one ValueError, without code run or memory taken."""

import hashlib
import json
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from fastnn.files import from_bytes, to_bytes, write

BLANK = "0" * 64


def entry(begin=0, end=4, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def forge(tensors='"a":{}', data=b"\0\0\0\0", description="{}", version="1", header=None):
    """Return a file with a right checksum, whatever its header says."""
    if header is None:
        text = f'{{"sha256":"{BLANK}","version":{version},"description":{description}}}'
        header = f'{{"__metadata__":{{"fastnn":{json.dumps(text)}}}'
        header += f",{tensors}}}" if tensors else "}"
    raw = header if isinstance(header, bytes) else header.encode()
    blob = len(raw).to_bytes(8, "little") + raw + data
    digest = hashlib.sha256(blob).hexdigest().encode()
    return blob.replace(BLANK.encode(), digest, 1)


def one(**fields):
    return json.dumps({"a": entry(**fields)})[1:-1]


def two(a, b):
    return json.dumps({"a": a, "b": b})[1:-1]


HOSTILE = {
    "empty file": (b"", "0 bytes that fastnn did not write"),
    "length only": (b"\xff" * 8, "8 bytes that"),
    "length beyond the file": ((2**62).to_bytes(8, "little") + b"{}", "10 bytes that"),
    "header above 16 MB": (forge(header="{" + " " * (16 << 20) + "}"), "bytes that fastnn"),
    "not JSON": (forge(header="hello"), "a header that fastnn did not write"),
    "other safetensors": (forge(header='{"__metadata__":{"format":"pt"}}'), "did not write"),
    "pickle": (pickle.dumps(np.zeros(3)), "that fastnn did not write"),
    "not UTF-8": (forge(tensors='"a":"é"').replace(b"\xc3\xa9", b"\xff\xfe"), "not UTF-8"),
    "unclosed": (forge(tensors='"a":{'), "not JSON"),
    "deep description": (forge(description="[" * 300_000, tensors=""), "nested too deeply"),
    "deep entry": (forge(tensors='"a":' + '{"a":' * 200_000), "nested too deeply"),
    "description a list": (forge(description="[]", tensors="", data=b""), "that is no dict"),
    "number too long": (forge(description='{"a":' + "9" * 5000 + "}"), "out of range"),
    "infinite number": (forge(description='{"a":1e999}'), "out of range"),
    "NaN": (forge(description='{"a":NaN}'), "out of range"),
    "description key twice": (forge(description='{"a":1,"a":2}'), "the same name twice"),
    "array twice": (forge(tensors=f"{one()},{one()}"), "the same name twice"),
    "metadata twice": (forge(tensors='"__metadata__":{"fastnn":"{}"}'), "the same name twice"),
    "field twice": (forge(tensors=one()[:-1] + ',"dtype":"F64"}'), "the same name twice"),
    "newer version": (forge(version="2"), r"version 2: update fastnn \(this one reads 1\)"),
    "version true": (forge(version="true"), "a bad version"),
    "version 0": (forge(version="0"), "a bad version"),
    "entry a list": (forge(tensors='"a":[]'), "a bad entry"),
    "entry too long": (forge(tensors=one()[:-1] + ',"more":0}'), "a bad entry"),
    "entry too short": (forge(tensors='"a":{"dtype":"F32"}'), "a bad entry"),
    "unknown dtype": (forge(one(dtype="F16")), "a bad dtype"),
    "dtype a list": (forge(one(dtype=["F32"])), "a bad dtype"),
    "dtype of objects": (forge(one(dtype="|O")), "a bad dtype"),
    "negative length": (forge(one(shape=(-1,))), "a bad shape"),
    "length true": (forge(one(shape=(True,))), "a bad shape"),
    "length 1.0": (forge(one(shape=(1.0,))), "a bad shape"),
    "length 2**64": (forge(one(shape=(2**64,))), "a bad shape"),
    "rank 33": (forge(one(shape=(1,) * 33)), "a bad shape"),
    "product wraps to 1": (forge(one(shape=(2**62, 4))), "too large a shape"),
    "product wraps to 0": (forge(one(shape=(2**32, 2**32), end=0)), "too large a shape"),
    "huge but empty": (forge(one(shape=(0, 2**62, 2**62), end=0)), "too large a shape"),
    "array above the file": (forge(one(shape=(2**50,), end=2**52)), "where its header says"),
    "offsets of another size": (forge(one(shape=(2,))), "offsets that differ from its shape"),
    "offsets reversed": (forge(one(begin=4, end=0)), "offsets that differ from its shape"),
    "negative offset": (forge(one(begin=-4, end=0)), "bad offsets"),
    "three offsets": (forge(one().replace("[0, 4]", "[0, 4, 4]")), "bad offsets"),
    "overlap": (forge(two(entry(0, 4), entry(0, 4))), "a hole or an overlap at array 'b'"),
    "hole": (forge(two(entry(0, 4), entry(8, 12))), "a hole or an overlap at array 'b'"),
    "late start": (forge(one(begin=4, end=8), b"\0" * 8), "a hole or an overlap at array 'a'"),
    "name too long": (forge(json.dumps({"a" * 513: entry()})[1:-1]), "a bad name"),
    "name empty": (forge(json.dumps({"": entry()})[1:-1]), "a bad name"),
    "name no text": (forge(json.dumps({"\ud800": entry()})[1:-1]), "a bad name"),
    "many values": (forge(description="[" + "0," * 1_100_000 + "0]"), "values; long lists"),
    "65,537 arrays": (
        forge(json.dumps({str(i): entry(0, 0, "U8", (0,)) for i in range(65_537)})[1:-1], b""),
        "65537 arrays",
    ),
}


def test_a_forged_file_with_honest_content_is_read():
    description, arrays = from_bytes(forge(one()))
    assert description == {}
    np.testing.assert_array_equal(arrays["a"], np.zeros(1, np.float32))


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_get_one_value_error(case):
    data, match = HOSTILE[case]
    with pytest.raises(ValueError, match=f"^data: expected a fastnn model, got .*{match}"):
        from_bytes(data)


@pytest.mark.parametrize("case", [case for case in HOSTILE if len(HOSTILE[case][0]) < 100_000])
def test_hostile_files_take_no_memory(case):
    data, _ = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="expected a fastnn model"):
            from_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 100_000
    finally:
        tracemalloc.stop()


def test_a_large_file_is_read_in_twice_its_size(tmp_path):
    size = 8 << 20
    write(tmp_path / "m.fnn", {}, {"a": np.zeros(size, np.uint8), "b": np.zeros(size, np.uint8)})
    script = """if True:
        import sys, tracemalloc
        from fastnn.files import read
        tracemalloc.start()
        read(sys.argv[1])
        print(tracemalloc.get_traced_memory()[1])
    """
    command = [sys.executable, "-c", script, str(tmp_path / "m.fnn")]
    peak = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert peak < 1.1 * 2 * size


def test_reading_runs_nothing(tmp_path):
    """An audit hook sees every import, compilation, unpickling and process; it cannot be undone."""
    write(tmp_path / "good.fnn", {"a": [1, "x"]}, {"b": np.ones(3)})
    for number, (data, _) in enumerate(HOSTILE.values()):
        (tmp_path / f"{number}.fnn").write_bytes(data)
    script = """if True:
        import sys
        from pathlib import Path
        from fastnn.files import read
        paths = list(Path(sys.argv[1]).iterdir())
        read(sys.argv[1] + "/good.fnn")
        events, refused = set(), 0
        sys.addaudithook(lambda event, args: events.add(event))
        for path in paths:
            try:
                read(path)
            except ValueError:
                refused += 1
        print(refused, sorted(events - {"open"}))
    """
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == f"{len(HOSTILE)} []"


def test_random_damage_never_passes():
    good = to_bytes({"a": 1}, {"b": np.arange(50.0)})
    random = np.random.default_rng(0)
    for _ in range(2000):
        data = bytearray(good)
        for at in random.integers(len(data), size=random.integers(1, 5)):
            data[at] = random.integers(256)
        if data != good:
            with pytest.raises(ValueError, match="expected a fastnn model"):
                from_bytes(bytes(data))
