import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph.adapters.local.issuer_keys import FileKeys
from goalgraph.auth.access import actor_from_authorization

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_token_prints_a_good_token_and_nothing_else() -> None:
    told = run("token", "somebody-new", "--tier", "premium", "--minutes", "5", "--tenant", "acme")
    assert told.count("\n") == 1
    actor = actor_from_authorization(f"Bearer {told.strip()}")
    assert (actor.user_id, actor.tier, actor.tenant_id) == ("somebody-new", "premium", "acme")


@pytest.mark.parametrize("arguments", [["a#b"], ["ana", "--minutes", "0"], ["ana", "--tier", "gold"], ["system"]], ids=repr)
def test_token_says_what_is_wrong(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"user id|minutes|tier"):
        run("token", *arguments)


@pytest.mark.parametrize("public_url", ["https://id.example", "https://goalgraph.example"])
def test_token_refuses_in_production(public_url: str) -> None:
    with (
        override_settings(OIDC_ISSUER="https://id.example", PUBLIC_URL=public_url),
        pytest.raises(CommandError, match="local and test settings only"),
    ):
        run("token", "ana")


def test_a_rotation_is_told_and_seen(tmp_path: Path) -> None:
    with override_settings(ISSUER_KEYS_DIR=tmp_path, ISSUER_PRIVATE_KEYS=""):
        before = run("token", "ana")
        told = run("rotate_signing_key")
        assert FileKeys(tmp_path).all()[0].kid in told
        assert "Published keys: 2." in told
        for token in (before, run("token", "ana")):
            assert actor_from_authorization(f"Bearer {token.strip()}").user_id == "ana"


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"OIDC_ISSUER": "https://id.example"}, "rotate the key there"), ({"ISSUER_PRIVATE_KEYS": "given"}, "ISSUER_PRIVATE_KEYS")],
)
def test_a_rotation_that_is_not_ours_to_make_is_refused(settings: dict[str, Any], message: str) -> None:
    with override_settings(**settings), pytest.raises(CommandError, match=message):
        run("rotate_signing_key")


def test_the_command_line_needs_no_server_and_no_database(tmp_path: Path) -> None:
    """Two processes share nothing but the data folder."""
    keep = ("PATH", "SYSTEMROOT", "VIRTUAL_ENV", "LANG")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"GOALGRAPH_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "goalgraph.settings.local", "PORT": "18099"}
    made = subprocess.run(
        [sys.executable, "manage.py", "token", "ana"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    program = (
        "import sys, django; django.setup(); from goalgraph.auth.access import actor_from_authorization as actor;"
        "print(actor('Bearer ' + sys.argv[1]).user_id)"
    )
    read = subprocess.run(
        [sys.executable, "-c", program, made.stdout.strip()], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert read.stdout == "ana\n"
    assert [path.name for path in tmp_path.iterdir()] == ["issuer-keys"]
