import json
import stat

import nkeys
import pytest
from algotrendy_common.permissions import USERS
from algotrendy_local.credentials import Credentials
from algotrendy_local.home import Home


def test_secrets_are_made_once(home: Home) -> None:
    first, later = Credentials(home), Credentials(home)
    assert first.password("redis") == later.password("redis")
    assert first.password("redis") != first.password("postgres")
    assert first.signing_key("token") == later.signing_key("token")
    assert len(bytes.fromhex(first.signing_key("token"))) == 32
    assert first.demo_password() == later.demo_password()


def test_every_user_of_the_bus_has_a_key_that_signs(home: Home) -> None:
    credentials = Credentials(home)
    public = credentials.nats_public_keys()
    assert set(public) == set(USERS)
    assert len(set(public.values())) == len(USERS)
    for user, file in credentials.nats_seed_files().items():
        key = nkeys.from_seed(file.read_text().strip().encode())
        assert public[user].startswith("U")
        assert nkeys.KeyPair(public_key=None, keys=key._keys).verify(b"nonce", key.sign(b"nonce"))


def test_all_secrets_are_readable_by_their_owner_alone(home: Home) -> None:
    credentials = Credentials(home)
    credentials.nats_seed_files()
    credentials.demo_password()
    for file in (*home.keys.iterdir(), home.demo_login):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_demo_login_names_four_users_in_three_roles(home: Home) -> None:
    password = Credentials(home).demo_password()
    login = json.loads(home.demo_login.read_text())
    assert login == {
        "password": password,
        "users": {"ada": "admin", "tom": "trader", "uma": "trader", "vic": "viewer"},
    }
    assert len(password) >= 12


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_passwords_need_no_quoting(home: Home, name: str) -> None:
    assert Credentials(home).password(name).replace("-", "").replace("_", "").isalnum()
