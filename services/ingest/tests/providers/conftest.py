"""Desks at recorded providers, for the tests of this folder."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_ingest.providers.desk import Desk, build_desk
from algotrendy_ingest.providers.settings import ProvidersSettings
from algotrendy_simulator.providers.server import ProviderHall, serving_providers

KEY = "k3y-never-to-be-seen"

DeskAt = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
async def hall() -> AsyncIterator[ProviderHall]:
    async with serving_providers() as running:
        yield running


@pytest.fixture
def desk_at() -> DeskAt:
    return _desk_at


@asynccontextmanager
async def _desk_at(hall: ProviderHall, *names: str, key: str | None = KEY, **more: Any) -> AsyncIterator[Desk]:
    """A desk of these providers, at the recorded ones, that neither waits nor tries again unless told.

    A provider's name gives settings of its own, ``now``, ``sleep`` and ``clock`` what time it is.
    """
    members: list[dict[str, Any]] = [
        {"name": name, "base_url": hall.base_url(name), "api_key": key, "calls_a_minute": 1e6, "timeout": 60}
        for name in names
    ]
    for member in members:
        member |= more.pop(member["name"], {})
    clockwork = {name: more.pop(name) for name in ("now", "sleep") if name in more}
    clock = more.pop("clock", SystemClock())
    settings = {"members": members, "attempts": 1, "back_off": 0, "look_back": timedelta(days=1), **more}
    desk = build_desk(ProvidersSettings.model_validate(settings), clock, **clockwork)
    try:
        yield desk
    finally:
        await desk.close()
