"""Messages that could not be handled: read from their stream, and put back on their subject.

Invariant: a replayed message keeps the body it had, its event's id included, so that a reader which did take it in the
first time takes no notice.
"""

from dataclasses import dataclass
from datetime import datetime

import nats.js.errors
from algotrendy_common.events.ops import MessageDeadLettered
from algotrendy_common.subjects import CATALOGUE, OPS, Subject, subject_of
from nats.aio.client import Client

from algotrendy_local.errors import StackError
from algotrendy_local.operations.connection import connected
from algotrendy_local.topology import Place


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``number`` is the letter's place in the stream, by which it is replayed."""

    number: int
    at: datetime
    service: str
    subject: str
    error_type: str
    error: str
    deliveries: int
    body: str


async def dead_letters(place: Place, newest: int) -> list[DeadLetter]:
    """At most ``newest`` of them, oldest first."""
    async with connected(place, "migrator") as client:
        return await _read(client, newest)


async def replay(place: Place, numbers: list[int]) -> list[DeadLetter]:
    """Publish these again as their owners did; raises StackError for a number that is no dead letter."""
    async with connected(place, "migrator") as client:
        letters = {letter.number: letter for letter in await _read(client, None)}
    missing = [str(number) for number in numbers if number not in letters]
    if missing:
        raise StackError(
            "no_such_letter", f"there is no dead letter {', '.join(missing)}", "algotrendy deadletter list"
        )
    for number in numbers:
        letter = letters[number]
        async with connected(place, _owner(letter.subject)) as client:
            # The id names the replay: the first message's may still be in the server's window of duplicates.
            await client.jetstream().publish(
                letter.subject,
                letter.body.encode(),
                headers={"Nats-Msg-Id": f"replay-{number}-{letter.at.timestamp()}"},
            )
    return [letters[number] for number in numbers]


async def _read(client: Client, newest: int | None) -> list[DeadLetter]:
    """From the newest back, until enough are found."""
    jetstream, wildcard = client.jetstream(), subject_of(MessageDeadLettered).wildcard
    found: list[DeadLetter] = []
    number = 0
    while True:
        try:
            message = await jetstream.get_msg(OPS.name, seq=number + 1, subject=wildcard, next=True)
        except nats.js.errors.NotFoundError:
            break
        assert message.seq is not None
        number = message.seq
        event = MessageDeadLettered.from_json(message.data or b"")
        found.append(
            DeadLetter(
                number,
                event.received_time,
                event.service,
                event.subject,
                event.error_type,
                event.error,
                event.deliveries,
                event.body,
            )
        )
    return found if newest is None else found[-newest:]


def _owner(subject: str) -> str:
    """A user that may publish on it."""
    for row in CATALOGUE:
        if _matches(row, subject):
            return subject.rpartition(".")[2] if "{service}" in row.pattern else row.owners[0]
    raise StackError("no_such_subject", f"{subject} is not in the catalogue, so nobody may publish on it")


def _matches(row: Subject, subject: str) -> bool:
    pattern, tokens = row.wildcard.split("."), subject.split(".")
    return len(pattern) == len(tokens) and all(want in ("*", have) for want, have in zip(pattern, tokens, strict=True))
