"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { SideMark } from "@/components/ui/marks";
import { Num } from "@/components/ui/num";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { tell } from "@/components/ui/toasts";
import { approvalsQuery } from "@/lib/api/queries";
import type { Approval } from "@/lib/api/types";
import { add, divide, parse, toText } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";
import { typeWord } from "@/lib/order-status";
import { useMay, useSession } from "@/lib/session";
import { useBeat } from "@/stream/clock";
import { arrivals } from "@/stream/link";
import { quotes } from "@/stream/quotes";
import { decide } from "../api";

const TWO = { digits: 2n, scale: 0 };

/** The market's middle now, which is the price a decision is bound to. */
function middleOf({ venue, symbol }: Approval): string | null {
  const quote = quotes.quote(venue, symbol);
  const [bid, ask] = [parse(quote?.bid), parse(quote?.ask)];
  const middle = bid && ask ? divide(add(bid, ask), TWO, 8) : null;
  return middle && toText(middle);
}

/** Orders that wait for a person. No word in time is a no. */
export function Approvals({ className }: { className?: string }) {
  const approvals = useQuery(approvalsQuery);
  return (
    <Panel title="Waiting for approval" note={approvals.data?.length} className={className} bodyClass="">
      <Loaded query={approvals} what="Approvals" rows={2}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty>No order waits for a person. One does when it is worth more than the account&apos;s approval limit.</Empty>
          ) : (
            <ul>
              {rows.map((approval) => (
                <Row key={approval.order_id} approval={approval} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Row({ approval }: { approval: Approval }) {
  const [deciding, setDeciding] = useState<boolean | null>(null);
  const client = useQueryClient();
  const trader = useMay("trader");
  const own = useSession((session) => session.user?.username) === approval.user;
  const left = useBeat(() => String(Math.max(0, Math.round((Date.parse(approval.expires_at) - arrivals.serverNow()) / 1000))));
  const now = useBeat(() => middleOf(approval) ?? "");
  const what = `${approval.side} ${formatNumber(approval.quantity)} ${approval.symbol}`;
  return (
    <li className="grid grid-cols-[1fr_auto] items-start gap-x-4 gap-y-1 border-b border-hairline p-3 last:border-b-0 max-sm:grid-cols-1">
      <div className="flex min-w-0 flex-col gap-1">
        <p className="flex flex-wrap items-center gap-x-2 font-medium">
          <SideMark side={approval.side} /> <Num value={approval.quantity} /> {approval.symbol}
          <span className="font-normal text-muted">
            {typeWord(approval.type)}
            {approval.limit_price && ` at ${formatNumber(approval.limit_price)}`}, worth {formatNumber(approval.notional, { precision: 2 })}
          </span>
        </p>
        <p className="text-dense text-muted">
          {approval.message}: {formatNumber(approval.observed)} against {formatNumber(approval.limit)}
          {approval.asked_again && ". Asked again: the price has moved too far since the first time"}
        </p>
        <p className="text-dense text-faint">
          {approval.account} at {approval.venue} · by {approval.strategy ?? approval.user ?? approval.source} · asked <Moment iso={approval.asked_at} /> at <Num value={approval.reference_price} precision={2} />, now {now ? formatNumber(now, { precision: 2 }) : "—"} ·{" "}
          <span className={Number(left) < 30 ? "text-warning" : ""}>refused by itself in {left} s</span>
        </p>
      </div>
      {trader && (
        <div className="flex gap-2 max-sm:w-full">
          <Button look="outline" className="max-sm:flex-1" onClick={() => setDeciding(false)}>
            Reject…
          </Button>
          <Button look="strong" className="max-sm:flex-1" disabled={own || !now} title={own ? "Nobody approves an order of their own" : now ? undefined : "There is no price to decide at"} onClick={() => setDeciding(true)}>
            Approve…
          </Button>
        </div>
      )}
      <Confirm
        open={deciding !== null}
        onClose={() => setDeciding(null)}
        title={`${deciding ? "Approve" : "Reject"}: ${what}`}
        action={`${deciding ? "Approve" : "Reject"} ${what}`}
        look={deciding ? "strong" : "danger_solid"}
        reason
        run={async (reason) => {
          await decide(approval.order_id, deciding === true, reason, now || approval.reference_price);
          tell(approval.order_id, `${what}: ${deciding ? "approved" : "rejected"}`, deciding ? "It goes to the venue once risk has checked it again." : "It is refused.");
          await client.invalidateQueries({ queryKey: ["approvals"] });
        }}
      >
        {deciding ? <p>You decide at {formatNumber(now, { precision: 2 })}. If the price moves past the collar before it is sent, you are asked again.</p> : <p>The order is refused and does not come back by itself.</p>}
      </Confirm>
    </li>
  );
}
