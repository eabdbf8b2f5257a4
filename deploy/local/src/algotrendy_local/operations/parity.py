"""``algotrendy parity``: a live day beside the backtest of the same candles."""

import asyncio
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from algotrendy_common.enums import StrategyStatus
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.signal import StrategyStateChanged
from algotrendy_core.parity.comparison import ParityReport, compare
from algotrendy_core.parity.document import document_of
from algotrendy_core.strategies.interface import AnyStrategy
from algotrendy_core.strategies.registry import STRATEGIES
from algotrendy_core.strategies.user_file import Limits, user_strategies
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from algotrendy_local.errors import StackError
from algotrendy_local.operations.asking import Asker
from algotrendy_local.operations.connection import connected, running_place
from algotrendy_local.operations.recorded_day import Span, recorded, strategies
from algotrendy_local.settings import LocalSettings

output = Console(highlight=False)
PARTS = ("signal", "latency", "slippage", "fees", "missed")


class Compared:
    """The reports, and why there is none of other strategies."""

    def __init__(self, reports: list[ParityReport], left_out: dict[str, str]) -> None:
        self.reports = reports
        self.left_out = left_out

    @property
    def decided_differently(self) -> bool:
        return any(report.decided_differently for report in self.reports)

    def document(self) -> dict[str, Any]:
        return {
            "same": all(report.same for report in self.reports),
            "decided_differently": self.decided_differently,
            "strategies": [document_of(report) for report in self.reports],
            "left_out": self.left_out,
        }


def parity(
    settings: LocalSettings,
    strategy: str | None,
    start: datetime | None,
    end: datetime | None,
    slippage_bps: Decimal,
    as_json: bool,
    out: Path | None,
) -> bool:
    """Print the report and write it to ``out``; false where live decided differently than the backtest."""
    if out is not None and out.suffix not in (".html", ".json"):
        raise StackError("unknown_format", f"{out} is neither .html nor .json")
    if start and end and start >= end:
        raise StackError("bad_range", "the range ends before it starts")
    try:
        compared = asyncio.run(_compared(settings, strategy, Span(_utc(start), _utc(end)), slippage_bps))
    except Retryable as error:
        raise StackError("no_answer", str(error), "algotrendy status") from error
    document = compared.document()
    if as_json:
        print(json.dumps(document))
    else:
        output.print(rendered(compared))
    if out is not None:
        out.write_text(json.dumps(document, indent=1) if out.suffix == ".json" else _page(compared), encoding="utf-8")
    return not compared.decided_differently


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=time.tzinfo or UTC) if time else None


async def _compared(settings: LocalSettings, strategy: str | None, span: Span, slippage_bps: Decimal) -> Compared:
    reports: list[ParityReport] = []
    left_out: dict[str, str] = {}
    # The gateway may ask what people may see, and this shows nothing else.
    async with connected(running_place(settings), "gateway") as client:
        asker = Asker(client)
        known = await strategies(asker)
        among = _kinds(settings, known)
        if strategy is not None and strategy not in known:
            raise StackError("strategy_unknown", f"there is no strategy {strategy}", f"there are: {', '.join(known)}")
        for name, state in known.items():
            if strategy not in (None, name):
                continue
            try:
                reports.append(compare(await recorded(asker, state, span, among), slippage_bps))
            except Refused as error:
                if strategy is not None:
                    raise StackError(error.code, str(error.args[0])) from error
                if state.status is not StrategyStatus.STOPPED or error.code != "nothing_live":
                    left_out[name] = str(error.args[0])
    if not reports:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise StackError("nothing_live", f"nothing can be compared{f' ({why})' if why else ''}")
    return Compared(reports, left_out)


def _kinds(settings: LocalSettings, known: Mapping[str, StrategyStateChanged]) -> Mapping[str, AnyStrategy]:
    """The platform's, and a user's own from the folder that the agent takes them from; tried only where one is run."""
    folder = settings.environment.get("ALGOTRENDY_AGENT_USER_STRATEGIES")
    if not folder or all(state.strategy_kind in STRATEGIES for state in known.values()):
        return STRATEGIES
    found, _ = user_strategies(Path(folder), Limits())
    return {**STRATEGIES, **found}


# -- how it looks ----------------------------------------------------------------------------------------------


def rendered(compared: Compared) -> RenderableType:
    parts: list[RenderableType] = []
    for report in compared.reports:
        parts += [_head(report), *_decisions(report), _orders(report), Text()]
    parts += [Text(f"{name} is left out: {reason}", "dim") for name, reason in compared.left_out.items()]
    return Group(*parts)


def _page(compared: Compared) -> str:
    console = Console(record=True, file=io.StringIO(), width=150, highlight=False)
    console.print(rendered(compared))
    return console.export_html()


def _head(report: ParityReport) -> Text:
    day = report.day
    verdict, style = ("the same", "bold green") if report.same else ("executed differently", "bold yellow")
    if report.decided_differently:
        verdict, style = "decided differently", "bold red"
    return Text.assemble(
        (day.strategy_id, "bold"),
        f"  {day.instrument.symbol} {day.bars[0].timeframe.value}",
        f"  {day.opening:%Y-%m-%d %H:%M} to {day.closing:%m-%d %H:%M}  ",
        (verdict, style),
        f"\n{report.bars} bars, {report.signals_same} of {report.signals} signals and"
        f" {sum(row.kind.value == 'same' for row in report.orders)} of {len(report.orders)} orders the same",
    )


def _decisions(report: ParityReport) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(
            f"  {row.bar_time:%m-%d %H:%M} live wanted {row.live} ({row.live_reason}),"
            f" the backtest {row.backtest} ({row.backtest_reason})",
            "red",
        )
        for row in report.decisions[:10]
    ]
    more = len(report.decisions) - len(lines)
    return [*lines, Text(f"  and {more} bars more", "red")] if more else lines


def _orders(report: ParityReport) -> Table:
    """Amounts to the cent; the documents have every digit."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", footer_style="bold")
    table.show_footer = True
    total, difference = report.split, report.live_pnl - report.backtest_pnl
    for name, footer in (("bar", "all"), ("order", ""), ("found", "")):
        table.add_column(name, footer, overflow="fold")
    for name, footer in (
        ("backtest", ""),
        ("live", ""),
        ("differs", _money(difference)),
        *((part, _money(getattr(total, part))) for part in PARTS),
    ):
        table.add_column(name, footer, justify="right", overflow="fold")
    for row in report.orders:
        quantity = row.backtest.quantity if row.backtest else row.live_quantity
        table.add_row(
            f"{row.bar_time:%m-%d %H:%M}",
            f"{row.side.value} {quantity:.6g}",
            escape(row.kind.value),
            f"{row.backtest.price:.8g}" if row.backtest else "",
            f"{row.live_price:.8g}" if row.live_price else "",
            _money(row.difference),
            *(_money(getattr(row.split, part)) for part in PARTS),
        )
    return table


def _money(amount: Decimal) -> str:
    return f"{amount:+.2f}" if amount else "0"
