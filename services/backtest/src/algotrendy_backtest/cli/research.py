"""Runs and trials of the command line, kept in a folder: one SQLite file, and a folder of files for each run.

Invariant: a trial is on disk before the next ones are decided from it, so a search that is killed loses at most what
was being computed; a run that is resumed is the run that was begun, over the same data.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from algotrendy_common.clock import SystemClock
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.computing.tasks import CandleFile, Ground, Tried, UserFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, strategy TEXT NOT NULL, begun_at TEXT NOT NULL, status TEXT NOT NULL,
    ground TEXT NOT NULL, folder TEXT NOT NULL, data_hash TEXT, result_hash TEXT, statistics TEXT, error TEXT
);
CREATE TABLE IF NOT EXISTS trial (
    run_id TEXT NOT NULL, "window" INTEGER NOT NULL, number INTEGER NOT NULL, parameters TEXT NOT NULL,
    status TEXT NOT NULL, objective REAL, partial REAL, statistics TEXT NOT NULL, result_hash TEXT, error TEXT,
    seconds REAL NOT NULL, PRIMARY KEY (run_id, "window", number)
);
"""


@dataclass(frozen=True, slots=True)
class KeptRun:
    run_id: str
    kind: str
    strategy: str
    begun_at: str
    status: str
    """``running``, ``paused``, ``finished`` or ``failed``; one that was killed stays ``running``."""
    ground: Ground
    folder: Path
    data_hash: str | None
    result_hash: str | None
    statistics: dict[str, Any]
    error: str | None


class Research:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._store = sqlite3.connect(folder / "research.sqlite", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = WAL")
        self._store.execute("PRAGMA busy_timeout = 5000")
        self._store.executescript(_SCHEMA)

    def close(self) -> None:
        self._store.close()

    def begin(self, run_id: str, ground: Ground, folder: Path) -> None:
        spec = ground.spec
        name = ground.user_file.name if ground.user_file else spec.strategy_kind
        self._store.execute(
            "INSERT INTO run (run_id, kind, strategy, begun_at, status, ground, folder) VALUES (?,?,?,?,?,?,?)",
            (run_id, spec.kind.value, name, SystemClock().now().isoformat(), "running", _to_text(ground), str(folder)),
        )

    def over(self, run_id: str, data_hash: str) -> None:
        """The run is about these data; raises Refused where it was begun on others."""
        kept = self.run(run_id)
        if kept.data_hash not in (None, data_hash):
            raise Refused("data_changed", "the data are not those that this run was begun on", run_id=run_id)
        self._change(run_id, data_hash=data_hash)

    def again(self, run_id: str) -> None:
        self._change(run_id, status="running", error=None)

    def paused(self, run_id: str) -> None:
        self._change(run_id, status="paused")

    def finished(self, run_id: str, result_hash: str, statistics: Mapping[str, Any]) -> None:
        self._change(run_id, status="finished", result_hash=result_hash, statistics=json.dumps(dict(statistics)))

    def failed(self, run_id: str, error: str) -> None:
        self._change(run_id, status="failed", error=error)

    def _change(self, run_id: str, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._store.execute(f"UPDATE run SET {names} WHERE run_id = ?", (*values.values(), run_id))

    def run(self, wanted: str) -> KeptRun:
        """By its id, by the beginning of it, or the ``last`` one; raises Refused where that is none or several."""
        if wanted == "last":
            rows = self._store.execute(f"{_SELECT} ORDER BY begun_at DESC LIMIT 1").fetchall()
        else:
            rows = self._store.execute(f"{_SELECT} WHERE run_id GLOB ?", (f"{_escaped(wanted)}*",)).fetchall()
        if len(rows) != 1:
            said = "there is no such run" if not rows else f"{len(rows)} runs begin like that"
            raise Refused("run_unknown", said, wanted=wanted, folder=self.folder)
        return _kept(rows[0])

    def runs(self, limit: int) -> list[KeptRun]:
        """Newest first."""
        return [_kept(row) for row in self._store.execute(f"{_SELECT} ORDER BY begun_at DESC LIMIT ?", (limit,))]

    # -- trials ------------------------------------------------------------------------------------------------

    def trials_of(self, run_id: str) -> "KeptTrials":
        return KeptTrials(self._store, run_id)


class KeptTrials:
    """What ``conduct.Trials`` asks for, of one run."""

    def __init__(self, store: sqlite3.Connection, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def known(self, window: int) -> dict[int, Tried]:
        return {tried.number: tried for tried in self._read('AND "window" = ? ORDER BY number', window)}

    def best(self, limit: int, window: int = 0) -> list[Tried]:
        return self._read('AND "window" = ? ORDER BY objective IS NULL, objective DESC, number LIMIT ?', window, limit)

    def count(self) -> int:
        row = self._store.execute("SELECT count(*) FROM trial WHERE run_id = ?", (self._run_id,)).fetchone()
        return int(row[0])

    def keep(self, window: int, tried: list[Tried]) -> None:
        self._store.execute("BEGIN")
        self._store.executemany(
            "INSERT OR REPLACE INTO trial VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            [
                (self._run_id, window, each.number, json.dumps(dict(each.parameters)), each.status, each.objective,
                 each.partial, json.dumps(dict(each.statistics)), each.result_hash, each.error, each.seconds)
                for each in tried
            ],
        )  # fmt: skip
        self._store.execute("COMMIT")

    def _read(self, condition: str, *values: Any) -> list[Tried]:
        rows = self._store.execute(
            "SELECT number, parameters, status, objective, partial, statistics, result_hash, error, seconds"
            f" FROM trial WHERE run_id = ? {condition}",
            (self._run_id, *values),
        )
        return [
            Tried(row[0], json.loads(row[1]), row[2], row[3], row[4], json.loads(row[5]), row[6], row[7], row[8])
            for row in rows
        ]


_COLUMNS = "run_id, kind, strategy, begun_at, status, ground, folder, data_hash, result_hash, statistics, error"
_SELECT = f"SELECT {_COLUMNS} FROM run"


def _kept(row: tuple[Any, ...]) -> KeptRun:
    run_id, kind, strategy, begun_at, status, ground, folder, data_hash, result_hash, statistics, error = row
    figures = json.loads(statistics) if statistics else {}
    return KeptRun(
        run_id,
        kind,
        strategy,
        begun_at,
        status,
        _from_text(ground),
        Path(folder),
        data_hash,
        result_hash,
        figures,
        error,
    )


def _escaped(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _to_text(ground: Ground) -> str:
    assert isinstance(ground.data, CandleFile), "what runs on this machine reads a file"
    return json.dumps(
        {
            "spec": ground.spec.model_dump(mode="json"),
            "instrument": ground.instrument.model_dump(mode="json"),
            "data": asdict(ground.data),
            "user_file": asdict(ground.user_file) if ground.user_file else None,
            "compiled": ground.compiled,
        }
    )


def _from_text(text: str) -> Ground:
    values = json.loads(text)
    return Ground(
        spec=BacktestSpec.model_validate(values["spec"]),
        instrument=Instrument.model_validate(values["instrument"]),
        data=CandleFile(**values["data"]),
        user_file=UserFile(**values["user_file"]) if values["user_file"] else None,
        compiled=values["compiled"],
    )
