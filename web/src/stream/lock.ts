/** Whether orders and strategy starts are possible right now, and if not, the one sentence that says why. */
import type { Mode, Role, TradingState } from "@/lib/api/types";
import type { Link } from "@/lib/look";
import { mayAs, useSession } from "@/lib/session";
import { useLink } from "./link";

export interface LockEvidence {
  link: Link;
  mode: Mode | null;
  tradingState: TradingState | null;
  role: Role | undefined;
}

export function tradeLock({ link, mode, tradingState, role }: LockEvidence): string | null {
  if (link !== "live") return "No connection: nothing can be sent until prices and account are fresh again.";
  if (mode === null) return "The server has not said whether this is real money. Locked until it does.";
  if (!mayAs(role, "trader")) return "Your role reads only. Orders need the trader role.";
  if (tradingState === "halted") return "Trading is halted. An administrator can resume it.";
  if (tradingState === "reconciling") return "Orders and positions are being compared with the venue. This takes a few seconds.";
  if (tradingState === null) return "The server has not said whether trading is allowed. Locked until it does.";
  return null;
}

/** Of another account than the page's own, `tradingState` is what was read of it. */
export function useTradeLock(elsewhere?: { tradingState: TradingState | null }): string | null {
  const link = useLink((state) => state.link);
  const mode = useLink((state) => state.mode);
  const tradingState = useLink((state) => state.tradingState);
  const role = useSession((session) => session.user?.role);
  return tradeLock({ link, mode, tradingState: elsewhere ? elsewhere.tradingState : tradingState, role });
}
