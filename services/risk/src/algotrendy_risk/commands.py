"""Questions and commands over the bus: states, halts, limits, approvals, switches, refusals.

Invariant: a command names who gives it and why, and leaves a row or a step behind that says so.
"""

import asyncpg
from algotrendy_common.clock import Clock
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.risk import (
    AccountLimitsSet,
    AccountState,
    EnableAsked,
    HaltAsked,
    HaltDone,
    Halts,
    LimitsAsked,
    LimitsHistory,
    PendingApprovals,
    Refusals,
    RefusalsAsked,
    ResumeAsked,
    SetLimitsAsked,
    StateAsked,
)
from algotrendy_common.telemetry import log
from pydantic import ValidationError

from algotrendy_risk.books import Books
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.day import resumed
from algotrendy_risk.domain.halts import HaltKey, halt_key
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.halting import KillSwitch
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store.books import BookStore
from algotrendy_risk.store.decisions import DecisionStore
from algotrendy_risk.store.people import ApprovalStore, LimitsStore
from algotrendy_risk.store.results import ResultStore
from algotrendy_risk.switches import Switches
from algotrendy_risk.watch import Watch

_MOST = 1000


class Commands:
    def __init__(
        self,
        *,
        books: Books,
        store: BookStore,
        decisions: DecisionStore,
        limits: LimitsStore,
        approvals: ApprovalStore,
        results: ResultStore,
        database: Database,
        market: MarketView,
        watch: Watch,
        kill_switch: KillSwitch,
        switches: Switches,
        clock: Clock,
        announcer: Announcer,
    ) -> None:
        self._books = books
        self._store = store
        self._decisions = decisions
        self._limits = limits
        self._approvals = approvals
        self._results = results
        self._database = database
        self._market = market
        self._watch = watch
        self._kill_switch = kill_switch
        self._switches = switches
        self._clock = clock
        self._announcer = announcer
        self._log = log("risk")

    async def state(self, asked: StateAsked) -> AccountState:
        book = await self._books.current(asked.account)
        if book is None:
            raise Refused("account_unknown", f"there is no account {asked.account}", account=asked.account)
        async with self._database.reading() as tx:
            curve = await self._results.equity_curve(tx, asked.account)
        return AccountState(state=self._watch.state_of(book), equity_curve=curve)

    async def refusals(self, asked: RefusalsAsked) -> Refusals:
        async with self._database.reading() as tx:
            return Refusals(
                refusals=await self._decisions.refusals(
                    tx, asked.account, max(1, min(asked.limit, _MOST)), asked.order_id
                )
            )

    # -- halts -------------------------------------------------------------------------------------------------

    async def halt(self, asked: HaltAsked) -> HaltDone:
        at = self._at(asked.account, asked.strategy)
        await self._kill_switch.engage(at, asked.by, asked.reason, asked.flatten)
        self._watch.wake()
        return self._done(asked.account)

    async def resume(self, asked: ResumeAsked) -> HaltDone:
        at = self._at(asked.account, asked.strategy)

        async def before() -> None:
            for account in self._books.accounts if asked.account is None else (asked.account,):
                await self._start_drawdown_anew(account)

        halt = await self._kill_switch.release(at, asked.by, asked.reason, before)
        self._watch.wake()
        return self._done(asked.account, released=not halt.engaged)

    async def halts(self, asked: Nothing) -> Halts:
        return Halts(halts=tuple(self._kill_switch.told(halt) for halt in self._kill_switch.board.engaged()))

    def _at(self, account: str | None, strategy: str | None) -> HaltKey:
        if account is not None and account not in self._books.accounts:
            raise Refused("account_unknown", f"there is no account {account}", account=account)
        return halt_key(account, strategy)

    async def _start_drawdown_anew(self, account: str) -> None:
        async def apply(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            if book is None:
                return None
            after = resumed(book, self._market)
            return book if after is book else await self._store.save(tx, book, after)

        await self._books.change(account, apply)

    def _done(self, account: str | None, *, released: bool = False) -> HaltDone:
        """Out of memory alone: a halt is answered while PostgreSQL is away."""
        books = (self._books.last_known(name) for name in self._books.accounts if account in (None, name))
        return HaltDone(
            states=tuple(self._watch.state_of(book) for book in books if book is not None),
            halts=tuple(self._kill_switch.told(halt) for halt in self._kill_switch.board.engaged()),
            released=released,
        )

    # -- limits ------------------------------------------------------------------------------------------------

    async def limits(self, asked: LimitsAsked) -> LimitsHistory:
        async with self._database.reading() as tx:
            return LimitsHistory(versions=await self._limits.history(tx, asked.account))

    async def set_limits(self, asked: SetLimitsAsked) -> AccountLimitsSet:
        try:
            wanted = AccountLimits.model_validate(asked.document)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
            )
            raise Refused("limits_invalid", problems) from error
        stored: list[AccountLimitsSet] = []
        before: list[AccountLimitsSet] = []

        async def apply(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            stored.clear()
            before.clear()
            if book is None:
                raise Refused("account_unknown", f"there is no account {asked.account}", account=asked.account)
            before.extend(await self._limits.history(tx, asked.account))
            newest = before[0].version if before else 0
            if asked.version != newest:
                raise Refused("limits_changed", "somebody else was quicker", version=asked.version, newest=newest)
            stored.append(await self._limits.add(tx, asked.account, newest + 1, wanted, asked.by, asked.reason))
            # The book's version rises, so that whoever judges by the old limits writes nothing any more.
            return await self._store.save(tx, book, book)

        try:
            await self._books.change(asked.account, apply)
        except asyncpg.UniqueViolationError as error:
            raise Refused("limits_changed", "somebody else was quicker", version=asked.version) from error
        finally:
            # What is kept in memory of past orders depends on the limits.
            self._books.forget(asked.account)
        self._watch.wake()
        await self._tell_change(stored[0], before[0].document if before else {})
        return stored[0]

    async def _tell_change(self, now: AccountLimitsSet, before: dict[str, object]) -> None:
        changed = sorted(name for name, value in now.document.items() if before.get(name) != value)
        self._log.warning("limits changed", account=now.account, version=now.version, by=now.set_by, fields=changed)
        await self._announcer.alert(
            Severity.WARNING,
            "limits_changed",
            f"{now.set_by} changed the limits of {now.account} ({', '.join(changed) or 'nothing'}): {now.reason}",
            account=now.account,
            version=now.version,
            **{name: f"{before.get(name)} -> {now.document[name]}" for name in changed},
        )

    # -- approvals and switches --------------------------------------------------------------------------------

    async def pending(self, asked: Nothing) -> PendingApprovals:
        async with self._database.reading() as tx:
            waiting = await self._approvals.all_waiting(tx)
        return PendingApprovals(approvals=tuple(row.request for row in waiting))

    async def enable(self, asked: EnableAsked) -> Nothing:
        self._log.warning("enable", strategy=asked.strategy, by=asked.by, reason=asked.reason)
        await self._switches.enable(asked.strategy, asked.by, asked.reason)
        return Nothing()
