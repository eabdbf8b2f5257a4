"""Trades that the running stack has set aside: listed, and given back."""

import asyncio
from collections.abc import Awaitable, Callable

from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.rpc.ingest import QUARANTINE, RESTORE, QuarantineAsked, RestoreAsked, TradeSetAside

from algotrendy_local.errors import StackError
from algotrendy_local.operations.asking import Asker
from algotrendy_local.operations.connection import connected, running_place
from algotrendy_local.settings import LocalSettings


def set_aside(settings: LocalSettings, asked: QuarantineAsked) -> tuple[TradeSetAside, ...]:
    """Newest first; raises Refused where no stack runs or ingest does not answer."""

    async def ask(asker: Asker) -> tuple[TradeSetAside, ...]:
        return (await asker.ask(QUARANTINE, asked)).trades

    return asyncio.run(_with_asker(settings, ask))


def give_back(settings: LocalSettings, asked: RestoreAsked) -> TradeSetAside:
    async def ask(asker: Asker) -> TradeSetAside:
        return await asker.ask(RESTORE, asked)

    return asyncio.run(_with_asker(settings, ask))


async def _with_asker[T](settings: LocalSettings, ask: Callable[[Asker], Awaitable[T]]) -> T:
    try:
        async with connected(running_place(settings), "gateway") as client:
            return await ask(Asker(client))
    except (StackError, Retryable) as error:
        raise Refused("no_stack", str(error)) from error
