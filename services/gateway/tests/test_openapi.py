"""The document kept with the sources is the one that this code makes, and types money as text."""

import json
from pathlib import Path
from typing import Any

from algotrendy_gateway.openapi import text

KEPT = Path(__file__).parents[3] / "docs/openapi.json"
MONEY = ("equity", "cash", "price", "quantity", "limit_price", "average_price", "fee", "total", "initial_cash")


def test_the_kept_document_is_up_to_date():
    assert KEPT.read_text() == text(), "run: python -m algotrendy_gateway.openapi > docs/openapi.json"


def types_of(schema: dict[str, Any]) -> set[str]:
    found = {schema["type"]} if "type" in schema else set()
    for part in schema.get("anyOf", ()):
        found |= types_of(part)
    return found


def test_money_is_text_everywhere():
    schemas = json.loads(text())["components"]["schemas"]
    seen = 0
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            if field in MONEY and name not in ("Backtest",):
                seen += 1
                assert types_of(described) <= {"string", "null"}, (name, field)
    assert seen > 15


def test_every_answer_has_a_shape():
    for path, operations in json.loads(text())["paths"].items():
        for method, operation in operations.items():
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            [content] = good["content"].items()
            # What a backtest wrote is given out as it is.
            kind = "application/octet-stream" if path.endswith("/artefacts/{name}") else "application/json"
            assert content[0] == kind, (method, path)
            assert content[1]["schema"], (method, path)
