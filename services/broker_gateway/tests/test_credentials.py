"""Keys at rest: sealed, bound to their row, rotated without a pause, and in no dump and no log."""

import asyncio
import json
import os
import secrets
import sys

import asyncpg
import pytest
from algotrendy_broker_gateway.accounts.vault import Vault, VenueKeys, read_wrapping_keys
from algotrendy_broker_gateway.credentials import arguments, run
from algotrendy_broker_gateway.domain.envelope import Bound, HeldKeys, keys_of, seal, unseal
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_broker_gateway.store.credentials import CredentialStore
from algotrendy_common import ids
from algotrendy_common.database import Database
from algotrendy_common.errors import InvariantBroken, Refused
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import load
from pydantic import SecretStr

KEYS = {version: bytes([version]) * 32 for version in (1, 2, 3)}
BOUND = Bound("acc", "okx", "row")


@pytest.fixture
async def database(servers):
    database = Database(servers.addresses.service_postgres_url("broker_gateway"), check=lambda event: None)
    await database.connect()
    yield database
    await database.close()


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "wrapping-keys"
    file.write_text(f"# oldest first\n1 {KEYS[1].hex()}\n")
    file.chmod(0o600)
    return file


# -- the envelope ------------------------------------------------------------------------------------------------


def test_what_is_sealed_opens_again_and_looks_different_every_time():
    sealed = [seal(KEYS[1], b"secret", BOUND, secrets.token_bytes) for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert [unseal(KEYS[1], one, BOUND) for one in sealed] == [b"secret", b"secret"]


@pytest.mark.parametrize(
    "other", [Bound("acc2", "okx", "row"), Bound("acc", "kraken", "row"), Bound("acc", "okx", "row2")]
)
def test_what_is_sealed_for_one_row_opens_in_no_other(other):
    sealed = seal(KEYS[1], b"secret", BOUND, secrets.token_bytes)
    with pytest.raises(InvariantBroken):
        unseal(KEYS[1], sealed, other)


def test_every_changed_byte_is_noticed():
    sealed = seal(KEYS[1], b"secret", BOUND, secrets.token_bytes)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(InvariantBroken):
            unseal(KEYS[1], changed, BOUND)
    with pytest.raises(InvariantBroken):
        unseal(KEYS[2], sealed, BOUND)


def test_the_newest_wrapping_key_wraps_and_older_ones_still_open():
    version, wrapped = HeldKeys({1: KEYS[1]}, secrets.token_bytes).wrap(b"k" * 32, BOUND)
    later = HeldKeys({1: KEYS[1], 2: KEYS[2]}, secrets.token_bytes)
    assert (version, later.newest) == (1, 2)
    assert later.unwrap(1, wrapped, BOUND) == b"k" * 32
    with pytest.raises(InvariantBroken, match="not there"):
        HeldKeys({2: KEYS[2]}, secrets.token_bytes).unwrap(1, wrapped, BOUND)


@pytest.mark.parametrize("text", ["1", "x 00", f"1 {KEYS[1].hex()}\n1 {KEYS[2].hex()}", f"1 {KEYS[1].hex()} more"])
def test_a_key_file_that_is_not_one_is_refused_without_showing_it(text):
    with pytest.raises(InvariantBroken) as refused:
        keys_of(text)
    assert KEYS[1].hex() not in str(refused.value)


def test_a_key_file_that_others_may_read_is_refused(key_file):
    key_file.chmod(0o644)
    with pytest.raises(InvariantBroken, match="chmod 600"):
        read_wrapping_keys(key_file)


# -- the vault ---------------------------------------------------------------------------------------------------


def keys(word: str) -> VenueKeys:
    return VenueKeys(SecretStr(f"key-{word}-0123456789"), SecretStr(f"secret-{word}"), SecretStr(f"phrase-{word}"))


async def test_keys_are_stored_opened_replaced_and_bound_to_account_and_venue(database):
    vault, account = Vault(database, HeldKeys({1: KEYS[1]}, secrets.token_bytes)), ids.new_id()
    for word in ("old", "new"):
        await vault.put(account, "okx", keys(word))
    opened = await vault.open(account, "okx")
    assert opened.api_secret.get_secret_value() == "secret-new"
    assert opened.passphrase is not None
    assert "secret-new" not in repr(opened)
    with pytest.raises(Refused):
        await vault.open(account, "kraken")
    async with database.transaction() as tx:  # a row that is moved to another account does not open there
        await tx.execute("UPDATE credentials SET account = $2 WHERE account = $1", account, f"{account}x")
    with pytest.raises(InvariantBroken):
        await vault.open(f"{account}x", "okx")
    later = Vault(database, HeldKeys({1: KEYS[1], 2: KEYS[2]}, secrets.token_bytes))
    assert (await later.rotate())[1] == (f"{account}x",)  # the others are rotated nevertheless
    await CredentialStore(database).remove(f"{account}x")


async def test_rotation_wraps_every_row_anew_while_they_are_read(database):
    old = Vault(database, HeldKeys({2: KEYS[2]}, secrets.token_bytes))
    accounts = [f"rotated-{ids.new_id()[:8]}-{number}" for number in range(60)]
    for account in accounts:
        await old.put(account, "okx", keys(account))
    both = Vault(database, HeldKeys({2: KEYS[2], 3: KEYS[3]}, secrets.token_bytes))
    rotating = asyncio.create_task(both.rotate())
    read = 0
    while not rotating.done():
        assert (await both.open(accounts[read % 60], "okx")).api_key
        read += 1
    assert (await rotating)[0] >= 60
    assert await both.rotate() == (0, ())
    assert read > 0
    new = Vault(database, HeldKeys({3: KEYS[3]}, secrets.token_bytes))
    for account in accounts:
        assert (await new.open(account, "okx")).api_secret.get_secret_value() == f"secret-{account}"
        await CredentialStore(database).remove(account)


# -- a gateway with stored keys ----------------------------------------------------------------------------------


async def command(world, environment, *words, given=""):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "algotrendy_broker_gateway.credentials",
        *words,
        env=os.environ | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate(given.encode())
    return process.returncode, (said + complained).decode()


async def test_a_gateway_trades_with_stored_keys_and_shows_them_nowhere(world, key_file):
    # At the simulated venue key and secret are words of ours, so that they can be looked for.
    secret = f"plaintext-{ids.new_id()}"
    await world.venue.admin(
        "POST",
        "/admin/accounts",
        {"account": f"{world.account}-b", "key": f"{secret}-key", "secret": secret, "balances": {"USDT": "100000"}},
    )
    account = {
        "account": world.account,
        "venue": "binance",
        "http_url": world.venue.http,
        "ws_url": world.venue.ws,
        "symbols": ["BTC-USDT"],
    }
    changes = {"ACCOUNTS": json.dumps([account]), "CREDENTIALS_KEY_FILE": str(key_file)}
    environment = world.environment(**changes)
    environment = {name: value for name, value in environment.items() if "BINANCE" not in name}

    status, said = await command(world, environment, "set", world.account, given=f"{secret}-key\n{secret}\n")
    assert (status, secret in said) == (0, False)
    settings = load(BrokerGatewaySettings, "broker_gateway", environment)
    said = "\n".join(await run(settings, arguments(["list"])))
    assert world.account in said
    assert secret not in said

    async with world.process(**changes):
        terms = await world.approve()
        await world.reaches(terms.order_id, "filled")
        known = await world.ask(rpc.CREDENTIALS, Nothing())
        mine = [one for one in known.credentials if one.account == world.account]
        assert [(one.venue, one.key_hint, one.key_version) for one in mine] == [("binance", "-key", 1)]
        await world.fault("error_before")  # what a failing venue makes the gateway log
        unknown = await world.approve()
        await world.reaches(unknown.order_id, "outcome_unknown", "lost")

    logs = "".join(file.read_text(errors="replace") for file in world.servers.home.logs.glob("*.log"))
    assert "service started" in logs
    assert secret not in logs
    assert secret not in await dump(world)

    key_file.write_text(f"1 {KEYS[1].hex()}\n2 {KEYS[2].hex()}\n")
    assert await run(settings, arguments(["rotate"])) != ["0 wrapped anew"]
    key_file.write_text(f"2 {KEYS[2].hex()}\n")
    async with world.running(**changes):
        terms = await world.approve()
        try:
            await world.reaches(terms.order_id, "filled")
        except AssertionError:
            print([(u.status, u.reason_message) for u in world.updates(terms.order_id)])
            print(await world.ask(rpc.ACCOUNTS, Nothing()))
            raise
    assert await run(settings, arguments(["remove", world.account])) == [f"forgotten for {world.account}"]
    with pytest.raises(Refused, match="no account nobody"):
        await run(settings, arguments(["set", "nobody"]))


async def dump(world) -> str:
    """Every row of the service's schema, as text; bytes as they are too."""
    connection = await asyncpg.connect(world.servers.addresses.service_postgres_url("broker_gateway"))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        rows = [await connection.fetch(f'SELECT * FROM "{table["tablename"]}"') for table in tables]
    finally:
        await connection.close()
    values = [value for found in rows for row in found for value in row.values()]
    return "\n".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values)
