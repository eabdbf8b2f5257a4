"""Alerts, kept so that a restart of the gateway hides none. Each is kept once, whichever replica hears it."""

from datetime import datetime, timedelta

from algotrendy_common.database import Database

from algotrendy_gateway.domain.alerts import Alert

_KEPT = timedelta(days=30)


class Alerts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, alert: Alert) -> None:
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO alerts (alert_id, time, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                alert.alert_id,
                alert.time,
                alert.model_dump(mode="json"),
            )

    async def newest(self, limit: int) -> list[Alert]:
        async with self._database.reading() as connection:
            rows = await connection.fetch("SELECT body FROM alerts ORDER BY time DESC LIMIT $1", limit)
        return [Alert.model_validate(row["body"]) for row in rows]

    async def prune(self, at: datetime) -> None:
        async with self._database.transaction() as transaction:
            await transaction.execute("DELETE FROM alerts WHERE time < $1", at - _KEPT)
