import { Shape } from "@/components/ui/shape";
import type { Strategy } from "@/lib/api/types";

/** A strategy's account and, while another stands in for it, where its new orders go. */
export function RoutedAccount({ strategy }: { strategy: Pick<Strategy, "account" | "venue" | "routed_account" | "routed_venue"> }) {
  const { account, venue, routed_account, routed_venue } = strategy;
  if (!routed_venue) return <span className="text-muted">{account}</span>;
  return (
    <span className="text-warning" title={`${venue} is away: new orders go to ${routed_account} at ${routed_venue}. What it holds at ${venue} stays there.`}>
      <Shape name="triangle" className="mr-1" />
      {account}, routed to {routed_venue}
    </span>
  );
}
