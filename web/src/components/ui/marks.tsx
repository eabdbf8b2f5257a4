/** Small marks that always pair a word with a shape: mode, side, order state, strategy state, protection, limits. */
import type { Guard, Limit, Mode, Side, Strategy } from "@/lib/api/types";
import { parse, signOf } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";
import { meaningOf, type Tone } from "@/lib/order-status";
import { Shape, type ShapeName } from "./shape";

/** Dashed for paper, solid for live; no word from the server counts as live. */
export function ModeBadge({ mode }: { mode: Mode | null }) {
  const look = mode === "paper" ? "border-2 border-dashed border-paper text-paper" : "border-2 border-live bg-live text-ink";
  const word = mode === "paper" ? "PAPER" : mode === "live" ? "LIVE" : "MODE UNKNOWN";
  const title = mode === "paper" ? "Paper account: no real money" : mode === "live" ? "Real money" : "The server has not said which mode this is: treated as live, and locked";
  return (
    <span title={title} className={`inline-flex h-6 shrink-0 items-center rounded-full px-2.5 max-sm:px-2 text-dense font-semibold tracking-wide whitespace-nowrap ${look}`}>
      {word}
    </span>
  );
}

const TONES: Readonly<Record<Tone, string>> = { muted: "text-muted", text: "text-text", warning: "text-warning", critical: "text-critical" };

export function OrderState({ status, note }: { status: string; note?: string }) {
  const meaning = meaningOf(status);
  const hatch = status === "outcome_unknown" ? "hatched-warning" : meaning.unconfirmed ? "hatched" : "";
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-control px-1 whitespace-nowrap ${TONES[meaning.tone]} ${hatch}`} title={meaning.explain}>
      <Shape name={meaning.shape} />
      {note ?? meaning.word}
    </span>
  );
}

export function SideMark({ side }: { side: Side }) {
  return (
    <span className={`inline-flex items-center gap-1 whitespace-nowrap ${side === "buy" ? "text-up" : "text-down"}`}>
      <Shape name={side === "buy" ? "up" : "down"} size={8} />
      {side === "buy" ? "Buy" : "Sell"}
    </span>
  );
}

export interface StrategyLook {
  word: string;
  shape: ShapeName;
  tone: Tone;
}

/** Running, entries paused, stopped and stopped-with-a-position are four different things. */
export function strategyLook(strategy: Pick<Strategy, "status" | "position_quantity">): StrategyLook {
  const quantity = parse(strategy.position_quantity);
  const holds = quantity !== null && signOf(quantity) !== 0;
  if (strategy.status === "running") return { word: "running", shape: "dot", tone: "text" };
  if (strategy.status === "paused") return { word: "entries paused", shape: "half", tone: "muted" };
  if (strategy.status === "failed") return { word: holds ? "failed, holds a position" : "failed", shape: "triangle", tone: "critical" };
  return holds ? { word: "stopped, holds a position", shape: "triangle", tone: "warning" } : { word: "stopped", shape: "square", tone: "muted" };
}

export function StrategyState({ strategy }: { strategy: Pick<Strategy, "status" | "position_quantity" | "status_detail"> }) {
  const look = strategyLook(strategy);
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${TONES[look.tone]}`} title={strategy.status_detail ?? undefined}>
      <Shape name={look.shape} />
      {look.word}
    </span>
  );
}

interface GuardLook {
  word: string;
  shape: ShapeName;
  tone: string;
  explain: string;
}

const GUARDS: Readonly<Record<Guard["state"], GuardLook>> = {
  protected: { word: "stop at venue", shape: "check", tone: "text-muted", explain: "A stop order rests at the venue: it holds even if this platform stops." },
  partial: { word: "partly guarded", shape: "half", tone: "text-warning", explain: "The stop does not cover the whole position yet; the rest is being placed." },
  naked: { word: "no stop", shape: "triangle", tone: "text-critical", explain: "Nothing guards this position; a stop is being placed, or it will be closed." },
  dust: { word: "dust", shape: "ring", tone: "text-faint", explain: "Less than the venue would take in an order: it can be neither guarded nor sold." },
  not_required: { word: "none required", shape: "ring", tone: "text-muted", explain: "The account's policy asks for no stop." },
  flat: { word: "flat", shape: "ring", tone: "text-faint", explain: "There is no position." },
};
const WATCHED: GuardLook = { word: "watched", shape: "half", tone: "text-muted", explain: "This platform watches the stop; it does not hold while the platform is down." };
const UNKNOWN_GUARD: GuardLook = { word: "no stop", shape: "triangle", tone: "text-warning", explain: "No stop guards this position: the account's policy asks for none. Nothing limits its loss but the account's risk limits." };

/** How a position is guarded, as a word, a shape and (for whoever can look at it) the prices. */
export const guardLook = (guard: Guard | null): GuardLook => (guard === null ? UNKNOWN_GUARD : guard.state === "protected" && guard.held_by === "gateway" ? WATCHED : GUARDS[guard.state]);

export function Protection({ guard }: { guard: Guard | null }) {
  const look = guardLook(guard);
  const prices = [guard?.stop_price && `stop ${formatNumber(guard.stop_price)}`, guard?.take_profit_price && `take-profit ${formatNumber(guard.take_profit_price)}`, guard?.trailing_ratio && `trailing ${formatNumber(scaled(guard.trailing_ratio))} %`].filter(Boolean);
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${look.tone}`} title={[look.explain, prices.join(", "), guard?.detail].filter(Boolean).join("\n")}>
      <Shape name={look.shape} />
      {look.word}
    </span>
  );
}

/** How near a limit is: bar, percent, and used of allowed. */
export function LimitBar({ limit }: { limit: Limit }) {
  const ratio = Math.max(0, Number(limit.ratio ?? Number.NaN));
  const known = Number.isFinite(ratio);
  const tone = !known ? "text-faint" : ratio >= 1 ? "text-critical" : ratio >= 0.8 ? "text-warning" : "text-muted";
  const name = limit.name.replaceAll("_", " ");
  const precision = limit.unit && /^[A-Z]{3,5}$/.test(limit.unit) ? 0 : undefined;
  const percent = limit.unit === "ratio";
  const show = (value: string) => (percent ? `${formatNumber(scaled(value), { precision: 1 })} %` : formatNumber(value, { precision }));
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_auto_5ch] items-baseline gap-x-3 gap-y-1">
      <span className="truncate text-muted first-letter:uppercase" title={limit.name}>
        {name}
      </span>
      <span className="num text-dense text-faint">
        {show(limit.used)} of {show(limit.limit)} {percent ? "" : limit.unit}
      </span>
      <span className={`num justify-self-end ${tone}`}>
        {known && ratio >= 0.8 && <Shape name={ratio >= 1 ? "square" : "triangle"} className="mr-1" />}
        {known ? `${Math.round(ratio * 100)} %` : "—"}
      </span>
      <div className="col-span-3 h-1 overflow-hidden rounded-full bg-s3" role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={known ? Math.min(100, Math.round(ratio * 100)) : 0}>
        <div className={`h-full ${ratio >= 1 ? "bg-critical" : ratio >= 0.8 ? "bg-warning" : "bg-muted"}`} style={{ width: known ? `${Math.min(100, ratio * 100)}%` : 0 }} />
      </div>
    </div>
  );
}

function scaled(text: string): string {
  const value = parse(text);
  return value ? `${value.digits * 100n}e-${value.scale}` : text;
}
