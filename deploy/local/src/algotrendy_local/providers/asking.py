"""The desk of this command: the providers that ingest is told of, with the running stack's Redis where there is one."""

import asyncio
import os
from datetime import date, timedelta
from pathlib import Path

from algotrendy_common.clock import SystemClock
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.providers import (
    PROVIDERS,
    Adjusted,
    DailyBarsAsked,
    LatestPriceAsked,
    ObservationsAsked,
    Providers,
    SeriesAsked,
    SeriesSearched,
)
from algotrendy_common.settings import SettingsRefused, load
from algotrendy_ingest.providers.desk import build_desk
from algotrendy_ingest.providers.indicators import MAIN
from algotrendy_ingest.providers.port import Question
from algotrendy_ingest.providers.settings import ProvidersSettings
from algotrendy_ingest.settings import IngestSettings
from pydantic import SecretStr, ValidationError

from algotrendy_local import state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.operations.asking import Asker
from algotrendy_local.operations.connection import connected, running_place
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import Place

VARIABLE = "ALGOTRENDY_INGEST_PROVIDERS"
_HINT = f"""set {VARIABLE} to JSON such as {{"members": [{{"name": "yahoo"}}, {{"name": "fred", "api_key": "…"}}]}}"""
_MONTH = timedelta(days=30)


def settings_of(home: Path | None) -> ProvidersSettings:
    """Raises Refused where they are wrong or name no provider."""
    try:
        settings = load(IngestSettings, "ingest", {VARIABLE: os.environ.get(VARIABLE, "{}")}).providers
    except SettingsRefused as refused:
        raise Refused("settings_refused", "; ".join(refused.violations)) from refused
    if not settings.members:
        raise Refused("no_provider", f"no provider is configured: {_HINT}")
    place = _place(home)
    return settings.beside(SecretStr(place.addresses.redis_url) if place else None)


def _place(home: Path | None) -> Place | None:
    """Of the running stack; None where none runs."""
    local = LocalSettings.from_environment(**({} if home is None else {"home": home}))
    return running_place(local) if state.is_running(Home(local.home.resolve())) else None


def question_of(
    kind: str, what: str, start: str | None, end: str | None, adjusted: str | None, agree: int
) -> Question | None:
    """None asks for the catalogue of main indicators. Raises Refused where the words make no question."""
    if kind == "indicators":
        return None
    first = date.fromisoformat(start) if start else SystemClock().now().date() - _MONTH
    last = date.fromisoformat(end) if end else None
    if last is not None and last < first:
        raise Refused("bad_range", f"the range ends ({last}) before it starts ({first})")
    try:
        match kind:
            case "bars":
                wanted = Adjusted(adjusted) if adjusted else None
                return DailyBarsAsked(symbol=what, start=first, end=last, adjusted=wanted, agree=agree)
            case "price":
                return LatestPriceAsked(symbol=what, agree=agree)
            case "observations":
                return ObservationsAsked(series=what, start=first, end=last, agree=agree)
            case "series":
                return SeriesAsked(series=what)
            case _:
                return SeriesSearched(text=what)
    except ValidationError as error:
        raise Refused("bad_question", f"{what!r} is no {_NOUNS[kind]}") from error


_NOUNS = {
    "bars": "symbol such as AAPL, BRK.B, EUR/USD or ^GSPC",
    "price": "symbol such as AAPL, BRK.B, EUR/USD or ^GSPC",
    "observations": "series such as DGS10",
    "series": "series such as DGS10",
    "search": "text of 2 to 100 characters",
}


def ask(home: Path | None, question: Question | None) -> Record:
    if question is None:
        return MAIN
    settings = settings_of(home)

    async def asked() -> Record:
        desk = build_desk(settings, SystemClock())
        try:
            return await desk.answer(question)
        finally:
            await desk.close()

    return asyncio.run(asked())


def health(home: Path | None) -> Providers:
    """As the running ingest has it; without one as it stands in the settings, with the day's counts of the cache."""
    place = _place(home)
    if place is not None:
        return asyncio.run(health_of_ingest(place))
    settings = settings_of(home)

    async def asked() -> Providers:
        desk = build_desk(settings, SystemClock())
        try:
            return await desk.health()
        finally:
            await desk.close()

    return asyncio.run(asked())


async def health_of_ingest(place: Place) -> Providers:
    """Raises Retryable where NATS or ingest does not answer."""
    try:
        async with connected(place, "gateway") as client:
            return await Asker(client).ask(PROVIDERS, Nothing())
    except StackError as error:
        raise Retryable(str(error)) from error
