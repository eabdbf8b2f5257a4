"""Generated documents are what the code would generate now."""

import json
from pathlib import Path

import pytest
from algotrendy_common import documents
from algotrendy_common.subjects import CATALOGUE, SERVICES

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "run: make docs"


def test_the_page_of_subjects():
    assert (ROOT / "docs/subjects.md").read_text() == documents.subjects_page(), AGAIN


def test_the_asyncapi_description():
    written = json.loads((ROOT / "docs/asyncapi.json").read_text())
    assert written == json.loads(json.dumps(documents.asyncapi())), AGAIN
    assert set(written["channels"]) == {row.slug for row in CATALOGUE}
    for channel in written["channels"].values():
        for message in channel["messages"].values():
            assert message["$ref"].removeprefix("#/components/messages/") in written["components"]["messages"]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_readme_lists_its_subjects(service):
    text = (ROOT / "services" / service / "README.md").read_text()
    assert documents.with_section(text, service) == text, AGAIN


def test_the_rest_api_description():
    from algotrendy_gateway.openapi import document

    assert json.loads((ROOT / "docs/openapi.json").read_text()) == json.loads(json.dumps(document())), AGAIN


def test_nothing_leans_on_a_place_outside():
    """Docs, code and settings of a checkout speak of the checkout alone."""
    words = ("../sha" + "red", "/wo" + "rk/", "/ro" + "ot/")
    guilty = []
    for path in ROOT.rglob("*"):
        if any(
            (part.startswith(".") and part not in (".github", ".ci")) or part in ("node_modules", "out", "results")
            for part in path.relative_to(ROOT).parts
        ):
            continue
        if path.suffix in (".py", ".md", ".ts", ".tsx", ".mjs", ".yml", ".toml", ".json", ".sh", "") and path.is_file():
            text = path.read_text(errors="ignore")
            guilty += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert guilty == []
