"""NATS permissions from the catalogue: one user a service, which may do what its rows say and nothing else.

Invariant: no list here is written by hand; a subject that is not in the catalogue is denied to everybody.
"""

from typing import Any

from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import BUCKETS, CATALOGUE, SERVICES, Bucket, Delivery, Subject, inbox_prefix

MIGRATOR = "migrator"
"""Creates streams and consumers; the only user that may."""
OBSERVER = "observer"
"""Reads every event; for outside programs."""
USERS = (*SERVICES, MIGRATOR, OBSERVER)


def deliver_subject(row: Subject, service: str) -> str:
    """Where the server pushes a durable reader's messages."""
    return f"deliver.{service}.{row.slug}"


def publish_allowed(user: str) -> list[str]:
    if user == MIGRATOR:
        return ["$JS.API.>"]
    if user == OBSERVER:
        return ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"]
    allowed = {_as_published(row, user) for row in CATALOGUE if user in row.owners}
    allowed |= {call.subject for call in CALLS if user in call.callers}
    allowed |= {f"$JS.API.STREAM.INFO.{row.stream.name}" for row in CATALOGUE if user in row.owners and row.stream}
    for row in CATALOGUE:
        delivery = row.readers.get(user)
        if row.stream is None or delivery in (None, Delivery.HOT):
            continue
        name = f"{row.stream.name}.{row.consumer(user)}"
        allowed |= {f"$JS.API.CONSUMER.INFO.{name}", f"$JS.ACK.{name}.>"}
        if delivery is Delivery.BATCH:
            allowed.add(f"$JS.API.CONSUMER.MSG.NEXT.{name}")
    allowed |= {subject for bucket in BUCKETS if user in bucket.owners for subject in _keeping(bucket)}
    return sorted(allowed)


def _keeping(bucket: Bucket) -> set[str]:
    """To put and get files: their chunks and descriptions, and to take away what was replaced."""
    stream = bucket.stream
    return {
        f"$O.{bucket.name}.C.>",
        f"$O.{bucket.name}.M.>",
        # A client finds the stream of a subject by name; what it finds, it still may not read.
        "$JS.API.STREAM.NAMES",
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.STREAM.PURGE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.>",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.FC.{stream}.>",
    }


def subscribe_allowed(user: str) -> list[str]:
    own_inbox = f"{inbox_prefix(user)}.>"
    if user == MIGRATOR:
        return [own_inbox]
    if user == OBSERVER:
        return sorted({own_inbox, *(row.wildcard for row in CATALOGUE)})
    allowed = {own_inbox} | {call.subject for call in CALLS if call.service == user}
    for row in CATALOGUE:
        delivery = row.readers.get(user)
        if delivery is Delivery.HOT:
            allowed.add(row.wildcard)
        elif delivery is Delivery.DURABLE:
            allowed.add(deliver_subject(row, user))
    return sorted(allowed)


def nats_users(public_keys: dict[str, str]) -> list[dict[str, Any]]:
    """``users`` of a NATS server's ``authorization``; ``public_keys`` maps each of ``USERS`` to its nkey (``U...``).

    Raises KeyError where a user has no key: a server that is short of a user would refuse a service at run time.
    """
    return [
        {
            "nkey": public_keys[user],
            "permissions": {
                "publish": {"allow": publish_allowed(user)},
                "subscribe": {"allow": subscribe_allowed(user)},
                # A service answers a call on the caller's private inbox, which only the request names.
                "allow_responses": {"max": 1, "expires": "30s"},
            },
        }
        for user in USERS
    ]


def _as_published(row: Subject, user: str) -> str:
    """A service speaks of itself only: ``{service}`` is its own name."""
    return row.pattern.replace("{service}", user) if "{service}" in row.pattern else row.wildcard
