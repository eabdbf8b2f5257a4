"use client";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { tell } from "@/components/ui/toasts";
import { parse, subtract, toText } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";
import { canCancel } from "@/lib/order-status";
import { useMay } from "@/lib/session";
import { useLink } from "@/stream/link";
import { cancelOrder } from "../api";
import { noteCancel, type OrderRow } from "../store";

const restOf = (row: OrderRow): string => {
  const [quantity, filled] = [parse(row.quantity), parse(row.filled_quantity)];
  return quantity && filled ? toText(subtract(quantity, filled)) : row.quantity;
};

/** Cancels one order, after saying what would remain. */
export function CancelButton({ row, size = "small" }: { row: OrderRow; size?: "small" | "medium" }) {
  const [open, setOpen] = useState(false);
  const mode = useLink((state) => state.mode);
  const live = useLink((state) => state.link === "live");
  const may = useMay("trader");
  if (row.status === "sending" || !canCancel({ status: row.status })) return null;
  if (row.cancelAsked) return <span className="text-dense text-muted">cancel asked</span>;
  const base = row.symbol.split("-")[0] ?? "";
  const rest = formatNumber(restOf(row));
  const blocked = !may ? "Your role reads only" : !live ? "No connection: the order's state is not known" : undefined;
  return (
    <span onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()}>
      <Button size={size} look="outline" disabled={blocked !== undefined} title={blocked} onClick={() => setOpen(true)} aria-label={`Cancel ${row.side} ${row.quantity} ${row.symbol}`}>
        Cancel…
      </Button>
      <Confirm
        open={open}
        onClose={() => setOpen(false)}
        title="Cancel this order?"
        action={`Cancel ${row.side} ${rest} ${base} ${mode === "paper" ? "on paper" : "live"}`}
        run={async () => {
          await cancelOrder(row.order_id);
          noteCancel(row.order_id);
          tell(`cancel ${row.order_id}`, "Cancel asked", "The order stays open until the venue confirms.");
        }}
      >
        <p>
          Asks {row.venue} to cancel the {row.type} order to {row.side} <span className="num">{formatNumber(row.quantity)}</span> {base}.
        </p>
        <p>
          <span className="num text-text">{rest}</span> {base} would no longer be worked; <span className="num text-text">{formatNumber(row.filled_quantity)}</span> already filled stays. It may still fill before the venue hears of it.
        </p>
      </Confirm>
    </span>
  );
}
