"""``python -m algotrendy_gateway.openapi``: the API's document on standard output, the same on every machine."""

import json
import sys
from typing import Any

from algotrendy_common.app import App
from algotrendy_common.settings import PlatformSettings
from fastapi import FastAPI
from pydantic import SecretStr

from algotrendy_gateway.api.border import Border
from algotrendy_gateway.service import build_app
from algotrendy_gateway.settings import GatewaySettings


def document() -> dict[str, Any]:
    """The document of an application that is built and never started, so its addresses lead nowhere."""
    settings = GatewaySettings(
        platform=PlatformSettings(),
        postgres_url=SecretStr("postgresql://nowhere"),
        redis_url=SecretStr("redis://nowhere:6379/0"),
        token_key=SecretStr("00" * 32),
    )
    return api_of(build_app(settings)).openapi()


def api_of(app: App) -> FastAPI:
    border = app.web
    assert isinstance(border, Border)
    assert isinstance(border.inside, FastAPI)
    return border.inside


def text() -> str:
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
