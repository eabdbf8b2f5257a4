"""One stack for the tests that look at it, and a page to ask it through."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Page, Stack, running_stack


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="algotrendy-e2e-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(home: Path) -> Iterator[Stack]:
    with running_stack(home, "--speed", "90") as running:
        yield running


@pytest.fixture
def api(stack: Stack) -> Iterator[Page]:
    page = Page(stack)
    yield page
    page.close()
