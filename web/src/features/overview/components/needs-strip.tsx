"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Shape } from "@/components/ui/shape";
import { alertsQuery, approvalsQuery, haltsQuery, ordersQuery, overviewQuery, positionsQuery, strategiesQuery } from "@/lib/api/queries";
import { useLink } from "@/stream/link";
import { needsOf } from "../needs";

const SHOWN = 3;

/** What needs me, or that nothing does. */
export function NeedsStrip() {
  const account = useLink((state) => state.account);
  const link = useLink((state) => state.link);
  const overview = useQuery(overviewQuery(account)).data;
  const orders = useQuery(ordersQuery(account)).data ?? [];
  const strategies = useQuery(strategiesQuery).data ?? [];
  const alerts = useQuery(alertsQuery).data ?? [];
  const approvals = useQuery(approvalsQuery).data ?? [];
  const halts = useQuery(haltsQuery).data ?? [];
  const positions = useQuery(positionsQuery(account)).data ?? [];
  const needs = needsOf({ link, overview, orders, strategies, alerts, approvals, halts, positions });

  if (!overview) return <div className="panel h-9" aria-hidden />;
  if (needs.length === 0) {
    const running = strategies.filter((strategy) => strategy.status === "running").length;
    return (
      <p role="status" className="panel flex min-h-9 items-center gap-2 px-3 text-muted">
        <Shape name="dot" size={8} /> Nothing needs you.
        <span className="truncate text-faint">
          {running === 0 ? "No strategy runs." : `${running} of ${strategies.length} ${strategies.length === 1 ? "strategy" : "strategies"} running.`}
        </span>
      </p>
    );
  }
  return (
    <section aria-label="What needs you" className="panel overflow-hidden">
      <ul>
        {needs.slice(0, SHOWN).map((need) => (
          <li key={need.id} className="border-b border-hairline last:border-b-0">
            <Link href={need.path} className="flex min-h-9 items-center gap-2 px-3 py-1 hover:bg-s3 max-sm:min-h-11">
              <Shape name={need.severity === "critical" ? "square" : "triangle"} className={need.severity === "critical" ? "text-critical" : "text-warning"} />
              <span className={`text-dense font-medium ${need.severity === "critical" ? "text-critical" : "text-warning"}`}>{need.severity}</span>
              <span className="min-w-0">{need.text}</span>
            </Link>
          </li>
        ))}
      </ul>
      {needs.length > SHOWN && <p className="border-t border-hairline px-3 py-1 text-dense text-faint">and {needs.length - SHOWN} more, under Alerts</p>}
    </section>
  );
}
