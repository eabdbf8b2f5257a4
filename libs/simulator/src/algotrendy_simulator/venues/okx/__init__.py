"""OKX's v5 wire format: spot and USDT perpetual swaps of one account in net position mode."""
