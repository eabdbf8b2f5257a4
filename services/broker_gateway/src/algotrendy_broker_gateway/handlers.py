"""What arrives from the bus, each to the desk of its account; and questions, answered from the store.

Invariant: a handler returns only when what it was told is committed; it never waits for a venue.
"""

from collections.abc import Mapping

from algotrendy_common.errors import Refused
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.rpc.broker_gateway import (
    AccountAsked,
    AccountInfo,
    Accounts,
    Balances,
    Fills,
    OrderAsked,
    OrderHistory,
    Orders,
    OrdersAsked,
    Positions,
)
from algotrendy_common.rpc.call import Nothing

from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.questions import Questions

_MOST = 1000


class Handlers:
    def __init__(self, settings: BrokerGatewaySettings, desks: Mapping[str, Desk], questions: Questions) -> None:
        self._accounts = {one.account: one for one in settings.every_account}
        self._desks = desks
        self._questions = questions

    # -- events ------------------------------------------------------------------------------------------------

    async def submit(self, approved: OrderApproved) -> None:
        await self._desk_of(approved.terms.account).submission.approved(approved)

    async def cancel(self, event: OrderCancelRequested) -> None:
        await self._desk_of(event.account).cancellation.requested(event)

    async def on_risk_state(self, state: RiskStateChanged) -> None:
        if state.account in self._desks:
            await self._desks[state.account].risk_said(state)

    def _desk_of(self, account: str) -> Desk:
        """Any desk for an account that is not ours: it refuses the order, on the record."""
        return self._desks.get(account) or next(iter(self._desks.values()))

    # -- questions ---------------------------------------------------------------------------------------------

    async def accounts(self, asked: Nothing) -> Accounts:
        return Accounts(accounts=tuple(_described(one) for one in self._accounts.values()))

    async def orders(self, asked: OrdersAsked) -> Orders:
        self._check(asked.account)
        found = await self._questions.orders(asked.account, asked.open_only, _within(asked.limit), asked.before)
        return Orders(orders=found)

    async def order(self, asked: OrderAsked) -> OrderHistory:
        found = await self._questions.order(asked.order_id)
        if found is None:
            raise Refused("order_unknown", f"no order {asked.order_id} here")
        return found

    async def fills(self, asked: AccountAsked) -> Fills:
        self._check(asked.account)
        return Fills(fills=await self._questions.fills(asked.account, _within(asked.limit)))

    async def positions(self, asked: AccountAsked) -> Positions:
        self._check(asked.account)
        return Positions(positions=await self._questions.positions(asked.account))

    async def balances(self, asked: AccountAsked) -> Balances:
        self._check(asked.account)
        balance, reconciled = await self._questions.balances(asked.account)
        return Balances(balance=balance, reconciled=reconciled)

    def _check(self, account: str) -> None:
        if account not in self._accounts:
            raise Refused("account_unknown", f"no account {account} here")


def _described(account: AccountSettings) -> AccountInfo:
    return AccountInfo(
        account=account.account, venue=account.venue, mode=account.mode, quote_currency=account.quote_currency
    )


def _within(limit: int) -> int:
    return max(1, min(limit, _MOST))
