"""Every user × every subject, asked of the real server: what the catalogue gives is allowed, all else is denied."""

import asyncio

import nats
import pytest
from algotrendy_common.permissions import USERS, deliver_subject
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import CATALOGUE, SERVICES, Delivery, Subject, inbox_prefix


def concrete(row: Subject, user: str) -> str:
    """A subject as it is really used, with ``user`` as the service that it speaks of."""
    return row.pattern.format_map(_Names(service=user))


class _Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "x"


def expected_publish(user: str) -> dict[str, bool]:
    expected = {concrete(row, user): user in row.owners for row in CATALOGUE}
    expected |= {call.subject: user in call.callers for call in CALLS}
    for other in SERVICES:
        if other != user:
            expected[f"ops.health.{other}"] = False
            expected[f"deadletter.{other}"] = False
    expected |= dict.fromkeys(
        ["$JS.API.STREAM.CREATE.ORDERS", "$JS.API.STREAM.DELETE.ORDERS", "$JS.API.STREAM.PURGE.ORDERS",
         "$JS.API.STREAM.UPDATE.ORDERS", "$JS.API.CONSUMER.DELETE.ORDERS.risk-order-proposed"],
        user == "migrator",
    )  # fmt: skip
    return expected | {"made.up": False, f"_INBOX_{'risk' if user != 'risk' else 'agent'}.x": False}


def expected_subscribe(user: str) -> dict[str, bool]:
    hot = {concrete(row, user): row.readers.get(user) is Delivery.HOT or user == "observer" for row in CATALOGUE}
    answers = {call.subject: call.service == user for call in CALLS}
    pushed = {
        deliver_subject(row, service): user == service
        for row in CATALOGUE
        for service, delivery in row.readers.items()
        if delivery is Delivery.DURABLE
    }
    inboxes = {f"{inbox_prefix(other)}.x": other == user for other in USERS}
    return hot | answers | pushed | inboxes | {"made.up": False, ">": False}


async def refused_subjects(servers, user: str, publish: list[str], subscribe: list[str]) -> set[tuple[str, str]]:
    """Try everything on one connection; the server's complaints say what it denied."""
    complaints: list[str] = []

    async def on_error(error: Exception) -> None:
        complaints.append(str(error))

    client = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed=str(servers.addresses.nats_seed_files[user]),
        inbox_prefix=inbox_prefix(user),
        error_cb=on_error,
    )
    for subject in publish:
        await client.publish(subject, b"")
    for subject in subscribe:
        await client.subscribe(subject)
    await client.flush()
    await asyncio.sleep(0.3)
    await client.close()
    denied: set[tuple[str, str]] = set()
    for complaint in complaints:
        text = complaint.lower()
        for kind, subjects in (("publish", publish), ("subscription", subscribe)):
            for subject in subjects:
                if f'permissions violation for {kind} to "{subject.lower()}"' in text:
                    denied.add((kind, subject))
    return denied


@pytest.mark.parametrize("user", USERS)
async def test_a_user_may_do_exactly_what_the_catalogue_says(servers, user):
    publish, subscribe = expected_publish(user), expected_subscribe(user)
    if user == "observer":
        publish = dict.fromkeys(publish, False)
    denied = await refused_subjects(servers, user, list(publish), list(subscribe))
    assert {subject for kind, subject in denied if kind == "publish"} == {s for s, ok in publish.items() if not ok}
    assert {subject for kind, subject in denied if kind == "subscription"} == {
        s for s, ok in subscribe.items() if not ok
    }


def test_only_risk_can_approve_an_order():
    owners = {row.pattern: row.owners for row in CATALOGUE}
    assert owners["order.approved"] == ("risk",)
