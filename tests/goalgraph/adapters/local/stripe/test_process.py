"""The process: what it keeps in its file, and how it ends."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from goalgraph.adapters.local.embedded import ROOT, free_port
from goalgraph.adapters.local.stripe.state import State
from tests.stripe import StripeFake

KEY = "sk_test_local"


@contextlib.contextmanager
def running(*options: str) -> Iterator[tuple[StripeFake, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [sys.executable, "-m", "goalgraph.adapters.local.stripe", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        fake = StripeFake(f"http://127.0.0.1:{port}", KEY)
        try:
            await_answer(fake)
            yield fake, process
        finally:
            fake.close()
            process.kill()


def await_answer(fake: StripeFake) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            fake.http.get("/_fake/ready").raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_each_answered_write_is_there_after_a_kill(tmp_path):
    file = tmp_path / "folder" / "stripe.json"
    with running("--state", str(file)) as (fake, process):
        made = [fake.client.customers.create({"name": str(number)}, {"idempotency_key": str(number)}).id for number in range(5)]
        fake.clock(days=0.5)
        now = fake.http.get("/_fake/ready").json()["now"]
        process.kill()
        process.wait()
    with running("--state", str(file)) as (fake, _):
        assert [each.id for each in fake.client.customers.list().data] == made[::-1]
        assert fake.client.customers.create({"name": "4"}, {"idempotency_key": "4"}).id == made[4]
        assert len(fake.events("customer.created")) == 5
        assert fake.http.get("/_fake/ready").json()["now"] >= now


def test_what_was_not_delivered_is_delivered_after_the_restart(tmp_path):
    """Here the restart also gives the endpoint of the command line another address."""
    options = ["--state", str(tmp_path / "stripe.json"), "--first-pause", "0.05"]
    with running(*options, "--webhook-url", "http://127.0.0.1:9/") as (fake, process):
        fake.client.customers.create({"name": "Ana"})
        process.kill()
        process.wait()
    with running() as (receiver, _), running(*options, "--webhook-url", f"{receiver.url}/_fake/ready") as (fake, _):
        deadline = time.monotonic() + 30
        while 405 not in [each["status"] for each in fake.deliveries()[0]["attempts"]]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(fake.client.webhook_endpoints.list().data) == 1


def test_a_file_that_is_none_of_ours_is_left_alone_and_named(tmp_path):
    file = tmp_path / "stripe.json"
    file.write_text("{ half")
    with pytest.raises(ValueError, match="Delete it to begin anew"):
        State.load(file)
    done = subprocess.run(
        [sys.executable, "-m", "goalgraph.adapters.local.stripe", "--port", str(free_port()), "--state", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert file.read_text() == "{ half"


def test_it_listens_on_loopback_only_and_ends_with_its_owner():
    with running("--until-eof") as (_, process):
        seen = psutil.Process(process.pid)
        listening = {each.laddr.ip for each in seen.net_connections() if each.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) is not None


def test_it_knows_no_django():
    code = "import sys, goalgraph.adapters.local.stripe.app; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_save_that_is_cut_off_leaves_the_earlier_one(tmp_path, monkeypatch):
    file = tmp_path / "stripe.json"
    State(offset=1).save(file)

    def cut_off(_self: Path, content: bytes) -> None:
        with (tmp_path / "stripe.json.new").open("wb") as half:
            half.write(content[:5])
        raise OSError("killed")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(OSError, match="killed"):
        State(offset=2).save(file)
    monkeypatch.undo()
    assert State.load(file).offset == 1
