"use client";
/** Ties the connection to the page: starts with the session, feeds the stores, re-reads over REST after each reconnection. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import { post } from "@/lib/api/client";
import { Connection, type SocketLike } from "./connection";
import { createDispatch } from "./dispatch";
import { arrivals, INITIAL_LINK, useLink } from "./link";
import { quotes } from "./quotes";

const Context = createContext<Connection | null>(null);

/** What the snapshot does not carry whole, and so must be read again after a gap. */
const REREAD = ["orders", "fills", "signals", "alerts", "candles", "overview", "order"];

function openSocket(ticket: string): SocketLike {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}/api/stream?ticket=${encodeURIComponent(ticket)}`) as unknown as SocketLike;
}

function createConnection(client: QueryClient, onUnauthorised: () => void): Connection {
  const dispatch = createDispatch({ client, quotes, arrivals });
  let hadSnapshot = false;
  return new Connection(
    {
      ticket: async () => (await post<{ ticket: string }>("/api/stream/ticket")).ticket,
      open: openSocket,
      now: Date.now,
      random: Math.random,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    },
    {
      onMessage: dispatch,
      onLive: () => {
        useLink.setState({ link: "live", attempts: 0, frozenAt: null });
        if (hadSnapshot) for (const name of REREAD) void client.invalidateQueries({ queryKey: [name] });
        hadSnapshot = true;
      },
      onLost: (attempts, lastMessageAt) => useLink.setState((state) => ({ link: "lost", attempts, frozenAt: state.frozenAt ?? lastMessageAt })),
      onDropped: () => useLink.setState((state) => ({ dropped: state.dropped + 1 })),
      onGap: () => useLink.setState((state) => ({ gaps: state.gaps + 1 })),
      onUnauthorised,
    },
  );
}

export function StreamProvider({ children, onUnauthorised }: { children: ReactNode; onUnauthorised: () => void }) {
  const client = useQueryClient();
  const connection = useMemo(() => createConnection(client, onUnauthorised), [client, onUnauthorised]);

  useEffect(() => {
    connection.start();
    const retry = () => document.visibilityState === "visible" && connection.retryNow();
    window.addEventListener("online", retry);
    document.addEventListener("visibilitychange", retry);
    return () => {
      window.removeEventListener("online", retry);
      document.removeEventListener("visibilitychange", retry);
      connection.stop();
      quotes.clear();
      arrivals.reset();
      useLink.setState(INITIAL_LINK);
    };
  }, [connection]);

  useEffect(() => {
    const show = (link: string) => {
      document.documentElement.dataset.link = link;
    };
    show(useLink.getState().link);
    return useLink.subscribe((state) => show(state.link));
  }, []);

  return <Context.Provider value={connection}>{children}</Context.Provider>;
}

/** Asks for trades and bars of these symbols for as long as the caller is on screen. */
export function useSubscription(symbols: readonly string[], timeframe: string): void {
  const connection = useContext(Context);
  const wanted = symbols.join(",");
  useEffect(() => {
    if (wanted) connection?.subscribe(wanted.split(","), timeframe);
  }, [connection, wanted, timeframe]);
}
