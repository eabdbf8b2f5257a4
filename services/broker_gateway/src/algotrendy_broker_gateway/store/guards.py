"""What guards positions: prices waited for, entries with exits of their own, and how each position was found guarded.

Invariant: written only in transactions that hold the account's lock, so that a decision and what it was decided on
belong together.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.database import Database, Transaction
from algotrendy_common.events.account import PositionChanged, ProtectionChanged
from algotrendy_common.events.order import OrderTerms, Protection
from algotrendy_common.money import ZERO
from algotrendy_core import order_states, orders
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.domain.margin import Margin
from algotrendy_broker_gateway.domain.protection import Bracket
from algotrendy_broker_gateway.domain.triggers import Watch


@dataclass(frozen=True, slots=True)
class Standing:
    """How a position was found last. ``generation`` numbers the exits ever made for it."""

    told: ProtectionChanged | None
    generation: int
    bare_since: datetime | None


@dataclass(frozen=True, slots=True)
class OpenBracket:
    """A bracket with what its entry was; ``ended`` where nothing more of the entry can trade."""

    bracket: Bracket
    terms: OrderTerms
    ended: bool
    strategy: str | None


class GuardStore:
    """One account's."""

    def __init__(self, database: Database, account: str, venue: str) -> None:
        self._database = database
        self._account = account
        self._venue = venue

    # -- watches -----------------------------------------------------------------------------------------------

    async def save_watch(self, tx: Transaction, watch: Watch) -> None:
        await tx.execute(
            "INSERT INTO watches (order_id, account, symbol, document) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (order_id) DO UPDATE SET document = excluded.document",
            watch.order_id,
            self._account,
            watch.symbol,
            watch.to_json(),
        )

    async def watches(self, tx: Transaction) -> list[Watch]:
        """Of live orders."""
        rows = await tx.fetch(
            "SELECT watches.document FROM watches JOIN orders USING (order_id) WHERE watches.account = $1"
            " AND status NOT IN ('filled', 'cancelled', 'rejected', 'refused')",
            self._account,
        )
        return [Watch.from_json(row["document"]) for row in rows]

    # -- brackets ----------------------------------------------------------------------------------------------

    async def brackets(self, tx: Transaction, symbol: str, base: str) -> dict[str, OpenBracket]:
        """Open ones, oldest first, by entry."""
        rows = await tx.fetch(
            "SELECT brackets.order_id, brackets.document, brackets.reduced, brackets.best_price, orders.state,"
            " orders.status, orders.strategy, array(SELECT exits.state::text FROM orders AS exits"
            " WHERE exits.origin ->> 'parent' = brackets.order_id) AS exits"
            " FROM brackets JOIN orders USING (order_id)"
            " WHERE brackets.account = $1 AND brackets.venue = $2 AND brackets.symbol = $3 AND closed_at IS NULL"
            " ORDER BY brackets.created_at, brackets.order_id",
            self._account,
            self._venue,
            symbol,
        )
        found = {}
        for row in rows:
            entry = order_states.from_json(row["state"])
            exits = [order_states.from_json(json.loads(text)) for text in row["exits"]]
            left = row["reduced"] + sum((_moved(fill, base) for one in exits for fill in orders.fills_of(one)), ZERO)
            bracket = Bracket(
                row["order_id"],
                entry.terms.side,
                Protection.model_validate(row["document"]),
                sum((_moved(fill, base) for fill in orders.fills_of(entry)), ZERO),
                left,
                row["best_price"],
                orders.average_price(entry),
            )
            found[bracket.entry_id] = OpenBracket(bracket, entry.terms, entry.status.terminal, row["strategy"])
        return found

    async def reduce(self, tx: Transaction, cuts: Mapping[str, Decimal]) -> None:
        for entry_id, quantity in cuts.items():
            await tx.execute("UPDATE brackets SET reduced = reduced + $2 WHERE order_id = $1", entry_id, quantity)

    async def trail(self, tx: Transaction, entry_id: str, best_price: Decimal) -> None:
        await tx.execute("UPDATE brackets SET best_price = $2 WHERE order_id = $1", entry_id, best_price)

    async def close(self, tx: Transaction, entry_id: str, now: datetime) -> None:
        await tx.execute("UPDATE brackets SET closed_at = $2 WHERE order_id = $1", entry_id, now)

    # -- positions ---------------------------------------------------------------------------------------------

    async def position(self, tx: Transaction, symbol: str) -> tuple[Decimal, Decimal | None, tuple[str, ...]]:
        """Signed quantity, average price, and the strategies that hold part of it."""
        rows = await tx.fetch(
            "SELECT strategy, quantity, cost FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3"
            " ORDER BY strategy",
            self._account,
            self._venue,
            symbol,
        )
        strategies = tuple(row["strategy"] for row in rows if row["strategy"] and row["quantity"])
        for row in rows:
            if not row["strategy"] and row["quantity"]:
                return row["quantity"], row["cost"] / row["quantity"], strategies
        return ZERO, None, strategies

    async def margin(self, tx: Transaction, symbol: str) -> Margin:
        """How the account's position is paid for."""
        document = await tx.fetch_value(
            "SELECT document FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = ''",
            self._account,
            self._venue,
            symbol,
        )
        return Margin.of(PositionChanged.from_json(document) if document else None)

    async def strategy_position(self, tx: Transaction, instrument: Instrument, strategy: str) -> Decimal:
        """Signed."""
        found: Decimal | None = await tx.fetch_value(
            "SELECT quantity FROM positions WHERE account = $1 AND venue = $2 AND symbol = $3 AND strategy = $4",
            self._account,
            instrument.venue,
            instrument.symbol,
            strategy,
        )
        return found or ZERO

    async def held_symbols(self, strategy: str) -> list[str]:
        """In which the strategy, or with an empty name the account, has a position."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT symbol FROM positions WHERE account = $1 AND strategy = $2 AND quantity <> 0 ORDER BY symbol",
                self._account,
                strategy,
            )
        return [row["symbol"] for row in rows]

    async def guarded_symbols(self, required: bool) -> set[str]:
        """Those of open brackets, live exits and what was guarded last; ``required``: of all positions."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT symbol FROM positions WHERE account = $1 AND strategy = '' AND quantity <> 0 AND $2"
                " UNION SELECT symbol FROM brackets WHERE account = $1 AND closed_at IS NULL"
                " UNION SELECT symbol FROM protections WHERE account = $1"
                " AND document::json ->> 'state' NOT IN ('flat', 'not_required')"
                " UNION SELECT symbol FROM orders WHERE account = $1 AND origin ->> 'source' = 'protection'"
                " AND status NOT IN ('filled', 'cancelled', 'rejected', 'refused')",
                self._account,
                required,
            )
        return {row["symbol"] for row in rows}

    # -- how they were found -----------------------------------------------------------------------------------

    async def standing(self, tx: Transaction, symbol: str) -> Standing:
        row = await tx.fetch_row(
            "SELECT document, generation, bare_since FROM protections"
            " WHERE account = $1 AND venue = $2 AND symbol = $3",
            self._account,
            self._venue,
            symbol,
        )
        if row is None:
            return Standing(None, 0, None)
        return Standing(ProtectionChanged.from_json(row["document"]), row["generation"], row["bare_since"])

    async def save_standing(
        self, tx: Transaction, told: ProtectionChanged, generation: int, bare_since: datetime | None
    ) -> None:
        await tx.execute(
            "INSERT INTO protections (account, venue, symbol, revision, generation, bare_since, document)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, venue, symbol) DO UPDATE SET"
            " revision = excluded.revision, generation = excluded.generation, bare_since = excluded.bare_since,"
            " document = excluded.document",
            self._account,
            self._venue,
            told.symbol,
            told.revision,
            generation,
            bare_since,
            told.to_json().decode(),
        )


def _moved(fill: Fill, base: str) -> Decimal:
    """What a fill did to the holding, without its sign: a fee taken in base makes a buy smaller and a sell larger."""
    if fill.fee_currency != base:
        return fill.quantity
    return fill.quantity - fill.side.sign * fill.fee
