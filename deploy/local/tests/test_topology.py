import pytest
from algotrendy_common.subjects import SERVICES
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import OFFSETS, PortBlock
from algotrendy_local.program import Program, Row
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import SERVERS, Place, needed, stack


def rows_of(home: Home, **replaced: str) -> list[Row]:
    settings = LocalSettings.from_environment(home=home.root, replaced=replaced)
    return stack(Place.of(home, PortBlock(20_000), settings))


def programs_of(home: Home, **replaced: str) -> dict[str, Program]:
    return {row.name: row for row in rows_of(home, **replaced) if isinstance(row, Program)}


def test_every_server_and_service_is_a_row_with_a_port_of_its_own(home: Home) -> None:
    programs = programs_of(home)
    assert set(programs) == {*SERVERS, "simulator", *SERVICES, "dead_man"}
    assert programs.pop("dead_man").port == 0
    assert {name: program.port - 20_000 for name, program in programs.items()} == {
        name: OFFSETS[name] for name in programs
    }


def test_rows_depend_on_rows_and_on_nothing_in_a_circle(home: Home) -> None:
    rows = rows_of(home)
    names = {row.name for row in rows}
    started: set[str] = set()
    while len(started) < len(rows):
        ready = {row.name for row in rows if row.name not in started and set(row.depends_on) <= started}
        assert ready, names - started
        started |= ready


def test_a_url_replaces_a_server_and_reaches_the_services(home: Home) -> None:
    programs = programs_of(home, redis="redis://elsewhere:1/0", questdb="http://other:2")
    assert "redis" not in programs
    assert "questdb" not in programs
    assert programs["gateway"].environment["ALGOTRENDY_GATEWAY_REDIS_URL"] == "redis://elsewhere:1/0"
    assert programs["ingest"].environment["ALGOTRENDY_INGEST_QUESTDB_URL"] == "http://other:2"


def test_a_service_is_given_its_own_secrets_alone(home: Home) -> None:
    programs = programs_of(home)
    for name in SERVICES:
        foreign = [
            variable
            for variable in programs[name].environment
            for other in (*SERVICES, "simulator")
            if other != name and variable.startswith(f"ALGOTRENDY_{other.upper()}_")
        ]
        assert foreign == []
    holders = [name for name, each in programs.items() if any("APPROVAL_SEED" in key for key in each.environment)]
    assert holders == ["risk"]


def test_what_a_person_sets_wins_over_defaults_but_not_over_ports(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("ALGOTRENDY_SIMULATOR_SPEED", "5")
    monkeypatch.setenv("ALGOTRENDY_RISK_HEALTH_PORT", "1")
    programs = programs_of(home)
    assert programs["agent"].environment["ALGOTRENDY_LOG_LEVEL"] == "DEBUG"
    assert programs["simulator"].environment["ALGOTRENDY_SIMULATOR_SPEED"] == "5"
    assert programs["risk"].environment["ALGOTRENDY_RISK_HEALTH_PORT"] == str(programs["risk"].port)


def test_only_some_brings_what_they_need(home: Home) -> None:
    rows = rows_of(home)
    assert [row.name for row in needed(rows, ["risk"])] == ["nats", "postgres", "migrate", "risk"]
    with pytest.raises(StackError, match="there is no program rsik; there are: nats"):
        needed(rows, ["rsik"])
