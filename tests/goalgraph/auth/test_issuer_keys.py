import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from goalgraph.adapters.local.issuer_keys import EnvKeys, FileKeys, MemoryKeys, SigningKeys, signing_keys


@pytest.fixture(params=["memory", "files"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> SigningKeys:
    return MemoryKeys() if request.param == "memory" else FileKeys(tmp_path / "issuer-keys")


def kids(keys: SigningKeys) -> list[str]:
    return [key.kid for key in keys.all()]


def test_the_first_key_is_made_on_first_use_and_kept(keys: SigningKeys) -> None:
    assert len(kids(keys)) == 1
    assert kids(keys) == kids(keys)


def test_a_new_key_signs_and_the_old_ones_stay_published(keys: SigningKeys) -> None:
    first = kids(keys)[0]
    second, third = keys.rotate().kid, keys.rotate().kid
    assert kids(keys) == [third, second, first]
    assert all(keys.find(kid) is not None for kid in kids(keys))
    assert keys.find("somebody") is None


def test_a_key_is_found_as_the_same_object(keys: SigningKeys) -> None:
    kid = kids(keys)[0]
    assert keys.find(kid) is keys.find(kid)


def test_files_are_seen_by_other_processes_at_once(tmp_path: Path) -> None:
    here, there = FileKeys(tmp_path), FileKeys(tmp_path)
    assert kids(here) == kids(there)
    here.rotate()
    assert kids(here) == kids(there)
    assert len(kids(there)) == 2


def test_files_are_private_to_their_owner(tmp_path: Path) -> None:
    FileKeys(tmp_path / "new" / "issuer-keys").rotate()
    folder = tmp_path / "new" / "issuer-keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600, 0o600]


def test_a_key_goes_a_day_after_it_was_replaced(tmp_path: Path) -> None:
    """Ages of the files: the oldest was replaced two days ago, the second a moment ago by the rotation."""
    keys = FileKeys(tmp_path)
    oldest = kids(keys)[0]
    age(next(tmp_path.iterdir()), days=9)
    second = keys.rotate().kid
    age(max(tmp_path.iterdir()), days=2)
    keys = FileKeys(tmp_path)
    assert kids(keys) == [second, oldest]
    third = keys.rotate().kid
    assert kids(keys) == [third, second]
    assert len(list(tmp_path.iterdir())) == 2


def age(file: Path, *, days: int) -> None:
    file.rename(file.with_name(f"{int((time.time() - days * 86_400) * 1000):013d}-{file.name.partition('-')[2]}"))


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("keep")
    (tmp_path / "1700000000000-0123abcd.pem.part").write_text("cut short")
    FileKeys(tmp_path).rotate()
    assert (tmp_path / "README").read_text() == "keep"
    assert len(kids(FileKeys(tmp_path))) == 2


def test_keys_of_the_environment_are_taken_newest_first(tmp_path: Path) -> None:
    made = FileKeys(tmp_path)
    made.rotate()
    pems = [key.pem for key in made.all()]
    for text in ("\n".join(pems), "\n".join(pems).replace("\n", "\\n")):
        keys = EnvKeys(text)
        assert kids(keys) == kids(made)
        assert keys.all()[0].issued_at > keys.all()[1].issued_at
        with pytest.raises(ImproperlyConfigured, match="put a new one first"):
            keys.rotate()


def test_what_is_no_rsa_key_is_refused() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ImproperlyConfigured, match="RSA"):
        kids(EnvKeys(curve.decode()))
    with pytest.raises(ImproperlyConfigured, match="no private key"):
        EnvKeys("secret")


def test_settings_choose_where_keys_lie(tmp_path: Path) -> None:
    with override_settings(ISSUER_PRIVATE_KEYS="", ISSUER_KEYS_DIR=tmp_path):
        pem, kid = signing_keys().all()[0].pem, signing_keys().all()[0].kid
    with override_settings(ISSUER_PRIVATE_KEYS=pem, ISSUER_KEYS_DIR=None):
        assert kids(signing_keys()) == [kid]
    with override_settings(ISSUER_PRIVATE_KEYS="", ISSUER_KEYS_DIR=None):
        assert kids(signing_keys()) != [kid]
