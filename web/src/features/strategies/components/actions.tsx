"use client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Shape } from "@/components/ui/shape";
import { tell, tellError } from "@/components/ui/toasts";
import { ordersQuery } from "@/lib/api/queries";
import type { Strategy } from "@/lib/api/types";
import { parse, signOf } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";
import { isOpen } from "@/lib/order-status";
import { useMay } from "@/lib/session";
import { useLink } from "@/stream/link";
import { useTradeLock } from "@/stream/lock";
import { type StrategyAct, useStrategyAct } from "../api";

/** Start, pause entries, stop: each where it makes sense, each saying what it leaves behind. */
export function StrategyActions({ strategy, size = "small" }: { strategy: Strategy; size?: "small" | "medium" }) {
  const act = useStrategyAct();
  const [asking, setAsking] = useState<"start" | "stop" | null>(null);
  const may = useMay("trader");
  const lock = useTradeLock();
  const mode = useLink((state) => state.mode);
  const modeWord = mode === "paper" ? "on paper" : "live";
  const running = strategy.status === "running";
  const idle = strategy.status === "stopped" || strategy.status === "failed";
  const run = (name: StrategyAct) => act.mutateAsync({ strategy: strategy.strategy, act: name });

  async function pause() {
    try {
      await run("pause");
      tell(`strategy ${strategy.strategy}`, `${strategy.name}: entries paused`, "Exits go on. Its position stays.", {
        label: "Undo",
        onClick: () => void run("start").catch((error: unknown) => tellError(`strategy ${strategy.strategy}`, "Not resumed", error)),
      });
    } catch (error) {
      tellError(`strategy ${strategy.strategy}`, `${strategy.name}: not paused`, error);
    }
  }

  const noStop = may ? undefined : "Your role reads only";
  return (
    <span className="inline-flex gap-1" onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()}>
      {!running && (
        <Button size={size} look="outline" disabled={lock !== null || act.isPending} title={lock ?? undefined} onClick={() => setAsking("start")}>
          <Shape name="play" size={8} /> {strategy.status === "paused" ? "Resume…" : "Start…"}
        </Button>
      )}
      {running && (
        <Button size={size} look="outline" disabled={!may || act.isPending} title={noStop ?? "No new entries; exits go on"} onClick={() => void pause()}>
          <Shape name="pause" size={8} /> Pause
        </Button>
      )}
      {!idle && (
        <Button size={size} look="outline" disabled={!may || act.isPending} title={noStop} onClick={() => setAsking("stop")}>
          <Shape name="square" size={8} /> Stop…
        </Button>
      )}
      <Confirm open={asking === "start"} onClose={() => setAsking(null)} look="strong" title={`Start ${strategy.name}?`} action={`Start ${strategy.strategy} ${modeWord}`} run={() => run("start")}>
        <p>
          It trades {strategy.symbol} at {strategy.venue} on {strategy.timeframe} candles, for {strategy.account}, and may send its first order with the next candle. Every order passes the risk checks.
        </p>
        {mode !== "paper" && <p className="font-medium text-live">This is real money.</p>}
      </Confirm>
      <Confirm open={asking === "stop"} onClose={() => setAsking(null)} title={`Stop ${strategy.name}?`} action={`Stop ${strategy.strategy} ${modeWord}`} run={() => run("stop")}>
        <StopConsequence strategy={strategy} />
      </Confirm>
    </span>
  );
}

/** What stopping leaves: computed from the position and the orders at this moment. */
function StopConsequence({ strategy }: { strategy: Strategy }) {
  const account = useLink((state) => state.account);
  const working = (useQuery(ordersQuery(account)).data ?? []).filter((order) => order.strategy === strategy.strategy && isOpen(order)).length;
  const quantity = parse(strategy.position_quantity);
  const base = strategy.symbol.split("-")[0];
  return (
    <>
      <p>It sends no more orders, neither entries nor exits.</p>
      {quantity && signOf(quantity) !== 0 ? (
        <p className="font-medium text-text">
          Its position of <span className="num">{formatNumber(strategy.position_quantity)}</span> {base} stays open and nothing watches it any more. To keep its exits working, pause it instead.
        </p>
      ) : (
        <p>It holds no position.</p>
      )}
      <p>{working === 0 ? "None of its orders is working." : `${working} of its orders ${working === 1 ? "is" : "are"} still working and will not be cancelled by this.`}</p>
    </>
  );
}
