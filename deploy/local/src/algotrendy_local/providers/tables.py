"""How answers of providers look to a person, and to a program."""

from algotrendy_common.events.event import Record
from algotrendy_common.money import plain
from algotrendy_common.rpc.providers import (
    DailyBars,
    Indicators,
    LatestPrice,
    Observations,
    Providers,
    SeriesFound,
    Source,
)
from rich.console import Console
from rich.markup import escape
from rich.table import Table

output = Console(highlight=False)


def print_json(answer: Record) -> None:
    print(answer.model_dump_json())


def show(answer: Record) -> None:
    match answer:
        case DailyBars():
            table = _table("day", "open", "high", "low", "close", "volume")
            for bar in answer.bars:
                prices = (plain(each) for each in (bar.open, bar.high, bar.low, bar.close))
                table.add_row(str(bar.day), *prices, "" if bar.volume is None else plain(bar.volume))
            output.print(table)
            output.print(
                f"[dim]{answer.symbol}, adjusted: {answer.adjusted}, {answer.currency or 'currency unsaid'}[/]"
            )
            _origin(answer.source)
        case LatestPrice():
            output.print(f"{answer.symbol}  {plain(answer.price)}  {answer.time or answer.day}")
            _origin(answer.source)
        case Observations():
            table = _table("day", answer.series, "known since")
            for one in answer.observations:
                value = "no value" if one.value is None else plain(one.value)
                table.add_row(str(one.day), value, str(one.known_since or ""))
            output.print(table)
            _origin(answer.source)
        case SeriesFound():
            table = _table("series", "title", "frequency", "units", "to")
            for each in answer.series:
                table.add_row(
                    each.series, escape(each.title), each.frequency, escape(each.units), str(each.last_day or "")
                )
            output.print(table)
            _origin(answer.source)
        case Indicators():
            table = _table("theme", "series", "title")
            for indicator in answer.indicators:
                table.add_row(indicator.theme, indicator.series, escape(indicator.title))
            output.print(table)


def show_health(health: Providers) -> None:
    table = _table(
        "provider", "circuit", "calls", "failed", "today", "a day", "cost $", "cache", "answers", "last error"
    )
    for one in health.providers:
        table.add_row(
            one.provider,
            one.circuit,
            str(one.calls),
            str(one.failures),
            str(one.calls_today),
            "" if one.calls_a_day is None else str(one.calls_a_day),
            plain(one.cost),
            f"{one.cache_hits}/{one.cache_hits + one.cache_misses}",
            " ".join(one.answers),
            escape(one.last_error or ""),
        )
    output.print(table)


def _origin(source: Source) -> None:
    parts = [f"from {source.provider}{', kept' if source.cached else ''}, {source.fetched_at:%Y-%m-%d %H:%M:%S} UTC"]
    if source.agreed:
        parts.append(f"agreed: {', '.join(source.agreed)}")
    parts += [f"{one.provider}: {one.error} ({one.message})" for one in source.tried]
    output.print(f"[dim]{escape('; '.join(parts))}[/]", soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
