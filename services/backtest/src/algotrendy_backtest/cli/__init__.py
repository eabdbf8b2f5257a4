"""``algotrendy backtest``: the same jobs as the service's, on this machine and with no server running."""
