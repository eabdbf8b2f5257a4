"""What an operator does to a running stack: dead letters and the kill switch."""

import asyncio
import json

import pytest
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import risk
from algotrendy_local.errors import StackError
from algotrendy_local.operations import dead_letters, halting
from algotrendy_local.operations.connection import connected
from algotrendy_local.settings import LocalSettings
from algotrendy_local.testing import Command, running_servers
from algotrendy_local.topology import Place


async def place_of(servers) -> Place:
    """The stack's place as the commands see it."""
    from algotrendy_local.ports import PortBlock

    base = int(servers.addresses.nats_url.rpartition(":")[2])
    settings = LocalSettings.from_environment(home=servers.home.root, port_base=None, replaced={})
    offset = PortBlock(0)["nats"]
    return Place.of(servers.home, PortBlock(base - offset), settings)


async def bury(place: Place, subject: str, body: str) -> None:
    """As a service does with what it cannot handle."""
    letter = {
        "kind": "MessageDeadLettered", "schema_version": 1, "event_id": new_id(), "producer": "risk",
        "event_time": "2026-01-01T00:00:00Z", "received_time": "2026-01-01T00:00:00Z", "service": "risk",
        "consumer": "risk-order-proposed", "subject": subject, "message_id": None, "body": body,
        "error_type": "ValueError", "error": "no such kind\nand more", "deliveries": 1,
    }  # fmt: skip
    async with connected(place, "risk") as client:
        await client.jetstream().publish("deadletter.risk", json.dumps(letter).encode())


async def test_dead_letters_are_listed_and_go_back_as_they_were() -> None:
    async with running_servers("nats", migrate=True) as servers:
        place = await place_of(servers)
        assert await dead_letters.dead_letters(place, 10) == []
        for body in ("first", "second"):
            await bury(place, "order.proposed", body)
        await bury(place, "order.event.paper-1", "third")
        first, second, third = await dead_letters.dead_letters(place, 10)
        assert (first.body, first.error_type, first.service) == ("first", "ValueError", "risk")
        assert [letter.body for letter in await dead_letters.dead_letters(place, 2)] == ["second", "third"]
        await dead_letters.replay(place, [second.number, third.number])
        async with connected(place, "migrator") as client:
            stored = [await client.jetstream().get_msg("ORDERS", seq=number) for number in (1, 2)]
        assert [(message.subject, message.data) for message in stored] == [
            ("order.proposed", b"second"),
            ("order.event.paper-1", b"third"),
        ]
        with pytest.raises(StackError, match="there is no dead letter 99"):
            await dead_letters.replay(place, [99])


async def test_a_halt_of_everything_is_a_file_before_it_is_a_command() -> None:
    async with running_servers("nats", migrate=True) as servers:
        place = await place_of(servers)
        asked = risk.HaltAsked(account=None, by=halting.operator(), reason="drill")
        done = await halting.halt(place, asked)
        assert done.file
        assert done.risk.startswith("not heard: risk does not answer")
        assert place.home.kill_file.read_text() == f"{halting.operator()}: drill\n"
        with pytest.raises(StackError, match="risk does not answer"):
            await halting.halt(place, asked.model_copy(update={"account": "paper-1"}))

        # With the bus down the operator hears so soon, not after the client's own sixty attempts (two minutes).
        await servers.kill("nats")
        place.home.kill_file.unlink()
        async with asyncio.timeout(60):
            away = await halting.halt(place, asked)
        assert away.file
        assert away.risk.startswith("not heard: NATS does not answer")
        assert place.home.kill_file.exists()


def test_without_a_stack_the_file_is_written_and_taken_away_all_the_same(algotrendy: Command) -> None:
    halted = algotrendy("halt", "--reason", "smoke")
    assert halted.returncode == 0, halted.stderr
    assert "what starts will start halted" in " ".join(halted.stdout.split())
    assert algotrendy.home.kill_file.read_text().endswith(": smoke\n")
    assert algotrendy("resume", "--reason", "over").returncode == 0
    assert not algotrendy.home.kill_file.exists()
    for words in (("deadletter", "list"), ("halt", "--account", "paper-1", "--reason", "smoke")):
        refused = algotrendy(*words)
        assert refused.returncode == 1
        assert "no stack is running here" in refused.stderr
