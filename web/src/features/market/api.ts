import { queryOptions } from "@tanstack/react-query";
import { get, query } from "@/lib/api/client";
import type { Candle } from "@/lib/api/types";

export const TIMEFRAMES = ["1m", "5m", "15m", "1h", "4h", "1d"] as const;
export type ChartTimeframe = (typeof TIMEFRAMES)[number];

const HISTORY = 500;

export const candlesQuery = (venue: string, symbol: string, timeframe: string) =>
  queryOptions({
    queryKey: ["candles", venue, symbol, timeframe],
    queryFn: () => get<Candle[]>(query("/api/candles", { venue, symbol, timeframe, limit: HISTORY })),
    enabled: venue !== "" && symbol !== "",
    staleTime: 0,
  });
