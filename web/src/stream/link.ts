/**
 * What the page knows about its connection: is it there, whose money is it, may it trade.
 * Invariant: `mode` is the word of the last message; anything unreadable makes it null, which the page treats as live and locked.
 */
import { create } from "zustand";
import type { Mode, TradingState } from "@/lib/api/types";
import type { Link } from "@/lib/look";

export interface LinkState {
  link: Link;
  /** Failed attempts since the connection was lost. */
  attempts: number;
  /** Wall clock of the last message before the loss. */
  frozenAt: number | null;
  mode: Mode | null;
  replay: boolean;
  account: string;
  version: string | null;
  tradingState: TradingState | null;
  /** Messages that could not be read and were left out. */
  dropped: number;
  /** Holes in the sequence, each answered by a new connection. */
  gaps: number;
}

export const INITIAL_LINK: LinkState = {
  link: "connecting",
  attempts: 0,
  frozenAt: null,
  mode: null,
  replay: false,
  account: "",
  version: null,
  tradingState: null,
  dropped: 0,
  gaps: 0,
};

export const useLink = create<LinkState>(() => INITIAL_LINK);

/**
 * Arrival times, outside React: they change with every message and are read once a second.
 * The server's clock is taken from its least delayed heartbeat, so that ages do not depend on this machine's clock.
 */
export class Arrivals {
  private last = new Map<string, number>();
  private offset: number | null = null;

  constructor(private readonly now: () => number = Date.now) {}

  mark(kind: string): void {
    this.last.set(kind, this.now());
  }

  ageOf(kind: string): number | null {
    const at = this.last.get(kind);
    return at === undefined ? null : this.now() - at;
  }

  lastAt(kind: string): number | null {
    return this.last.get(kind) ?? null;
  }

  serverTime(ms: number): void {
    const offset = ms - this.now();
    this.offset = this.offset === null ? offset : Math.max(offset, this.offset - 5);
  }

  serverNow(): number {
    return this.now() + (this.offset ?? 0);
  }

  reset(): void {
    this.last.clear();
    this.offset = null;
  }
}

export const arrivals = new Arrivals();
