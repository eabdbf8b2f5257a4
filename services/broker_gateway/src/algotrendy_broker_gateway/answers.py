"""Questions of other services, answered from the store and from what is known of the accounts; and the few commands.

Invariant: no answer holds more of a key than its last characters.
"""

from collections.abc import Mapping
from decimal import Decimal

from algotrendy_common.errors import Refused
from algotrendy_common.rpc.broker_gateway import (
    AccountAsked,
    AccountInfo,
    Accounts,
    Balances,
    CancelAllAsked,
    CancelAllDone,
    CredentialInfo,
    Credentials,
    EarnAsked,
    EarnChangeAsked,
    EarnProducts,
    Fills,
    OrderAsked,
    OrderHistory,
    Orders,
    OrdersAsked,
    Positions,
    Protections,
    VenueCapabilities,
)
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.accounts.selection import Selection
from algotrendy_broker_gateway.domain.description import described
from algotrendy_broker_gateway.ports import Earn
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_broker_gateway.store.credentials import CredentialStore
from algotrendy_broker_gateway.store.questions import Questions

_MOST = 1000


class Answers:
    def __init__(
        self,
        settings: BrokerGatewaySettings,
        accounts: Mapping[str, RunningAccount],
        lease: Lease,
        selection: Selection,
        questions: Questions,
        credentials: CredentialStore,
    ) -> None:
        self._configured = {one.account for one in settings.every_account}
        self._accounts = accounts
        self._lease = lease
        self._selection = selection
        self._questions = questions
        self._credentials = credentials

    async def accounts(self, asked: Nothing) -> Accounts:
        return Accounts(accounts=tuple([await self._described(one) for one in self._accounts.values()]))

    async def _described(self, running: RunningAccount) -> AccountInfo:
        problem = None if self._lease.active else await self._lease.problem()
        problem = problem or running.desk.gate.problem()
        stand_in = self._selection.stand_in(running.account)
        return AccountInfo(
            account=running.account,
            venue=running.settings.market,
            mode=running.settings.mode,
            quote_currency=running.settings.quote_currency,
            active=self._lease.active,
            epoch=self._lease.fences[running.account].epoch,
            ready=problem is None,
            detail=problem or "",
            capabilities=VenueCapabilities(**described(running.venue.capabilities)),
            stand_in=stand_in.account if stand_in else None,
            priced_at=self._selection.priced_at(running.account),
        )

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

    async def protections(self, asked: AccountAsked) -> Protections:
        self._check(asked.account)
        return Protections(protections=await self._questions.protections(asked.account))

    async def cancel_all(self, asked: CancelAllAsked) -> CancelAllDone:
        log("answers").warning("cancel all", account=asked.account, by=asked.by, reason=asked.reason)
        return CancelAllDone(orders=await self._running(asked.account).desk.cancellation.all_working())

    async def credentials(self, asked: Nothing) -> Credentials:
        return Credentials(
            credentials=tuple(
                CredentialInfo(
                    account=row.account,
                    venue=row.venue,
                    key_hint=row.key_hint,
                    key_version=row.key_version,
                    stored_at=row.stored_at,
                )
                for row in await self._credentials.every()
                if row.stored_at is not None
            )
        )

    async def earn(self, asked: EarnAsked) -> EarnProducts:
        return EarnProducts(products=await self._earn(asked.account).products(asked.asset))

    async def earn_change(self, asked: EarnChangeAsked) -> EarnProducts:
        earn = self._earn(asked.account)
        log("answers").warning(
            "earn change",
            account=asked.account,
            by=asked.by,
            product=asked.product_id,
            amount=str(asked.amount),
            allocate=asked.allocate,
        )
        await earn.change(asked.product_id, Decimal(asked.amount), asked.allocate)
        return EarnProducts(products=await earn.products(None))

    def _earn(self, account: str) -> Earn:
        running = self._running(account)
        offered: Earn | None = getattr(running.venue, "earn", None)
        if offered is None or not running.venue.capabilities.earn:
            raise Refused("not_offered", f"{running.venue.name} offers no staking here")
        if not self._lease.active:
            raise Refused("not_active", "this gateway does not hold the account now")
        return offered

    def _running(self, account: str) -> RunningAccount:
        self._check(account)
        return self._accounts[account]

    def _check(self, account: str) -> None:
        if account not in self._configured:
            raise Refused("account_unknown", f"no account {account} here")


def _within(limit: int) -> int:
    return max(1, min(limit, _MOST))
