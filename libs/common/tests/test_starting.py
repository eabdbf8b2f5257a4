"""A service's start: what it leaves out, and what it says of itself."""

import asyncio
import sys

import pytest
from algotrendy_common.clock import process_age_s
from algotrendy_common.lean_imports import without
from algotrendy_common.starting import Phases

_LOOK = "import sys, algotrendy_common.app; print(*sorted({'rich', 'psutil', 'aiohttp', 'httpx'} & set(sys.modules)))"


async def test_a_service_loads_nothing_for_looks_or_for_features_it_has_not():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _LOOK, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert said.decode().split() == []


def test_what_is_left_out_can_be_imported_afterwards():
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules
    with without("sys"):
        import sys as loaded_before
    assert loaded_before is sys


def test_phases_add_up_to_the_whole_and_begin_with_the_process():
    phases = Phases()
    phases.of_this_process()
    for name in ("wiring", "database", "wiring"):
        phases.ended(name)
    told = phases.told()
    in_all, processor = told.pop("in_all"), told.pop("processor")
    assert list(told) == ["imports", "wiring", "database"]
    assert sum(told.values()) == pytest.approx(in_all, abs=0.01)
    assert 0 < told["imports"] <= process_age_s()
    assert processor > 0
