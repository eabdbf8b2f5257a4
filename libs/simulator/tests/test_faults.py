import pytest
from algotrendy_simulator.faults import Fault, FaultKind, Faults
from pydantic import ValidationError


def test_a_fault_strikes_as_often_as_it_was_told_and_only_where() -> None:
    faults = Faults()
    faults.arm(Fault(kind=FaultKind.DELAY, path="/api/v3/order", method="post", times=2))
    assert faults.take("GET", "/api/v3/order") is None
    assert faults.take("POST", "/api/v3/openOrders") is None
    assert faults.take("POST", "/api/v3/order") is not None
    assert faults.take("POST", "/api/v3/order") is not None
    assert faults.take("POST", "/api/v3/order") is None


def test_a_star_strikes_everything_below() -> None:
    assert Fault(kind=FaultKind.THROTTLE, path="/api/*").strikes("GET", "/api/v3/time")
    assert not Fault(kind=FaultKind.THROTTLE, path="/api/*").strikes("GET", "/sapi/v1/x")


def test_unknown_fields_and_kinds_are_refused() -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate({"kind": "explode", "path": "/"})
    with pytest.raises(ValidationError):
        Fault.model_validate({"kind": "delay", "path": "/", "often": 3})
