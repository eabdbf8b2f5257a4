"""What Prometheus is told of ingest."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5)

MESSAGES = Counter("algotrendy_feed_messages_total", "Messages read from venues", ["venue", "kind"])
MALFORMED = Counter("algotrendy_feed_malformed_total", "Messages of venues that make no sense", ["venue"])
REPEATED = Counter("algotrendy_feed_repeated_trades_total", "Trades heard again and left out", ["venue"])
GAPS = Counter("algotrendy_feed_gaps_total", "Times that trades were missed", ["venue"])
MISSED_TRADES = Counter(
    "algotrendy_feed_missed_trades_total", "Trades missed, by what became of them", ["venue", "fate"]
)
LOST = Counter("algotrendy_feed_lost_total", "Subscriptions that ended and were taken up again", ["venue", "stream"])
BOOKS_LOST = Counter("algotrendy_feed_books_lost_total", "Books found wrong and built anew", ["venue", "cause"])
REFUSED = Counter("algotrendy_feed_refused_total", "What venues would not do on a public socket", ["venue"])
CANDLES_FETCHED = Counter("algotrendy_candles_fetched_total", "Candles taken from a venue's history", ["venue", "why"])
PUBLISH_SECONDS = Histogram(
    "algotrendy_feed_publish_seconds", "From a message read to its event on the bus", ["venue", "kind"], buckets=_FAST
)
PUBLISH_FAILED = Counter("algotrendy_feed_publish_failed_total", "Events that the bus did not take", ["venue"])
HISTORY_CACHE = Counter("algotrendy_history_cache_total", "Questions about the past, by the cache", ["what", "outcome"])
TABLES_MENDED = Counter("algotrendy_tables_mended_total", "Suspended tables, by what was done", ["table", "step"])
ROWS_WRITTEN = Counter("algotrendy_rows_written_total", "Rows handed to QuestDB", ["table"])
ROWS_MADE_GOOD = Counter("algotrendy_rows_made_good_total", "Rows the bus lost and the ledger wrote", ["table"])
SET_ASIDE = Counter("algotrendy_feed_set_aside_total", "Trades of a price that was not believed", ["venue"])
VENUES_APART = Gauge(
    "algotrendy_venues_apart_ratio", "How far two venues' prices of one moment are apart, where it is too far",
    ["symbol", "one", "other"],
)  # fmt: skip
