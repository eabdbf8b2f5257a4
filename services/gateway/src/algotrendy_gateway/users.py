"""``python -m algotrendy_gateway.users``: who may log in, for whoever administers the installation.

    users list
    users add NAME --role trader [--display-name "Tom"]     the password is read from the terminal or standard input
    users password NAME
    users disable NAME | enable NAME

Invariant: a password is never an argument, so it is in no process list and no shell history.
"""

import argparse
import asyncio
import sys
from getpass import getpass

from algotrendy_common.app import App
from algotrendy_common.errors import AlgoTrendyError
from algotrendy_common.settings import load_or_exit

from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.errors import Invalid
from algotrendy_gateway.people import People
from algotrendy_gateway.security.passwords import Passwords
from algotrendy_gateway.settings import GatewaySettings
from algotrendy_gateway.store.audit import AuditTrail
from algotrendy_gateway.store.users import Users


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m algotrendy_gateway.users", description="Users of the gateway")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="everybody, with role and state")
    add = verbs.add_parser("add", help="a new user")
    add.add_argument("username")
    add.add_argument("--role", type=Role, choices=list(Role), required=True)
    add.add_argument("--display-name")
    for verb, text in (
        ("password", "a new password; ends the user's sessions"),
        ("disable", "no way in, and all sessions end"),
        ("enable", "the way in again"),
    ):
        verbs.add_parser(verb, help=text).add_argument("username")
    return parser.parse_args(given)


async def run(settings: GatewaySettings, asked: argparse.Namespace) -> list[str]:
    """Do what was asked; returns what there is to say. Raises ``Refused`` where it cannot be."""
    # The app is not started: it only gives the database, the clock and the events, which the relay of the running
    # gateway publishes.
    app = App("gateway", settings)
    database = app.uses_database(size=1)
    users = Users(database)
    people = People(database, users, Passwords(), Auditor(database, AuditTrail(database), app.events), app.clock)
    await database.connect(patience_s=5)
    try:
        match asked.verb:
            case "list":
                return [
                    f"{user.username:<32} {user.role.value:<8} {'enabled' if user.enabled else 'disabled'}"
                    for user in await people.all()
                ]
            case "add":
                shown = asked.display_name or asked.username.title()
                await people.add(asked.username, shown, asked.role, _password())
            case "password":
                await people.set_password(asked.username, _password())
            case verb:
                await people.set_enabled(asked.username, verb == "enable")
        return [f"{asked.username}: done"]
    finally:
        await database.close()


def _password() -> str:
    if sys.stdin.isatty():
        first, second = getpass("Password: "), getpass("Again: ")
        if first != second:
            raise Invalid({"password": "The two are not the same."})
        return first
    return sys.stdin.readline().rstrip("\n")


def main() -> None:
    asked = arguments(sys.argv[1:])
    settings = load_or_exit(GatewaySettings, "gateway")
    try:
        lines = asyncio.run(run(settings, asked))
    except AlgoTrendyError as error:
        detail = "; ".join(error.fields.values()) if isinstance(error, Invalid) else str(error)
        sys.stderr.write(f"{detail}\n")
        raise SystemExit(1) from error
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
