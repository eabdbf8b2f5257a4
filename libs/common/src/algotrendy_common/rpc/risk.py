"""Questions and commands about limits and halts, and what risk refused."""

from algotrendy_common.clock import Instant
from algotrendy_common.events.event import Record
from algotrendy_common.events.order import OrderRefused
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.ids import AccountId, OrderId
from algotrendy_common.money import Amount
from algotrendy_common.rpc.call import Call


class StateAsked(Record):
    account: AccountId


class EquityPoint(Record):
    time: Instant
    equity: Amount


class AccountState(Record):
    state: RiskStateChanged
    equity_curve: tuple[EquityPoint, ...]
    """Oldest first, at most 500 points."""


class HaltAsked(Record):
    """Stop new orders and cancel working ones on one account, or on all where ``account`` is None."""

    account: AccountId | None
    by: str
    reason: str


class ResumeAsked(Record):
    account: AccountId | None
    by: str
    reason: str


class HaltDone(Record):
    states: tuple[RiskStateChanged, ...]


class RefusalsAsked(Record):
    account: AccountId
    limit: int = 100
    order_id: OrderId | None = None


class Refusals(Record):
    """Newest first."""

    refusals: tuple[OrderRefused, ...]


STATE = Call("risk", "state", StateAsked, AccountState, ("gateway", "broker_gateway"))
HALT = Call("risk", "halt", HaltAsked, HaltDone, ("gateway",))
RESUME = Call("risk", "resume", ResumeAsked, HaltDone, ("gateway",))
REFUSALS = Call("risk", "refusals", RefusalsAsked, Refusals, ("gateway",))
