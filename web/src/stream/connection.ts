/**
 * One socket to the gateway, kept up for as long as the page lives.
 * Invariant: data is passed on only in unbroken sequence; a hole, a silence or a bad greeting ends this connection and starts
 * a new one, which begins with a full snapshot.
 */
import { ApiError } from "@/lib/api/error";
import { type Envelope, readEnvelope } from "./messages";

export interface SocketLike {
  send(text: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
}

export interface Ports {
  ticket: () => Promise<string>;
  open: (ticket: string) => SocketLike;
  now: () => number;
  random: () => number;
  after: (ms: number, run: () => void) => () => void;
}

export interface Handlers {
  onMessage: (message: Envelope) => void;
  onLive: () => void;
  onLost: (attempts: number, lastMessageAt: number | null) => void;
  onDropped: () => void;
  onGap: (expected: number, got: number) => void;
  /** The session is over; nothing is tried again until `start`. */
  onUnauthorised: () => void;
}

/** The server beats every second; silence of this length means the connection is dead, whatever TCP believes. */
export const SILENCE_MS = 4_000;
const GREETING_MS = 8_000;
const BACKOFF_BASE_MS = 400;
const BACKOFF_CAP_MS = 15_000;
/** A connection must have lasted this long before the back-off starts from the beginning. */
const PROVEN_MS = 10_000;

/** Delay before attempt n (from 1): doubling, capped, with jitter so that pages do not come back all at once. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(ceiling / 2 + (random * ceiling) / 2);
}

export class Connection {
  private socket: SocketLike | null = null;
  private generation = 0;
  private expected = 1;
  private attempts = 0;
  private greeted = false;
  private liveSince = 0;
  private lastMessageAt: number | null = null;
  private cancelTimer: () => void = () => undefined;
  private running = false;
  private wanted: string | null = null;

  constructor(
    private readonly ports: Ports,
    private readonly handlers: Handlers,
  ) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.connect();
  }

  stop(): void {
    this.running = false;
    this.drop();
  }

  /** The machine woke or the network came back: do not sit out the delay. */
  retryNow(): void {
    if (!this.running || this.socket) return;
    this.cancelTimer();
    void this.connect();
  }

  /** Trades and bars wanted; sent again after every reconnection. */
  subscribe(symbols: readonly string[], timeframe: string): void {
    this.wanted = JSON.stringify({ op: "subscribe", symbols, timeframe });
    if (this.greeted) this.socket?.send(this.wanted);
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    const current = () => this.running && generation === this.generation;
    try {
      const ticket = await this.ports.ticket();
      if (!current()) return;
      const socket = this.ports.open(ticket);
      this.socket = socket;
      this.expected = 1;
      this.greeted = false;
      socket.onmessage = (event) => current() && this.receive(event.data);
      socket.onclose = (event) => {
        if (!current()) return;
        if (event.code === 4401) return this.unauthorised();
        this.lost();
      };
      socket.onerror = () => undefined;
      this.watch(GREETING_MS);
    } catch (error) {
      if (!current()) return;
      if (error instanceof ApiError && error.status === 401) return this.unauthorised();
      this.lost();
    }
  }

  private receive(raw: unknown): void {
    this.lastMessageAt = this.ports.now();
    this.watch(this.greeted ? SILENCE_MS : GREETING_MS);
    const message = readEnvelope(raw);
    if (!message) {
      // Unreadable, so its number is unknown too; taking it for the next one keeps a single bad message from ending the connection.
      this.expected += 1;
      this.handlers.onDropped();
      return;
    }
    if (message.seq !== this.expected) {
      this.handlers.onGap(this.expected, message.seq);
      this.lost();
      return;
    }
    this.expected += 1;
    if (!this.greeted) {
      if (message.kind !== "hello") return this.lost();
      this.greeted = true;
      this.liveSince = this.ports.now();
      if (this.wanted) this.socket?.send(this.wanted);
      this.handlers.onMessage(message);
      return;
    }
    this.handlers.onMessage(message);
    // Live only once the snapshot has replaced whatever was on screen before.
    if (message.kind === "snapshot") this.handlers.onLive();
  }

  private watch(ms: number): void {
    this.cancelTimer();
    this.cancelTimer = this.ports.after(ms, () => this.lost());
  }

  private drop(): void {
    this.cancelTimer();
    this.generation += 1;
    const socket = this.socket;
    this.socket = null;
    this.greeted = false;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  private lost(): void {
    const proven = this.greeted && this.ports.now() - this.liveSince >= PROVEN_MS;
    this.drop();
    this.attempts = proven ? 1 : this.attempts + 1;
    this.handlers.onLost(this.attempts, this.lastMessageAt);
    this.cancelTimer = this.ports.after(backoff(this.attempts, this.ports.random()), () => void this.connect());
  }

  private unauthorised(): void {
    this.running = false;
    this.drop();
    this.handlers.onUnauthorised();
  }
}
