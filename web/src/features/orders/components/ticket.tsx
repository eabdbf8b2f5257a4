"use client";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Field, TextInput } from "@/components/ui/field";
import { SideMark } from "@/components/ui/marks";
import { Segmented } from "@/components/ui/segmented";
import { Shape } from "@/components/ui/shape";
import { tell, tellError } from "@/components/ui/toasts";
import { ApiError } from "@/lib/api/error";
import { balancesQuery, overviewQuery } from "@/lib/api/queries";
import type { Balance, Instrument, Quote } from "@/lib/api/types";
import { formatNumber, formatPercent, precisionOf } from "@/lib/format/number";
import { newOrderId } from "@/lib/ids";
import { useBeat } from "@/stream/clock";
import { arrivals, useLink } from "@/stream/link";
import { useTradeLock } from "@/stream/lock";
import { quotes } from "@/stream/quotes";
import { routeNote, useRoute } from "@/stream/route";
import { sendOrder } from "../api";
import { forgetSent, noteSent } from "../store";
import { type Draft, EMPTY_DRAFT, type Estimate, estimate, isPriced, isTriggered, onInstrument, problemsOf, quantityFor, toOrder, typedNumber } from "../ticket";
import { MarginFields, TicketOptions, TriggerFields } from "./ticket-options";

interface TicketProps {
  instrument: Instrument;
  /** A price clicked elsewhere; a new object each time, so that the same price can be taken twice. */
  taken: { price: string } | null;
  /** The order is on its way: a good moment to show where its state will be. */
  onSending?: () => void;
  onSent?: () => void;
}

const NONE: Balance[] = [];

/** The newest quote, re-read once a beat: the ticket's estimate need not follow every tick. */
function useQuote({ venue, symbol }: Instrument): Quote | undefined {
  useBeat(() => {
    const quote = quotes.quote(venue, symbol);
    return quote ? `${quote.bid} ${quote.ask} ${quote.bid_quantity} ${quote.ask_quantity}` : null;
  });
  return quotes.quote(venue, symbol);
}

export function Ticket({ instrument, taken, onSending, onSent }: TicketProps) {
  const route = useRoute();
  const { account } = route;
  const mode = useLink((state) => state.mode);
  // The stream tells of the page's own account only.
  const often = { refetchInterval: route.away === null ? (false as const) : 3_000 };
  const balances = useQuery({ ...balancesQuery(account), ...often }).data ?? NONE;
  const overview = useQuery({ ...overviewQuery(account), ...often }).data;
  const locked = useTradeLock(route.away === null ? undefined : { tradingState: overview?.trading_state ?? null });
  const lock = route.venue !== null && route.venue !== instrument.venue ? `${instrument.symbol} is not traded at ${route.venue}, where this account's orders go.` : locked;
  const quote = useQuote(instrument);
  const [typed, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const draft = onInstrument(typed, instrument);
  const [orderId, setOrderId] = useState(newOrderId);
  const [review, setReview] = useState(false);
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const confirm = useRef<HTMLButtonElement>(null);

  const change = (part: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...part }));
    setReview(false);
    setRefused(null);
  };
  const [takenBefore, setTakenBefore] = useState(taken);
  if (taken !== takenBefore) {
    setTakenBefore(taken);
    if (taken) change({ type: "limit", price: taken.price });
  }
  const [routedTo, setRoutedTo] = useState(account);
  if (account !== routedTo) {
    // What was reviewed was an order at another venue.
    setRoutedTo(account);
    setReview(false);
  }
  useEffect(() => {
    if (review) confirm.current?.focus();
  }, [review]);

  const problems = problemsOf(draft, instrument, quote);
  const invalid = Object.keys(problems).length > 0;
  const errors = { ...(shown ? problems : {}), ...refused?.fields };
  const guess = estimate(draft, instrument, quote, balances);
  const verb = draft.side === "buy" ? "Buy" : "Sell";
  const amount = `${formatNumber(typedNumber(draft.quantity))} ${instrument.base}`;
  const modeWord = mode === "paper" ? "on paper" : "live";

  function reset() {
    setDraft((before) => ({ ...before, quantity: "" }));
    setOrderId(newOrderId());
    setReview(false);
    setShown(false);
    setRefused(null);
  }

  async function send() {
    if (busy || lock || invalid) return;
    const order = toOrder(draft, orderId, account, instrument.symbol);
    setBusy(true);
    setRefused(null);
    noteSent({ order, at: new Date(arrivals.serverNow()).toISOString(), venue: instrument.venue });
    onSending?.();
    try {
      await sendOrder(order);
      if (route.away === null) tell(orderId, `${verb} ${amount} ${instrument.symbol}: handed in`, "Not confirmed yet. Its state follows below and under Orders.");
      else {
        // The lists of this page are of its own account, so nothing there would ever confirm it.
        forgetSent(orderId);
        tell(orderId, `${verb} ${amount} ${instrument.symbol}: handed in at ${instrument.venue}`, `Not confirmed yet. It is an order of ${account}.`);
      }
      reset();
      onSent?.();
    } catch (failure) {
      const known = failure instanceof ApiError ? failure : new ApiError(0, "unexpected", "An unexpected answer came back.");
      // No answer does not mean no order: it stays listed as sending, and the same id makes another try harmless.
      if (!known.unreachable) forgetSent(orderId);
      if (known.status === 422) setReview(false);
      setRefused(known);
      tellError(orderId, `${verb} ${amount}: not accepted`, known);
    } finally {
      setBusy(false);
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setShown(true);
    if (invalid || lock) return;
    if (!review) setReview(true);
  }

  function escape(event: KeyboardEvent) {
    if (event.key === "Escape" && review) {
      event.stopPropagation();
      setReview(false);
    }
  }

  return (
    <form onSubmit={submit} onKeyDown={escape} className="flex flex-col gap-3 p-3" aria-label={`Order ticket ${instrument.symbol}`} noValidate>
      {route.away !== null && (
        <p role="status" className="flex items-start gap-2 rounded-control border border-warning p-2 text-warning">
          <Shape name="triangle" className="mt-1.5" /> {routeNote(route)}
        </p>
      )}
      <div className="flex flex-col gap-2">
        <Segmented label="Side" size="medium" value={draft.side} onChange={(side) => change({ side })} options={[{ value: "buy", label: "Buy", className: "text-up" }, { value: "sell", label: "Sell", className: "text-down" }]} />
        <Segmented label="Type" size="medium" value={isTriggered(draft.type) ? "stop" : draft.type} onChange={(type) => change({ type })} options={[{ value: "limit", label: "Limit" }, { value: "market", label: "Market" }, { value: "stop", label: "Stop…" }]} />
      </div>
      {isTriggered(draft.type) && <TriggerFields draft={draft} change={change} errors={errors} currency={instrument.quote} />}
      {isPriced(draft.type) && (
        <Field label={`${draft.type === "oco" ? "Take-profit price" : draft.type === "limit" ? "Price" : "Limit price"}, ${instrument.quote}`} error={errors.limit_price}>
          <TextInput inputMode="decimal" autoComplete="off" value={draft.price} onChange={(event) => change({ price: event.target.value })} placeholder={formatNumber(draft.side === "buy" ? quote?.bid : quote?.ask, { precision: precisionOf(instrument.price_step) })} className="num text-right" />
        </Field>
      )}
      <Field label={`Quantity, ${instrument.base}`} error={errors.quantity}>
        <TextInput inputMode="decimal" autoComplete="off" value={draft.quantity} onChange={(event) => change({ quantity: event.target.value })} placeholder={instrument.min_quantity} className="num text-right" />
      </Field>
      <div className="grid grid-cols-4 gap-1" role="group" aria-label="Share of what is available">
        {[25, 50, 75, 100].map((percent) => (
          <Button key={percent} size="small" look="outline" onClick={() => change({ quantity: quantityFor(percent, draft, instrument, quote, balances) ?? "" })}>
            {percent} %
          </Button>
        ))}
      </div>
      <MarginFields draft={draft} change={change} errors={errors} instrument={instrument} />
      <TicketOptions draft={draft} change={change} errors={errors} currency={instrument.quote} />
      <Costs guess={guess} instrument={instrument} side={draft.side} />
      {overview && <NearestLimit limits={overview.limits} />}
      {refused && (
        <p role="alert" className="text-critical">
          {refused.message}
          {refused.unreachable && " It may or may not have arrived; sending again is safe, it has the same id."}
        </p>
      )}
      {lock ? (
        <p className="hatched flex items-start gap-2 rounded-control border border-hairline p-2 text-muted" role="status">
          <Shape name="square" className="mt-1.5" /> {lock}
        </p>
      ) : review ? (
        <section aria-label="Review" className="flex flex-col gap-2 rounded-control border border-edge bg-s3 p-2.5">
          <p className="flex flex-wrap items-center gap-x-2">
            <SideMark side={draft.side} />
            <span className="num font-semibold">{amount}</span>
            <span className="text-muted">{inWords(draft, guess.borrowed)}</span>
          </p>
          <p className="text-dense text-muted">
            {account} at {instrument.venue} · {mode === "paper" ? "paper, no real money" : "real money"}
          </p>
          <Button ref={confirm} look={draft.side} size="large" disabled={busy} onClick={() => void send()}>
            {busy ? "Sending…" : `${verb} ${amount} ${modeWord}`}
          </Button>
          <Button look="quiet" size="small" onClick={() => setReview(false)}>
            Change <kbd className="mono text-faint">Esc</kbd>
          </Button>
        </section>
      ) : (
        <Button type="submit" look="strong" size="large">
          Review {verb.toLowerCase()}
        </Button>
      )}
    </form>
  );
}

const price = (text: string) => formatNumber(typedNumber(text));

/** The order as a sentence, for the last look before it goes. */
function inWords(draft: Draft, borrowed: boolean): string {
  const until = { gtc: "until cancelled", gtd: `until ${draft.until.replace("T", " ")} local time`, ioc: "at once or not at all, in part if need be", fok: "at once and whole, or not at all", post_only: "only if it rests in the book" }[draft.timeInForce];
  const what: Record<Draft["type"], string> = {
    limit: `at ${price(draft.price)} or better, ${until}`,
    market: "at the market, now",
    stop: `at the market once the price has fallen back to ${price(draft.trigger)}`,
    stop_limit: `at ${price(draft.price)} or better once ${price(draft.trigger)} is touched`,
    take_profit: `at the market once the price has reached ${price(draft.trigger)}`,
    take_profit_limit: `at ${price(draft.price)} or better once ${price(draft.trigger)} is reached`,
    trailing_stop: `at the market once the price turns by ${price(draft.trail)} % from its best`,
    oco: `at ${price(draft.price)} or better, or at the market once ${price(draft.trigger)} is touched: one ends the other`,
  };
  if (draft.type === "stop" && draft.side === "buy") what.stop = `at the market once the price has risen to ${price(draft.trigger)}`;
  const exits = [draft.stopLoss && `stop at ${price(draft.stopLoss)}`, draft.takeProfit && `take-profit at ${price(draft.takeProfit)}`].filter(Boolean).join(" and ");
  const margin = borrowed && !draft.reduceOnly && [draft.leverage && `at ${price(draft.leverage)} times its margin`, draft.marginMode].filter(Boolean).join(", ");
  return [what[draft.type], margin, draft.reduceOnly && "only to reduce the position", exits && !draft.reduceOnly && !isTriggered(draft.type) && `then guarded by a ${exits}`].filter(Boolean).join(", ");
}

function Costs({ guess, instrument, side }: { guess: Estimate; instrument: Instrument; side: Draft["side"] }) {
  const money = (value: string | null) => formatNumber(value, { precision: 2 });
  return (
    <dl className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5 border-t border-hairline pt-2 text-dense">
      <dt className="text-muted">Worth, {instrument.quote}</dt>
      <dd className="num text-right">{money(guess.notional)}</dd>
      <dt className="text-muted">
        Fee, {guess.liquidity} {formatPercent(guess.feeRate, { precision: 3 })} %
      </dt>
      <dd className="num text-right">{money(guess.fee)}</dd>
      <dt className="text-muted">{guess.borrowed ? "Margin and fee" : side === "buy" ? "Total to pay" : "You receive"}</dt>
      <dd className="num text-right font-medium">{money(guess.total)}</dd>
      <dt className="text-muted">Available, {guess.available?.asset ?? "—"}</dt>
      <dd className={`num text-right ${guess.available && !guess.available.enough ? "text-warning" : ""}`}>
        {guess.available && !guess.available.enough && <Shape name="triangle" className="mr-1" />}
        {formatNumber(guess.available?.amount, { precision: side === "buy" || guess.borrowed ? 2 : precisionOf(instrument.quantity_step) })}
      </dd>
      {guess.available && !guess.available.enough && <p className="col-span-2 text-warning">Not enough available: this would be refused.</p>}
      {guess.beyondBest && <p className="col-span-2 text-warning">More than the best price shows: part will fill at a worse one.</p>}
    </dl>
  );
}

/** The limit that is nearest to its end, so that a refusal does not come as a surprise. */
function NearestLimit({ limits }: { limits: readonly { name: string; ratio: string | number | null }[] }) {
  const nearest = [...limits].sort((a, b) => Number(b.ratio ?? 0) - Number(a.ratio ?? 0))[0];
  if (!nearest) return null;
  return (
    <p className="flex justify-between gap-3 text-dense text-muted">
      <span className="truncate">Nearest limit: {nearest.name.replaceAll("_", " ")}</span>
      <span className="num">{Math.round(Number(nearest.ratio ?? 0) * 100)} % used</span>
    </p>
  );
}
