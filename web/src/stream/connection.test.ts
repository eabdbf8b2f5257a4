import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/lib/api/error";
import { backoff, Connection, type Handlers, SILENCE_MS, type SocketLike } from "./connection";

class FakeSocket implements SocketLike {
  sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  send(text: string) {
    this.sent.push(text);
  }
  close() {
    this.closed = true;
  }
  say(seq: number, kind: string, data: object = {}) {
    this.onmessage?.({ data: JSON.stringify({ seq, kind, data }) });
  }
}

function setUp(ticket: () => Promise<string> = () => Promise.resolve("t")) {
  const sockets: FakeSocket[] = [];
  const handlers = { onMessage: vi.fn(), onLive: vi.fn(), onLost: vi.fn(), onDropped: vi.fn(), onGap: vi.fn(), onUnauthorised: vi.fn() } satisfies Handlers;
  const connection = new Connection(
    {
      ticket,
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      now: Date.now,
      random: () => 0.5,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    },
    handlers,
  );
  return { connection, sockets, handlers };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

async function live() {
  const made = setUp();
  made.connection.start();
  await settle();
  made.sockets[0]?.say(1, "hello");
  made.sockets[0]?.say(2, "snapshot");
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("connection", () => {
  it("is live only after hello and snapshot", async () => {
    const { connection, sockets, handlers } = setUp();
    connection.start();
    await settle();
    sockets[0]?.say(1, "hello");
    expect(handlers.onLive).not.toHaveBeenCalled();
    sockets[0]?.say(2, "snapshot");
    expect(handlers.onLive).toHaveBeenCalledOnce();
  });

  it("reconnects on a hole in the sequence and passes nothing of what came after it", async () => {
    const { sockets, handlers } = await live();
    handlers.onMessage.mockClear();
    sockets[0]?.say(4, "quote");
    expect(handlers.onGap).toHaveBeenCalledWith(3, 4);
    expect(handlers.onMessage).not.toHaveBeenCalled();
    expect(sockets[0]?.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sockets).toHaveLength(2);
  });

  it("drops and counts an unreadable message, and goes on", async () => {
    const { sockets, handlers } = await live();
    sockets[0]?.onmessage?.({ data: "{ not json" });
    sockets[0]?.onmessage?.({ data: new ArrayBuffer(3) });
    sockets[0]?.say(5, "quote", { a: 1 });
    expect(handlers.onDropped).toHaveBeenCalledTimes(2);
    expect(handlers.onMessage).toHaveBeenLastCalledWith({ seq: 5, kind: "quote", data: { a: 1 } });
    expect(handlers.onLost).not.toHaveBeenCalled();
  });

  it("gives up a silent connection", async () => {
    const { sockets, handlers } = await live();
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
    expect(handlers.onLost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(handlers.onLost).toHaveBeenCalledWith(1, expect.any(Number));
    expect(sockets[0]?.closed).toBe(true);
  });

  it("counts attempts while the server is away, starts afresh after a proven connection", async () => {
    const { sockets, handlers } = await live();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      sockets.at(-1)?.onclose?.({ code: 1006 });
      expect(handlers.onLost).toHaveBeenLastCalledWith(attempt, expect.any(Number));
      await vi.advanceTimersByTimeAsync(20_000 / 4);
    }
    sockets.at(-1)?.say(1, "hello");
    for (let second = 0; second < 11; second += 1) {
      sockets.at(-1)?.say(2 + second, "heartbeat");
      await vi.advanceTimersByTimeAsync(1_000);
    }
    sockets.at(-1)?.onclose?.({ code: 1006 });
    expect(handlers.onLost).toHaveBeenLastCalledWith(1, expect.any(Number));
  });

  it("refuses a stream that does not greet", async () => {
    const { connection, sockets, handlers } = setUp();
    connection.start();
    await settle();
    sockets[0]?.say(1, "quote");
    expect(handlers.onMessage).not.toHaveBeenCalled();
    expect(handlers.onLost).toHaveBeenCalledOnce();
  });

  it("asks for its subscription again on every connection", async () => {
    const { connection, sockets } = await live();
    connection.subscribe(["BTC-USDT"], "1m");
    expect(sockets[0]?.sent).toHaveLength(1);
    sockets[0]?.onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1_000);
    sockets[1]?.say(1, "hello");
    expect(sockets[1]?.sent).toEqual(['{"op":"subscribe","symbols":["BTC-USDT"],"timeframe":"1m"}']);
  });

  it("stops and says so when the session is over", async () => {
    const { connection, sockets, handlers } = setUp(() => Promise.reject(new ApiError(401, "unauthenticated", "no")));
    connection.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(handlers.onUnauthorised).toHaveBeenCalledOnce();
    expect(sockets).toHaveLength(0);
  });

  it("leaves nothing running after stop, through a thousand reconnections", async () => {
    const { connection, sockets, handlers } = await live();
    for (let turn = 0; turn < 1_000; turn += 1) {
      sockets.at(-1)?.onclose?.({ code: 1006 });
      connection.retryNow();
      await settle();
    }
    connection.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(sockets.filter((socket) => socket.onmessage !== null)).toHaveLength(0);
    expect(handlers.onLost).toHaveBeenCalledTimes(1_000);
  });
});

describe("back-off", () => {
  it("doubles, is capped, and keeps its jitter within half", () => {
    expect(backoff(1, 0)).toBe(200);
    expect(backoff(1, 1)).toBe(400);
    expect(backoff(3, 1)).toBe(1_600);
    expect(backoff(50, 1)).toBe(15_000);
    expect(backoff(50, 0)).toBe(7_500);
  });
});
