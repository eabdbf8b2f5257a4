"""Questions and commands over the bus: the state, halts, refusals."""

from algotrendy_common.database import Database
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.risk import (
    AccountState,
    HaltAsked,
    HaltDone,
    Refusals,
    RefusalsAsked,
    ResumeAsked,
    StateAsked,
)
from algotrendy_common.telemetry import log

from algotrendy_risk.books import Books
from algotrendy_risk.store import RiskStore
from algotrendy_risk.watch import Watch

_MOST = 1000


class Commands:
    def __init__(self, *, books: Books, store: RiskStore, database: Database, watch: Watch) -> None:
        self._books = books
        self._store = store
        self._database = database
        self._watch = watch
        self._log = log("risk")

    async def state(self, asked: StateAsked) -> AccountState:
        book = await self._books.current(asked.account)
        if book is None:
            raise Refused("account_unknown", f"there is no account {asked.account}", account=asked.account)
        async with self._database.reading() as tx:
            curve = await self._store.equity_curve(tx, asked.account)
        return AccountState(state=self._watch.state_of(book), equity_curve=curve)

    async def halt(self, asked: HaltAsked) -> HaltDone:
        self._log.warning("halt", account=asked.account or "all", by=asked.by, reason=asked.reason)
        return HaltDone(states=await self._watch.halt(asked.account, asked.by, asked.reason))

    async def resume(self, asked: ResumeAsked) -> HaltDone:
        self._log.warning("resume", account=asked.account or "all", by=asked.by, reason=asked.reason)
        return HaltDone(states=await self._watch.resume(asked.account))

    async def refusals(self, asked: RefusalsAsked) -> Refusals:
        async with self._database.reading() as tx:
            return Refusals(
                refusals=await self._store.refusals(tx, asked.account, max(1, min(asked.limit, _MOST)), asked.order_id)
            )
