"use client";
/** The rarer fields of the ticket: triggers of waiting orders, duration, exits. Folded away until somebody wants them. */
import { useState } from "react";
import { Choice } from "@/components/ui/choice";
import { Field, TextInput } from "@/components/ui/field";
import type { Instrument, OrderType, TimeInForce } from "@/lib/api/types";
import { typeWord } from "@/lib/order-status";
import { type Draft, hasDuration, mayBorrow, mayHaveExits, needsTrigger, type Problems } from "../ticket";

interface Part {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  errors: Problems & Partial<Record<string, string>>;
  currency: string;
}

const WAITING: readonly OrderType[] = ["stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop", "oco"];
const DURATIONS: readonly { value: TimeInForce; label: string }[] = [
  { value: "gtc", label: "Until cancelled" },
  { value: "gtd", label: "Until a time" },
  { value: "ioc", label: "At once, in part if need be" },
  { value: "fok", label: "At once, whole or not at all" },
  { value: "post_only", label: "Only as maker (post-only)" },
];

function Price({ label, value, onChange, error, hint }: { label: string; value: string; onChange: (value: string) => void; error: string | undefined; hint?: string }) {
  return (
    <Field label={label} error={error} hint={hint}>
      <TextInput inputMode="decimal" autoComplete="off" value={value} onChange={(event) => onChange(event.target.value)} className="num text-right" />
    </Field>
  );
}

/** What a waiting order waits for. */
export function TriggerFields({ draft, change, errors, currency }: Part) {
  return (
    <>
      <Choice label="Kind of stop" value={draft.type} onChange={(type) => change({ type })} options={WAITING.map((value) => ({ value, label: typeWord(value).replace(/^./, (first) => first.toUpperCase()) }))} />
      {needsTrigger(draft.type) && <Price label={`${draft.type === "oco" ? "Stop" : "Trigger"} price, ${currency}`} value={draft.trigger} onChange={(trigger) => change({ trigger })} error={errors.trigger_price} />}
      {draft.type === "trailing_stop" && <Price label="Distance, %" value={draft.trail} onChange={(trail) => change({ trail })} error={errors.trailing_ratio} hint="It follows the best price at this distance." />}
    </>
  );
}

const MARGINS: readonly { value: Draft["marginMode"]; label: string }[] = [
  { value: "cross", label: "Cross: all the account's money" },
  { value: "isolated", label: "Isolated: this position's own" },
];

/** Borrowed money, where the instrument can be traded with it. */
export function MarginFields({ draft, change, errors, instrument }: Omit<Part, "currency"> & { instrument: Instrument }) {
  if (!mayBorrow(instrument)) return null;
  const perpetual = instrument.kind === "perpetual";
  return (
    <div className="grid grid-cols-2 gap-2">
      <Price label="Leverage, ×" value={draft.leverage} onChange={(leverage) => change({ leverage })} error={errors.leverage} hint={perpetual ? `1 to ${instrument.max_leverage}; empty: the account's own` : `1 to ${instrument.max_leverage}; empty: paid in full`} />
      <Choice label="Margin" value={draft.marginMode} onChange={(marginMode) => change({ marginMode })} options={MARGINS} />
    </div>
  );
}

export function TicketOptions({ draft, change, errors, currency }: Part) {
  const [open, setOpen] = useState(false);
  const exits = mayHaveExits(draft);
  const used = [draft.reduceOnly, hasDuration(draft.type) && draft.timeInForce !== "gtc", exits && draft.stopLoss, exits && draft.takeProfit].filter(Boolean).length;
  const broken = Boolean(errors.stop_price ?? errors.take_profit_price ?? errors.good_until);
  return (
    <details className="border-t border-hairline pt-2" open={open || broken} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer text-dense text-muted select-none max-sm:min-h-11 max-sm:content-center">Exits and options{used > 0 && ` (${used} set)`}</summary>
      <div className="mt-2 flex flex-col gap-2">
        {exits && (
          <div className="grid grid-cols-2 gap-2">
            <Price label={`Stop-loss, ${currency}`} value={draft.stopLoss} onChange={(stopLoss) => change({ stopLoss })} error={errors.stop_price} />
            <Price label={`Take-profit, ${currency}`} value={draft.takeProfit} onChange={(takeProfit) => change({ takeProfit })} error={errors.take_profit_price} />
          </div>
        )}
        {hasDuration(draft.type) && <Choice label="Works" value={draft.timeInForce} onChange={(timeInForce) => change({ timeInForce })} options={DURATIONS} />}
        {hasDuration(draft.type) && draft.timeInForce === "gtd" && (
          <Field label="Until, local time" error={errors.good_until}>
            <TextInput type="datetime-local" value={draft.until} onChange={(event) => change({ until: event.target.value })} />
          </Field>
        )}
        <label className="flex items-center gap-2 text-dense text-muted max-sm:min-h-11">
          <input type="checkbox" checked={draft.reduceOnly} onChange={(event) => change({ reduceOnly: event.target.checked })} className="size-4 accent-accent" />
          Only reduce the position
        </label>
      </div>
    </details>
  );
}
