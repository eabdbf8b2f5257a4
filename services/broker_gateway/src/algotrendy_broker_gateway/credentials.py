"""``python -m algotrendy_broker_gateway.credentials``: keys of the venues, for whoever administers the installation.

    credentials list
    credentials set ACCOUNT          asks for key, secret and passphrase, or reads a line each from standard input
    credentials rotate               after a newer line was added to the file of wrapping keys
    credentials remove ACCOUNT

Invariant: a key is never an argument, so it is in no process list and no shell history; nothing prints one.
"""

import argparse
import asyncio
import sys
from getpass import getpass

from algotrendy_common.app import App
from algotrendy_common.errors import AlgoTrendyError, InvariantBroken, Refused
from algotrendy_common.settings import load_or_exit
from pydantic import SecretStr

from algotrendy_broker_gateway.accounts.vault import Vault, VenueKeys, read_wrapping_keys
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_broker_gateway.store.credentials import CredentialStore


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m algotrendy_broker_gateway.credentials", description="Keys of the venues"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="which account has keys, and which key wraps them")
    verbs.add_parser("rotate", help="wrap everything by the newest key of the key file")
    for verb, text in (("set", "store an account's keys; they are read, never given"), ("remove", "forget them")):
        verbs.add_parser(verb, help=text).add_argument("account")
    return parser.parse_args(given)


async def run(settings: BrokerGatewaySettings, asked: argparse.Namespace) -> list[str]:
    """Do what was asked; returns what there is to say. Raises ``Refused`` where it cannot be."""
    if settings.credentials_key_file is None:
        raise Refused("no_key_file", "ALGOTRENDY_BROKER_GATEWAY_CREDENTIALS_KEY_FILE names no file")
    database = App("broker_gateway", settings).uses_database(size=1)
    vault = Vault(database, read_wrapping_keys(settings.credentials_key_file))
    accounts = {one.account: one for one in settings.every_account}
    if asked.verb == "set" and asked.account not in accounts:
        raise Refused("account_unknown", f"no account {asked.account} is configured")
    await database.connect(patience_s=5)
    try:
        match asked.verb:
            case "list":
                return [
                    f"{row.account:<24} {row.venue:<12} ...{row.key_hint}  key {row.key_version}  {row.stored_at}"
                    for row in await CredentialStore(database).every()
                ]
            case "set":
                await vault.put(asked.account, accounts[asked.account].venue, _read())
                return [f"stored for {asked.account}; the gateway uses them from its next start on"]
            case "rotate":
                rotated, broken = await vault.rotate()
                if broken:
                    raise InvariantBroken(f"{rotated} wrapped anew; these do not open: {', '.join(broken)}")
                return [f"{rotated} wrapped anew"]
            case _:
                if not await CredentialStore(database).remove(asked.account):
                    raise Refused("credentials_missing", f"no keys are stored for {asked.account}")
                return [f"forgotten for {asked.account}"]
    finally:
        await database.close()


def _read() -> VenueKeys:
    if sys.stdin.isatty():
        given = [getpass(f"{what}: ") for what in ("API key", "API secret", "passphrase (empty where there is none)")]
    else:
        given = [line.rstrip("\r\n") for line in sys.stdin.readlines()[:3]]
    key, secret, passphrase = (*given, "", "", "")[:3]
    if not key or not secret:
        raise Refused("credentials_missing", "a key and a secret are needed, a line each")
    return VenueKeys(SecretStr(key), SecretStr(secret), SecretStr(passphrase) if passphrase else None)


def main() -> None:
    asked = arguments(sys.argv[1:])
    try:
        said = asyncio.run(run(load_or_exit(BrokerGatewaySettings, "broker_gateway"), asked))
    except AlgoTrendyError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from error
    sys.stdout.write("".join(f"{line}\n" for line in said))


if __name__ == "__main__":
    main()
