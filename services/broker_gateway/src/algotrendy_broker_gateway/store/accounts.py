"""An account beside its orders: balances, what it should hold, watermarks, the newest comparison, a stop from within.

Invariant: an asset's opening is recorded once; what is held changes only by fills and by entries written here.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import MarginMode
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged

from algotrendy_broker_gateway.domain.fence import Fence


class AccountStore:
    def __init__(self, database: Database, account: str, venue: str, fence: Fence) -> None:
        self._fence = fence
        self._database = database
        self._account = account
        self._venue = venue

    async def make(self) -> None:
        """The account's row; harmless where it is there."""
        async with self._database.transaction() as tx:
            await tx.execute("INSERT INTO accounts (account) VALUES ($1) ON CONFLICT DO NOTHING", self._account)

    async def lock(self, tx: Transaction) -> None:
        """Until the transaction ends nobody else changes this account's books, nor takes the account over.

        Raises LeaseLost where another gateway has it.
        """
        newest = await tx.fetch_value(
            "SELECT leases.epoch FROM accounts JOIN leases USING (account) WHERE account = $1"
            " FOR UPDATE OF accounts FOR KEY SHARE OF leases",
            self._account,
        )
        self._fence.check(newest)

    async def stopped(self) -> str | None:
        """Why the account was stopped from within; None where it was not."""
        async with self._database.reading() as tx:
            found: str | None = await tx.fetch_value("SELECT stopped FROM accounts WHERE account = $1", self._account)
        return found

    async def stop(self, reason: str) -> None:
        """Stays over restarts, until a person clears it."""
        async with self._database.transaction() as tx:
            await tx.execute("UPDATE accounts SET stopped = $2 WHERE account = $1", self._account, reason)

    # -- balances and holdings ---------------------------------------------------------------------------------

    async def opened(self, tx: Transaction) -> bool:
        return bool(await tx.fetch_value("SELECT opened_at FROM accounts WHERE account = $1", self._account))

    async def opened_now(self) -> bool:
        async with self._database.reading() as tx:
            return await self.opened(tx)

    async def open(self, tx: Transaction, quantities: Mapping[str, Decimal], now: datetime) -> None:
        """What was there before the first fill that we count."""
        await self.enter(tx, "opening", quantities, now)
        await tx.execute("UPDATE accounts SET opened_at = $2 WHERE account = $1", self._account, now)

    async def enter(self, tx: Transaction, kind: str, quantities: Mapping[str, Decimal], now: datetime) -> None:
        """Entries of a kind (``opening``, ``transfer`` or ``funding``), added to the holdings."""
        for asset, quantity in sorted(quantities.items()):
            await tx.execute(
                "INSERT INTO entries (account, asset, quantity, kind, recorded_at) VALUES ($1, $2, $3, $4, $5)",
                self._account,
                asset,
                quantity,
                kind,
                now,
            )
            await tx.execute(
                "INSERT INTO holdings (account, asset, quantity) VALUES ($1, $2, $3)"
                " ON CONFLICT (account, asset) DO UPDATE SET quantity = holdings.quantity + excluded.quantity",
                self._account,
                asset,
                quantity,
            )

    async def holdings(self, tx: Transaction) -> dict[str, Decimal]:
        rows = await tx.fetch("SELECT asset, quantity FROM holdings WHERE account = $1", self._account)
        return {row["asset"]: row["quantity"] for row in rows}

    async def holdings_now(self) -> dict[str, Decimal]:
        async with self._database.reading() as tx:
            return await self.holdings(tx)

    async def balance(self, tx: Transaction) -> BalanceChanged | None:
        document = await tx.fetch_value("SELECT balance FROM accounts WHERE account = $1", self._account)
        return BalanceChanged.from_json(document) if document else None

    async def save_balance(self, tx: Transaction, told: BalanceChanged) -> None:
        await tx.execute("UPDATE accounts SET balance = $2 WHERE account = $1", self._account, told.to_json().decode())

    async def save_reconciled(self, tx: Transaction, told: AccountReconciled) -> None:
        await tx.execute(
            "UPDATE accounts SET reconciled = $2 WHERE account = $1", self._account, told.to_json().decode()
        )

    async def positions(self) -> dict[str, Decimal]:
        """Signed quantities by symbol, from fills alone."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT symbol, quantity FROM positions WHERE account = $1 AND venue = $2 AND strategy = ''",
                self._account,
                self._venue,
            )
        return {row["symbol"]: row["quantity"] for row in rows}

    async def borrowed_positions(self) -> dict[str, Decimal]:
        """Those of ``positions`` that are on margin or perpetuals: the venue keeps count of them itself."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT document FROM positions WHERE account = $1 AND venue = $2 AND strategy = ''"
                " AND document IS NOT NULL",
                self._account,
                self._venue,
            )
        told = (PositionChanged.from_json(row["document"]) for row in rows)
        return {one.symbol: one.quantity for one in told if one.margin_mode is not MarginMode.NONE}

    # -- watermarks --------------------------------------------------------------------------------------------

    async def watermark(self, symbol: str) -> str | None:
        """The cursor up to which the venue's fills were read without a hole; None before the first reading."""
        async with self._database.reading() as tx:
            found: str | None = await tx.fetch_value(
                "SELECT cursor FROM watermarks WHERE account = $1 AND venue = $2 AND symbol = $3",
                self._account,
                self._venue,
                symbol,
            )
        return found

    async def move_watermark(self, symbol: str, cursor: str) -> None:
        """Cursors have no order of their own: only the comparison, which runs once at a time, moves them."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO watermarks (account, venue, symbol, cursor) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (account, venue, symbol) DO UPDATE SET cursor = excluded.cursor",
                self._account,
                self._venue,
                symbol,
                cursor,
            )
