"""Listen to a running stack from a program of your own, with the NATS user that may only watch.

Start the stack (`make demo`), then: .venv/bin/python examples/01_subscribe.py [--count 20] [--home .algotrendy]
"""

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path

import nats
from algotrendy_common.bus import inbox_prefix
from algotrendy_common.events.market import TradePrinted
from algotrendy_common.events.order import OrderApproved, OrderFilled, OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.subjects import parse, subject_of
from nats.aio.msg import Msg

WANTED = (TradePrinted, SignalRaised, OrderProposed, OrderApproved, OrderRefused, OrderUpdated)
"""``OrderUpdated`` and ``OrderFilled`` share a subject, so one subscription brings both."""


def running_stack(home: str) -> dict[str, object]:
    """Where the stack is, from its own command."""
    command = [str(Path(sys.executable).with_name("algotrendy")), "demo-info", "--json", "--home", home]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise SystemExit(told.stderr.strip())
    info: dict[str, object] = json.loads(told.stdout)
    return info


async def listen(url: str, seed_file: str, count: int) -> None:
    heard = 0
    enough = asyncio.Event()
    client = await nats.connect(url, nkeys_seed=seed_file, inbox_prefix=inbox_prefix("observer"))
    for event_class in WANTED:
        row = subject_of(event_class)

        async def hear(message: Msg, row=row) -> None:  # type: ignore[no-untyped-def]
            nonlocal heard
            event = parse(row, message.data)
            match event:
                case TradePrinted():
                    print(f"{message.subject:<34} {event.side.value:<4} {event.quantity} at {event.price}")
                case SignalRaised():
                    print(f"{message.subject:<34} wants {event.target}: {event.reason}")
                case OrderFilled():
                    print(f"{message.subject:<34} filled {event.quantity} at {event.price}, fee {event.fee}")
                case OrderUpdated():
                    print(f"{message.subject:<34} {event.terms.order_id[:8]} is {event.status.value}")
                case _:
                    print(f"{message.subject:<34} {event.kind}")
            heard += 1
            if heard >= count:
                enough.set()

        await client.subscribe(row.wildcard, cb=hear)
    await enough.wait()
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="events to show")
    parser.add_argument("--home", default=".algotrendy", help="folder of the running stack")
    options = parser.parse_args()
    info = running_stack(options.home)
    ports = info["ports"]
    assert isinstance(ports, dict)
    asyncio.run(listen(f"nats://127.0.0.1:{ports['nats']}", str(info["observer_seed_file"]), options.count))


if __name__ == "__main__":
    main()
