"""What is heard is the venue's, whatever happened to it on the way."""

import pytest
from algotrendy_ingest.domain.ticks import BookTick, Cause, QuoteTick

BTC = "BTC-USDT"


async def test_trades_quotes_and_books_are_the_venues(contract):
    await contract.until(lambda: len(contract.trades) >= 30 and contract.count(QuoteTick) and contract.count(BookTick))
    await contract.book_is_the_venues()
    heard = [trade.trade_id for trade in contract.trades]
    told = [trade.trade_id for trade in await contract.feed.recent_trades(BTC)]
    both = [name for name in told if name in set(heard)]
    assert both, "the venue's own tape has none of what was heard"
    assert heard[heard.index(both[0]) :][: len(both)] == told[told.index(both[0]) :][: len(both)]
    quote = next(message for message in reversed(contract.messages) if isinstance(message, QuoteTick))
    assert quote.bid < quote.ask
    assert quote.event_time.year == 2022
    assert contract.streams_lost == contract.lost == []


@pytest.mark.parametrize("kind", ["lose", "reorder"])
async def test_a_change_that_is_lost_or_late_is_found_out_and_the_book_healed(contract, kind):
    await contract.spoil(kind)
    await contract.until(lambda: contract.lost)
    await contract.book_is_the_venues()
    assert {one.symbol for one in contract.lost} == {BTC}
    assert contract.repeated() == []


async def test_a_change_that_comes_twice_changes_nothing(contract):
    await contract.spoil("duplicate")
    await contract.changes()
    await contract.book_is_the_venues()
    assert contract.lost == contract.streams_lost == []


async def test_a_wrong_checksum_is_found_out_and_the_book_healed(contract):
    if contract.name in ("kraken", "okx"):
        await contract.spoil("corrupt")
        await contract.until(lambda: contract.lost)
        assert contract.lost[0].cause is Cause.CHECKSUM
    await contract.changes()
    await contract.book_is_the_venues()


async def test_a_cut_socket_is_opened_anew(contract):
    await contract.venue.admin("POST", "/admin/sockets/drop", {"kind": "market"})
    await contract.until(lambda: contract.streams_lost)
    await contract.changes()
    await contract.book_is_the_venues()
    assert contract.repeated() == []


async def test_a_socket_that_is_connected_but_mute_is_given_up_and_opened_anew(impatient):
    await impatient.venue.admin("POST", "/admin/sockets/mute", {"muted": True})
    await impatient.until(lambda: any("silent" in one.reason for one in impatient.streams_lost))
    await impatient.venue.admin("POST", "/admin/sockets/mute", {"muted": False})
    await impatient.changes()
    await impatient.book_is_the_venues()
