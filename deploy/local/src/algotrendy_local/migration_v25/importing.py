"""The export handed to each owner of a part of it, on the running stack or on servers started for it.

Invariant: services know nothing of each other; each imports its tables with its own login, and this only asks them to.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

from algotrendy_broker_gateway.migration_v25.importing import import_books
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.migration_v25 import TableResult
from algotrendy_ingest.migration_v25.importing import import_market_data
from algotrendy_ingest.settings import IngestSettings
from pydantic import TypeAdapter

from algotrendy_local import migrate, run, state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import PortBlock
from algotrendy_local.program import Job, Row
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import Place, server_programs

FILES = ("candles.csv", "trades.csv", "orders.csv", "positions.csv")
_SERVERS = ("nats", "postgres", "questdb")


def import_export(settings: LocalSettings, folder: Path, *, dry_run: bool) -> list[TableResult]:
    """Raises StackError for a folder that is no export and for a server that does not answer."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise StackError("export_missing", f"{folder} has no {', '.join(missing)}", "see docs/migration-from-2.5.md")
    home = Home(settings.home.resolve())
    running = state.read(home) if state.is_running(home) else None
    if running is not None:
        return asyncio.run(_into(settings, Place.of(home, PortBlock(running.port_base), settings), folder, dry_run))
    results: list[TableResult] = []

    def rows(place: Place) -> list[Row]:
        async def job() -> str:
            # A fresh home has no schemas yet; on one that is up to date this changes nothing.
            await migrate.up(place.addresses, streams=False, services=["broker_gateway"])
            results.extend(await _into(settings, place, folder, dry_run))
            return ""

        return [*server_programs(place, _SERVERS).values(), Job("import", job, _SERVERS)]

    run.run(settings, lambda now: None, rows, once=True)
    return results


async def _into(settings: LocalSettings, place: Place, folder: Path, dry_run: bool) -> list[TableResult]:
    addresses = place.addresses
    try:
        market = await import_market_data(
            folder,
            addresses.questdb_url,
            dry_run=dry_run,
            retention=_retention(settings, "retention"),
            candle_retention=_retention(settings, "candle_retention"),
        )
        return [*market, *await import_books(folder, addresses.service_postgres_url("broker_gateway"), dry_run=dry_run)]
    except (Refused, Retryable) as error:
        raise StackError("import_failed", str(error)) from error
    except Exception as error:
        # asyncpg's errors are of many kinds; what is wanted is one line that says how to go on.
        raise StackError("import_failed", f"the import stopped: {error!r}", "repeat it: what is there stays") from error


def _retention(settings: LocalSettings, name: str) -> timedelta:
    """As ingest is told it: a table's limit is set by whoever opens it last."""
    given = settings.environment.get(f"ALGOTRENDY_INGEST_{name.upper()}")
    default: timedelta = IngestSettings.model_fields[name].default
    return default if given is None else TypeAdapter(timedelta).validate_python(given)
