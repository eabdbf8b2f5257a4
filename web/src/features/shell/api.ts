/** Stopping and resuming trading. These go over REST, so that they work when the stream does not. */
import { post } from "@/lib/api/client";
import type { TradingState } from "@/lib/api/types";

interface TradingStateAnswer {
  trading_state: TradingState;
}

const scopeOf = (account: string) => (account ? { scope: "account", account } : { scope: "all" });

export const halt = (account: string, reason: string): Promise<TradingStateAnswer> => post("/api/halt", { ...scopeOf(account), reason });

export const resumeTrading = (account: string, reason: string): Promise<TradingStateAnswer> => post("/api/resume", { ...scopeOf(account), reason });

/** What to type on the machine itself when even REST does not answer: it ends every service, so nothing more can be sent. */
export const STOP_COMMAND = "algotrendy down";
