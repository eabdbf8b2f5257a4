"""What ``algotrendy feed status``, ``follow`` and ``unfollow`` ask of the service, on real servers."""

import pytest
from algotrendy_common.enums import FeedState
from algotrendy_common.errors import Refused
from algotrendy_local.feeds import running
from algotrendy_local.ports import PortBlock
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import Place

BTC, LTC = "BTC-USDT", "LTC-USDT"
PATIENCE_S = 180.0


def place_of(servers):
    """The stack's place as the commands see it."""
    base = int(servers.addresses.nats_url.rpartition(":")[2]) - PortBlock(0)["nats"]
    settings = LocalSettings.from_environment(home=servers.home.root, port_base=None, replaced={})
    return Place.of(servers.home, PortBlock(base), settings)


@pytest.mark.timeout(600)
async def test_the_commands_speak_to_the_running_feed(ingest, heard, servers, quest, until):
    place = place_of(servers)
    async with ingest(symbols=(BTC,)):
        await until(lambda: len(heard.trades(BTC)) >= 5 and heard.health().state is FeedState.LIVE, PATIENCE_S)
        (feed,) = await running.health(place)
        assert (feed.venue, feed.replay, feed.reconnects, feed.missing_trades) == ("binance", True, 0, 0)
        assert feed.watermark is not None
        assert await running.follow(place, "binance", LTC) == (BTC, LTC)
        await until(lambda: heard.trades(LTC), PATIENCE_S)
        assert await running.unfollow(place, "binance", LTC) == (BTC,)
        with pytest.raises(Refused, match="okx"):
            await running.follow(place, "okx", LTC)
        with pytest.raises(Refused, match="'b nance' is no venue"):
            await running.follow(place, "b nance", LTC)
        with pytest.raises(Refused, match=LTC):
            await running.unfollow(place, "binance", LTC)
