"""Homes that a server under another account can reach, and stacks that are always stopped."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from algotrendy_local import leftovers
from algotrendy_local.home import Home
from algotrendy_local.servers import unprivileged
from algotrendy_local.testing import Command


@pytest.fixture
def home() -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="algotrendy-test-"))
    root.chmod(0o711)
    place = Home(root)
    place.make()
    yield place
    leftovers.stop(place)
    unprivileged.remove(root)


@pytest.fixture
def algotrendy(home: Home) -> Command:
    return Command(home)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    import time

    def wait(condition: Callable[[], bool], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)

    return wait
