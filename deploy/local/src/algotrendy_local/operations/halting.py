"""The kill switch from a terminal: a file that the services watch, and the command to risk.

Invariant: the file comes first. It needs no server, so a halt of everything works whatever else is down.
"""

import getpass
from dataclasses import dataclass

import nats.errors
from algotrendy_common.events.event import Record
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.call import Call

from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.operations.connection import connected
from algotrendy_local.topology import Place


@dataclass(frozen=True, slots=True)
class Halted:
    file: bool
    """The kill file was written."""
    risk: str
    """What risk said, or why it was not heard."""


def operator() -> str:
    """Who is at the terminal, as the audit trail names them."""
    return f"terminal:{getpass.getuser()}"


def engage_by_file(home: Home, reason: str) -> None:
    home.kill_file.write_text(f"{operator()}: {reason}\n")


async def halt(place: Place, asked: risk.HaltAsked) -> Halted:
    """Halt everything (file and command), or one account or strategy (command alone)."""
    everything = asked.account is None and asked.strategy is None
    if everything:
        engage_by_file(place.home, asked.reason)
    try:
        done = await _ask(place, risk.HALT, asked)
    except StackError as error:
        if not everything:
            raise
        return Halted(True, f"not heard: {error}")
    return Halted(everything, ", ".join(f"{state.account} {state.trading_state.value}" for state in done.states))


async def resume(place: Place, asked: risk.ResumeAsked) -> tuple[bool, str]:
    """Take the kill file away and ask for the release: whether it was carried out, and what is still in force."""
    if asked.account is None and asked.strategy is None:
        place.home.kill_file.unlink(missing_ok=True)
    done = await _ask(place, risk.RESUME, asked)
    left = ", ".join(f"{halt.level.value} {halt.key} (by {halt.by})" for halt in done.halts if halt.engaged)
    return done.released, left


async def _ask[Req: Record, Res: Record](place: Place, call: Call[Req, Res], asked: Req) -> Res:
    async with connected(place, "gateway") as client:
        try:
            answer = await client.request(call.subject, asked.model_dump_json().encode(), timeout=3.0)
        except (TimeoutError, nats.errors.Error) as error:
            raise StackError("risk_away", f"risk does not answer ({error!r})", "algotrendy status") from error
    if answer.headers and "Algotrendy-Fault" in answer.headers:
        raise StackError("refused", answer.data.decode())
    return call.response.model_validate_json(answer.data)
