"""What Prometheus is told of providers: health, cost and quota of each."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("algotrendy_provider_calls_total", "Calls to data providers", ["provider", "outcome"])
SECONDS = Histogram("algotrendy_provider_seconds", "Time to a provider's answer", ["provider"])
RETRIES = Counter("algotrendy_provider_retries_total", "Calls that repeat one that failed", ["provider"])
CACHE = Counter("algotrendy_provider_cache_total", "Questions looked up in the cache", ["provider", "result"])
CACHE_AWAY = Counter("algotrendy_provider_cache_away_total", "Times that Redis failed and memory had to do")
CIRCUIT = Gauge("algotrendy_provider_circuit_open", "1 where a provider is left alone, 0.5 on trial", ["provider"])
COST = Counter("algotrendy_provider_cost_usd_total", "US dollars by the price a call that is set", ["provider"])
QUOTA_LEFT = Gauge("algotrendy_provider_quota_left", "Calls left of the day", ["provider"])
FAILOVERS = Counter("algotrendy_provider_failovers_total", "Questions passed on to the next", ["provider", "error"])
QUORUM = Counter("algotrendy_provider_quorum_total", "Questions put to several", ["result"])
