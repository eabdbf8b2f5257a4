/** What needs a person, worst first. Pure. */
import type { Alert, Approval, Halt, Order, Overview, Position, Strategy } from "@/lib/api/types";
import type { Link } from "@/lib/look";

export interface Need {
  id: string;
  severity: "critical" | "warning";
  text: string;
  path: string;
}

export interface Situation {
  link: Link;
  overview: Overview | undefined;
  orders: readonly Order[];
  strategies: readonly Strategy[];
  alerts: readonly Alert[];
  approvals: readonly Approval[];
  halts: readonly Halt[];
  positions: readonly Position[];
}

const NEAR = 0.8;
export const isWell = (state: string): boolean => state === "ready";

export function needsOf({ link, overview, orders, strategies, alerts, approvals, halts, positions }: Situation): Need[] {
  const needs: Need[] = [];
  const add = (severity: Need["severity"], id: string, text: string, path = "/") => needs.push({ severity, id, text, path });

  if (link === "lost") add("critical", "link", "The page has no connection: every figure here is old.");
  if (overview?.trading_state === "halted") add("critical", "halted", `Trading is halted${overview.halted_by ? ` by ${overview.halted_by}` : ""}${overview.halted_reason ? `: ${overview.halted_reason}` : "."}`);
  if (overview?.trading_state === "reconciling") add("warning", "reconciling", "Orders and positions are being compared with the venue; nothing is sent meanwhile.");
  for (const order of orders) {
    const what = `${order.side} ${order.quantity} ${order.symbol}`;
    const path = `/orders/?order=${order.order_id}`;
    if (order.status === "outcome_unknown") add("critical", order.order_id, `Outcome unknown: ${what}. The venue is being asked; nothing is sent again.`, path);
    if (order.status === "lost") add("critical", order.order_id, `The venue does not know an order we sent: ${what}.`, path);
  }
  for (const waiting of approvals) add("warning", waiting.order_id, `Waits for approval: ${waiting.side} ${waiting.quantity} ${waiting.symbol}.`, "/risk/");
  for (const halt of halts) {
    if (halt.level === "strategy") add("warning", `halt ${halt.key}`, `Strategy ${halt.key} is halted by ${halt.by}: ${halt.reason}`, "/risk/");
    if (halt.release_asked_by) add("warning", `release ${halt.level} ${halt.key}`, `${halt.release_asked_by} wants the halt of ${halt.level === "global" ? "all trading" : halt.key} released; a second person must confirm.`, "/risk/");
  }
  for (const position of positions) {
    if (position.guard?.state === "naked") add("critical", `naked ${position.venue} ${position.symbol}`, `No stop guards the position in ${position.symbol}${position.guard.detail ? `: ${position.guard.detail}` : "."}`);
  }
  for (const feed of overview?.feeds ?? []) {
    if (feed.state === "down") add("critical", `feed ${feed.venue}`, `No market data from ${feed.venue}.`);
    if (feed.state === "stale") add("warning", `feed ${feed.venue}`, `Market data from ${feed.venue} is stale${feed.stale_symbols.length ? `: ${feed.stale_symbols.join(", ")}` : "."}`);
  }
  for (const service of overview?.services ?? []) {
    if (!isWell(service.state)) add("warning", `service ${service.service}`, `Service ${service.service} is ${service.state.replaceAll("_", " ")}${service.detail ? `: ${service.detail}` : "."}`);
  }
  for (const strategy of strategies) {
    if (strategy.status === "failed") add("critical", strategy.strategy, `Strategy ${strategy.strategy} failed${strategy.status_detail ? `: ${strategy.status_detail}` : "."}`, "/strategies/");
  }
  for (const limit of overview?.limits ?? []) {
    const ratio = Number(limit.ratio ?? 0);
    if (ratio >= NEAR) add(ratio >= 1 ? "critical" : "warning", `limit ${limit.name}`, `${limit.name.replaceAll("_", " ")} is at ${Math.round(ratio * 100)} % of its limit.`);
  }
  for (const alert of alerts) if (alert.severity === "critical") add("critical", alert.alert_id, alert.message);
  return needs.sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}
