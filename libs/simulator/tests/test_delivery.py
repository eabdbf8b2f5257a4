"""What a drill may do to the events on their way, and that it is over when it is said to be."""

from decimal import Decimal

from algotrendy_simulator.delivery import Delivery
from algotrendy_simulator.events import BalancesChanged, BookChanged, VenueEvent


def balances(number: int) -> BalancesChanged:
    return BalancesChanged("ann", (("BTC", Decimal(number), Decimal(0)),), number)


def a_delivery() -> tuple[Delivery, list[VenueEvent]]:
    delivery, heard = Delivery(), []
    delivery.listeners.append(heard.append)
    return delivery, heard


def test_undisturbed_everything_is_told_once_in_order() -> None:
    delivery, heard = a_delivery()
    events = [balances(1), BookChanged("BTCUSDT"), balances(2)]
    delivery.tell(events)
    assert heard == events


def test_the_next_updates_come_twice() -> None:
    delivery, heard = a_delivery()
    delivery.duplicate(2)
    delivery.tell([balances(1), BookChanged("BTCUSDT"), balances(2), balances(3)])
    assert heard == [balances(1), balances(1), BookChanged("BTCUSDT"), balances(2), balances(2), balances(3)]


def test_updates_are_kept_until_all_are_there_and_then_come_backwards() -> None:
    delivery, heard = a_delivery()
    delivery.reorder(3)
    delivery.tell([balances(1), balances(2)])
    assert heard == []
    delivery.tell([balances(3), balances(4)])
    assert heard == [balances(3), balances(2), balances(1), balances(4)]


def test_what_is_muted_is_lost_and_what_is_frozen_is_told_once_when_it_thaws() -> None:
    delivery, heard = a_delivery()
    delivery.users_muted = True
    delivery.freeze_books(True)
    delivery.tell([balances(1), BookChanged("BTCUSDT"), BookChanged("BTCUSDT")])
    assert heard == []
    delivery.undisturb()
    delivery.tell([balances(2)])
    assert heard == [BookChanged("BTCUSDT"), balances(2)]


def test_undisturbed_again_nothing_is_kept_back() -> None:
    delivery, heard = a_delivery()
    delivery.reorder(5)
    delivery.duplicate(5)
    delivery.tell([balances(1), balances(2)])
    delivery.undisturb()
    delivery.tell([balances(3)])
    assert heard == [balances(1), balances(2), balances(3)]
