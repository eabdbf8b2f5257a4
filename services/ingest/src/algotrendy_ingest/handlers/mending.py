"""Looks after tables that QuestDB suspended.

Invariant: nobody has to notice it: the service says that it is not ready, mends, tells people what was done, and where
rows were lost it ends, so that its next start fetches what can be had of the venues again.
"""

import asyncio

from algotrendy_common.enums import Severity
from algotrendy_common.errors import Retryable
from algotrendy_common.telemetry import log

from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.metrics import TABLES_MENDED
from algotrendy_ingest.ports import Alarm
from algotrendy_ingest.store.repair import Mended, Repair

_LOOK_S = 5.0


class RowsLost(Retryable):
    """A table lost what was written to it and not applied; a start fills it again."""


class Mending:
    def __init__(self, repair: Repair, alarm: Alarm) -> None:
        self._repair = repair
        self._alarm = alarm
        self._log = log("mending")

    async def look_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """One round; raises ``RowsLost``."""
        try:
            mended = await self._repair.round()
        except StoreAway as error:
            self._log.warning("tables not looked after", error=str(error))
            return
        for table in mended:
            TABLES_MENDED.labels(table.table, table.step.value).inc()
            await self._tell(table)
        lost = [table.table for table in mended if table.lost]
        if lost:
            raise RowsLost(f"rows of {', '.join(lost)} could not be saved", tables=lost)

    async def _tell(self, table: Mended) -> None:
        await self._alarm.alert(
            Severity.CRITICAL if table.lost else Severity.WARNING,
            "table_suspended",
            f"QuestDB suspended its table {table.table}: {table.step.value}"
            + (", and what was written last is gone" if table.lost else ""),
            error=table.error,
        )
