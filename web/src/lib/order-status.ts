/** What each state of an order means: its word, its shape, and whether it can still change. */
import type { Order, OrderStatus, OrderType } from "@/lib/api/types";

export type ShapeName = "ring" | "half" | "dot" | "cross" | "square" | "triangle" | "hatch";
export type Tone = "muted" | "text" | "warning" | "critical";

export interface StatusMeaning {
  word: string;
  shape: ShapeName;
  tone: Tone;
  /** Nothing will change any more. */
  final: boolean;
  /** Not confirmed by the venue: drawn hatched, counted in no total. */
  unconfirmed: boolean;
  explain: string;
}

const meaning = (word: string, shape: ShapeName, tone: Tone, flags: string, explain: string): StatusMeaning => ({
  word,
  shape,
  tone,
  final: flags.includes("final"),
  unconfirmed: flags.includes("unconfirmed"),
  explain,
});

const MEANINGS: Readonly<Record<OrderStatus | "sending", StatusMeaning>> = {
  sending: meaning("sending", "hatch", "muted", "unconfirmed", "On its way to the gateway; nothing is confirmed yet."),
  proposed: meaning("proposed", "ring", "muted", "unconfirmed", "Waiting for the risk checks."),
  needs_approval: meaning("needs approval", "triangle", "warning", "unconfirmed", "A person must approve it before it is sent."),
  refused: meaning("refused", "square", "critical", "final", "A risk check refused it. It was never sent to the venue."),
  approved: meaning("approved", "ring", "muted", "unconfirmed", "Passed the risk checks, about to be sent."),
  submitting: meaning("sent", "ring", "muted", "unconfirmed", "Sent to the venue, no answer yet."),
  open: meaning("open", "ring", "text", "", "Working at the venue."),
  partially_filled: meaning("partial", "half", "text", "", "Partly filled, the rest is working."),
  filled: meaning("filled", "dot", "text", "final", "Filled completely."),
  cancelled: meaning("cancelled", "cross", "muted", "final", "Cancelled; what was filled before stays filled."),
  rejected: meaning("rejected", "square", "critical", "final", "The venue refused it."),
  outcome_unknown: meaning("outcome unknown", "hatch", "warning", "unconfirmed", "Exposure is reserved, the venue is being asked, nothing is sent again."),
  lost: meaning("lost", "triangle", "warning", "final", "The venue does not know it. Look at the venue before doing anything else."),
};

const STRANGE = meaning("unknown state", "triangle", "warning", "unconfirmed", "This page does not know the state the server reported.");

export const meaningOf = (status: string): StatusMeaning =>
  Object.hasOwn(MEANINGS, status) ? MEANINGS[status as OrderStatus] : STRANGE;

export const isOpen = (order: Pick<Order, "status">): boolean => !meaningOf(order.status).final;

/** Whose idea it was: the strategy, the person, or the kind of source. */
export const sourceOf = (order: Pick<Order, "source" | "strategy" | "user">): string => order.strategy ?? (order.source === "trader" ? (order.user ?? "by hand") : order.source);

/** Only an order that the venue could still fill can be cancelled; an unknown outcome must be resolved first. */
export const canCancel = (order: Pick<Order, "status">): boolean => isOpen(order) && order.status !== "outcome_unknown";

/** An order's type as people say it. */
export const typeWord = (type: OrderType): string => (type === "oco" ? "OCO" : type.replaceAll("_", " "));
