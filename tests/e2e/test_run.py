"""`make run` from outside: what it prints works when pasted, it stops without a trace, and it finds its data again."""

import json
import os
import shutil
import signal
import socket
import subprocess

import psutil
import pytest

from goalgraph.adapters.local.demo import USERS
from goalgraph.adapters.local.embedded import port_is_free
from goalgraph.adapters.local.issuer import DEMO_PASSWORD
from tests.e2e.instance import LAST_LINE_OF_THE_BOX, free_port, ports_of, started


@pytest.fixture
def port() -> int:
    return free_port()


def paste(line: str) -> dict:
    """Run a line as somebody would who has just opened a terminal, in whatever folder."""
    done = subprocess.run(["bash", "-c", line], cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_start_paste_stop_and_start_again(tmp_path, port):
    if not shutil.which("curl"):
        assert os.environ.get("CI") != "true", "CI needs curl"
        pytest.skip("NOT TESTED: there is no curl here, so the printed line cannot be pasted")
    home = tmp_path / "a folder"

    with started(home, port) as first:
        held = paste(first.read_until(LAST_LINE_OF_THE_BOX))["data"]
        box = "".join(first.output)
        assert all(user.username in box for user in USERS)
        assert DEMO_PASSWORD in box
        assert held["me"]["id"] == "ana"
        assert held["goals"]
        assert len(first.family) >= 4
        listening = {
            (connection.laddr.ip, connection.laddr.port)
            for process in first.family
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", each) for each in ports_of(port)}
        os.killpg(first.process.pid, signal.SIGINT)  # as the terminal does
        first.process.send_signal(signal.SIGINT)  # and an impatient second one
        assert first.rest().endswith("Stopped.\n")
        assert first.process.returncode == 0
        assert first.survivors() == []

    with started(home, port) as second:
        assert paste(second.read_until(LAST_LINE_OF_THE_BOX))["data"] == held
        assert "Loading the demo data ...\n" in first.output
        assert "Loading the demo data ...\n" not in second.output
        second.child("uvicorn").kill()
        assert "web ended by itself" in second.rest()
        assert second.process.returncode == 1
        assert second.survivors() == []


def test_stopped_in_the_middle_of_its_start(tmp_path, port):
    with started(tmp_path, port) as instance:
        instance.read_until("Preparing ")
        instance.process.send_signal(signal.SIGTERM)
        assert instance.rest() == "Stopped.\n"
        assert instance.process.returncode == 0
        assert instance.survivors() == []
    assert all(map(port_is_free, ports_of(port)))


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_a_taken_port_is_named_before_anything_starts(tmp_path, port, which):
    taken = ports_of(port)[which]
    with socket.create_server(("127.0.0.1", taken)), started(tmp_path / "home", port) as instance:
        said = instance.rest()
    assert instance.process.returncode == 1
    assert said.count("\n") == 1
    assert f"Taken already: port {taken} (" in said
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("port", ["", "eighty", "-1", "70000", "0"])
def test_a_port_that_is_none_is_an_error_of_one_line(tmp_path, port):
    with started(tmp_path / "home", port) as instance:
        said = instance.rest()
    assert instance.process.returncode == 1
    assert said.startswith("make run: PORT")
    assert said.count("\n") == 1
