import subprocess
import sys

import fastnn
import numpy as np
import pytest
from fastnn import cli, demo
from fastnn.datasets import download

from tests.test_datasets import entry_of


def code_of(*arguments):
    """Exit code of the program."""
    try:
        return cli.main(arguments)
    except SystemExit as stop:
        return stop.code


def outcome(**changes):
    settings = {
        "task": "regression",
        "data": "flights",
        "rows": 16_000,
        "metric": "R2",
        "ours": 0.5,
        "peer": "scikit-learn",
        "theirs": 0.25,
        "seconds": 0.1,
        "peer_seconds": 1.0,
    }
    return demo.Outcome(**{**settings, **changes})


def test_the_module_is_the_program():
    command = [sys.executable, "-m", "fastnn", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == f"fastnn {fastnn.__version__}\n"


def test_no_command_shows_examples(capsys):
    assert code_of() == 0
    assert "fastnn data get movielens-small" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["demo", "tutorial", "info", "data", "data get", "data list"])
def test_every_command_has_help(command, capsys):
    assert code_of(*command.split(), "--help") == 0
    assert f"usage: fastnn {command}" in capsys.readouterr().out


def test_info_names_version_and_threads(capsys):
    assert code_of("info") == 0
    found = capsys.readouterr().out
    assert fastnn.__version__ in found
    assert "threads" in found
    assert "instruction set" in found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "get", "mnits"], "expected one of mnist, fashion-mnist"),
        (["data", "get"], "the following arguments are required: NAME"),
        (["data"], "the following arguments are required: ACTION"),
        (["demo", "--seed", "-1"], "seed: expected an integer from 0"),
        (["dance"], "invalid choice: 'dance'"),
    ],
)
def test_wrong_use_exits_with_2(arguments, message, capsys):
    assert code_of(*arguments) == 2
    assert message in capsys.readouterr().err


def test_data_are_listed_with_their_licences(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    assert code_of("data", "list") == 0
    found = capsys.readouterr().out
    for name, entry in download.CATALOGUE.items():
        assert name in found
        assert entry.licence in found


def test_data_get_prints_the_path(capsys, tmp_path, monkeypatch):
    (tmp_path / "data.bin").write_bytes(b"x")
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(tmp_path / "data.bin"))
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "kept"))
    assert code_of("data", "get", "mnist") == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'kept' / 'mnist' / 'data.bin'}\n"
    assert "free" in said.err
    assert code_of("data", "list") == 0
    assert "mnist                here" in capsys.readouterr().out


def test_data_get_without_a_network_exits_with_1(capsys, tmp_path, monkeypatch):
    gone = tmp_path / "gone.npz"
    gone.touch()
    monkeypatch.setitem(download.CATALOGUE, "mnist", entry_of(gone))
    gone.unlink()
    assert code_of("data", "get", "mnist", "--folder", str(tmp_path / "kept")) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"put it at {tmp_path / 'kept' / 'mnist' / 'gone.npz'}" in said.err


def test_an_interrupt_exits_with_1(monkeypatch, capsys):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupt)
    assert code_of("demo") == 1
    assert capsys.readouterr().err == "fastnn: interrupted\n"


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "fastnn", "tutorial"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout is not None
        program.stdout.close()
        assert program.stderr is not None
        assert program.stderr.read() == ""
        assert program.wait() == 1


def test_the_table_has_aligned_columns():
    lines = demo.table([outcome(), outcome(task="recommendation", peer="biases")]).splitlines()
    shown = " ".join(lines[1].split())
    assert shown == "regression flights 16,000 R2 0.5000 scikit-learn 0.2500 0.10 1.00 10.0"
    assert lines[2].endswith("-")
    assert len({line.rindex("0.25") for line in lines[1:]}) == 1


def test_the_baseline_of_biases_is_right_by_hand():
    train = {
        "user": np.array([0, 0, 1]),
        "item": np.array([5, 6, 5]),
        "rating": np.array([5.0, 1, 3]),
    }
    test = {"user": np.array([0, 9]), "item": np.array([6, 9]), "rating": np.zeros(2)}
    found = demo.predict_biases(train, test, damping=1)
    # mean 3; item 5: 2 / 3, item 6: -2 / 2; user 0: (4/3 - 1) / 3
    np.testing.assert_allclose(found, [3 - 1 + 1 / 9, 3])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_job_compares_with_scikit_learn(capsys):
    found = demo.diabetes(0)
    assert found.rows == 353
    assert found.ours > 0.3
    assert abs(found.ours - found.theirs) < 0.1
    assert found.seconds > 0


@pytest.mark.slow
def test_the_demo_runs(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert code_of("demo", "--picture", str(tmp_path / "demo.png")) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 10
    assert "epoch" in said.err
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
