"""Tables that QuestDB suspended: what was written to them is taken and not applied, so nothing new can be read.

Invariant: the least that helps is done first, each step once a round: apply again; pass over the one transaction that
cannot be applied; make the table anew out of what can be read of it. Rows are lost by the last two alone, and then
``Mended.lost`` says so: whoever can has to bring them again, which the tables' keys make harmless.
"""

from dataclasses import dataclass
from enum import StrEnum

from algotrendy_ingest.store import tables
from algotrendy_ingest.store.connection import Quest


class Step(StrEnum):
    RESUMED = "resumed"
    SKIPPED = "skipped"
    REBUILT = "rebuilt"


@dataclass(frozen=True, slots=True)
class Suspended:
    name: str
    is_view: bool
    applied: int
    """Number of the last transaction in the table."""
    taken: int
    """Number of the last transaction that was written."""
    error: str


@dataclass(frozen=True, slots=True)
class Mended:
    table: str
    step: Step
    lost: bool
    error: str


class Repair:
    def __init__(self, quest: Quest) -> None:
        self._quest = quest
        self._tried: dict[str, tuple[int, Step]] = {}
        """By table: where it stood and what was done then."""

    async def round(self) -> list[Mended]:
        """One step for each suspended table; raises ``StoreAway``."""
        mended = []
        for table in await self.suspended():
            step = self._next(table)
            await self._take(step, table)
            self._tried[table.name] = (table.applied, step)
            lost = step is not Step.RESUMED and not table.is_view
            mended.append(Mended(table.name, step, lost, table.error))
        return mended

    async def suspended(self) -> list[Suspended]:
        rows = await self._quest.command(
            "SELECT w.name, t.matView, w.writerTxn, w.sequencerTxn, w.errorMessage"
            " FROM wal_tables() w JOIN tables() t ON w.name = t.table_name WHERE w.suspended"
        )
        found = (Suspended(*row) for row in rows)
        return [table for table in found if table.name in tables.TABLES or table.is_view]

    def _next(self, table: Suspended) -> Step:
        applied, step = self._tried.get(table.name, (-1, Step.RESUMED))
        if applied != table.applied:  # it got further since: this is another failure
            return Step.RESUMED
        return Step.SKIPPED if step is Step.RESUMED and table.applied + 1 < table.taken else Step.REBUILT

    async def _take(self, step: Step, table: Suspended) -> None:
        kind = "MATERIALIZED VIEW" if table.is_view else "TABLE"
        if step is Step.RESUMED:
            await self._quest.command(f"ALTER {kind} {table.name} RESUME WAL")
        elif table.is_view:
            await self._quest.command(f"DROP MATERIALIZED VIEW {table.name}")
            await self._quest.migrate()
        elif step is Step.SKIPPED:
            # The one after the last applied is the one that fails; they are numbered without holes.
            await self._quest.command(f"ALTER TABLE {table.name} RESUME WAL FROM TXN {table.applied + 2}")
        else:
            await self._quest.rebuild(table.name)
