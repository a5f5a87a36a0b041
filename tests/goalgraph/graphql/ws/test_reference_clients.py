"""The reference clients of both subprotocols, as npm has them, in a session with our server. They need Node.js and npm."""

import fcntl
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from goalgraph.adapters.local.embedded import ROOT
from goalgraph.adapters.local.issuer import mint_access_token

FOLDER = ROOT / "tests" / "node"


@pytest.fixture(scope="session")
def node() -> str:
    """The path of `node`, with the clients installed. In CI, a machine without Node.js is an error."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        reason = "there is no Node.js with npm on this machine, so the reference clients were NOT tried"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with (FOLDER / "package-lock.json").open() as lock:  # one worker installs, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    return found


def _install() -> None:
    installed, wanted = FOLDER / "node_modules" / ".package-lock.json", FOLDER / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=FOLDER, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
    os.utime(installed)


def session(node: str, library: str, **options: str) -> dict[str, Any]:
    """What the client tells of its session."""
    command = [node, "session.mjs", library, json.dumps(options)]
    done = subprocess.run(command, cwd=FOLDER, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("library", ["graphql-ws", "subscriptions-transport-ws"])
def test_a_session_with_the_reference_client(node: str, address: str, room: str, library: str) -> None:
    told = session(node, library, url=address, token=mint_access_token("ana"), room=room)
    stranger = told.pop("stranger")
    assert told.pop("pongs", True)
    assert told == {
        "me": "ana",
        "invalid": ["INVALID"],
        "said": [1, 2, 3],
        "heard": [{"seq": 1, "text": "one"}, {"seq": 2, "text": "two"}, {"seq": 3, "text": "three"}],
        "me_again": "ana",
        "missed": [3, 4],
        "forbidden": ["NOT_FOUND"],
    }
    assert stranger == ([4401] if library == "graphql-ws" else ["UNAUTHENTICATED"])
