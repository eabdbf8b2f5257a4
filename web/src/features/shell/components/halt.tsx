"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Dialog } from "radix-ui";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { ReleaseDialog } from "@/components/release";
import { HoldButton } from "@/components/ui/hold-button";
import { Shape } from "@/components/ui/shape";
import { Since } from "@/components/ui/time";
import { ApiError } from "@/lib/api/error";
import { haltsQuery, ordersQuery, overviewQuery, positionsQuery } from "@/lib/api/queries";
import { isOpen } from "@/lib/order-status";
import { parse, signOf } from "@/lib/decimal";
import { mayAs, useMay, useSession } from "@/lib/session";
import { useLink } from "@/stream/link";
import { halt, STOP_COMMAND } from "@/lib/api/trading";

type Outcome = { kind: "halted" } | { kind: "failed"; error: ApiError };

const DOUBLE_MS = 1_500;

/** Hold to stop all trading of the account. While halted, the state and the way back, which takes two people. */
export function Halt({ className = "" }: { className?: string }) {
  const account = useLink((state) => state.account);
  const tradingState = useLink((state) => state.tradingState);
  const role = useSession((session) => session.user?.role);
  const client = useQueryClient();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const [resuming, setResuming] = useState(false);
  const allowed = mayAs(role, "trader");
  const halted = tradingState === "halted";
  const halts = useQuery(haltsQuery).data;
  const inForce = halts?.find((each) => each.level === "global") ?? halts?.find((each) => each.level === "account" && each.key === account);

  async function act() {
    setBusy(true);
    try {
      const answer = await halt(account, "halt button held");
      useLink.setState({ tradingState: answer.trading_state });
      void client.invalidateQueries({ queryKey: ["overview", account] });
      setOutcome({ kind: "halted" });
    } catch (failure) {
      setOutcome({ kind: "failed", error: failure instanceof ApiError ? failure : new ApiError(0, "unexpected", "An unexpected answer came back.") });
    } finally {
      setBusy(false);
    }
  }

  const run = useRef(act);
  useEffect(() => {
    run.current = act;
  });
  useEffect(() => {
    let before = -Infinity;
    const listen = (event: KeyboardEvent) => {
      if (event.key !== "." || !(event.metaKey || event.ctrlKey) || event.repeat) return;
      event.preventDefault();
      if (event.timeStamp - before < DOUBLE_MS && allowed) void run.current();
      before = event.timeStamp;
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [allowed]);

  const description = allowed
    ? `Hold for 0.8 seconds to stop all new orders of ${account || "every account"}. Positions stay. Keys: Ctrl or ⌘ with . twice`
    : "Halting needs the trader role.";

  return (
    <>
      {halted ? (
        <HaltedMark onResume={() => setResuming(true)} className={className} />
      ) : (
        <HoldButton label={`, hold to stop trading on ${account || "every account"}`} holding="Keep holding" description={description} onHeld={() => void act()} disabled={!allowed || busy} className={`h-7 px-3 text-dense max-sm:h-11 ${className}`}>
          <Shape name="square" size={9} />
          {busy ? "Halting…" : "HALT"}
          <span aria-hidden className="font-normal text-muted max-xl:hidden">
            hold
          </span>
        </HoldButton>
      )}
      <OutcomeDialog outcome={outcome} account={account} onClose={() => setOutcome(null)} onRetry={() => void act()} />
      <ReleaseDialog halt={resuming ? (inForce ?? { level: "account", key: account, release_asked_by: null }) : null} onClose={() => setResuming(false)} />
    </>
  );
}

function HaltedMark({ onResume, className }: { onResume: () => void; className: string }) {
  const account = useLink((state) => state.account);
  const overview = useQuery(overviewQuery(account)).data;
  const trader = useMay("trader");
  return (
    <span className={`inline-flex h-7 shrink-0 items-center gap-2 rounded-control bg-critical px-2.5 font-semibold text-ink max-sm:h-11 ${className}`} title={overview?.halted_reason ?? undefined} role="status">
      <Shape name="square" size={9} />
      HALTED
      {overview?.halted_since && (
        <span className="font-normal max-2xl:hidden">
          <Since iso={overview.halted_since} />
        </span>
      )}
      {trader && (
        <button type="button" onClick={onResume} className="rounded-[3px] border border-ink px-1.5 text-dense font-medium max-sm:min-h-9">
          Resume…
        </button>
      )}
    </span>
  );
}

function OutcomeDialog({ outcome, account, onClose, onRetry }: { outcome: Outcome | null; account: string; onClose: () => void; onRetry: () => void }) {
  const orders = useQuery(ordersQuery(account)).data ?? [];
  const positions = useQuery(positionsQuery(account)).data ?? [];
  const working = orders.filter(isOpen).length;
  const held = positions.filter((position) => {
    const quantity = parse(position.quantity);
    return quantity !== null && signOf(quantity) !== 0;
  }).length;
  return (
    <Dialog.Root open={outcome !== null} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fade-in fixed inset-0 z-50 bg-bg/70" />
        <Dialog.Content className="fade-in fixed top-1/2 left-1/2 z-50 flex w-[min(440px,calc(100vw-24px))] -translate-x-1/2 -translate-y-1/2 flex-col gap-3 rounded-dialog border border-hairline bg-s2 p-4 shadow-popover">
          <Dialog.Title className="flex items-center gap-2 text-title font-semibold">
            <Shape name={outcome?.kind === "failed" ? "triangle" : "square"} className="text-critical" size={12} />
            {outcome?.kind === "failed" ? "The halt did not go through" : `${account || "Every account"} is halted`}
          </Dialog.Title>
          <Dialog.Description asChild>
            {outcome?.kind === "failed" ? (
              <div className="flex flex-col gap-2 text-muted">
                <p>{outcome.error.message} Trading may still be going on. On the machine itself, this stops it:</p>
                <code className="mono block rounded-control border border-edge bg-bg px-3 py-2 text-body text-text select-all">{STOP_COMMAND}</code>
                <p>The broker gateway watches for it by itself: nothing more is sent and working orders are cancelled. Positions stay.</p>
                {outcome.error.traceId && <p className="mono text-dense text-faint">trace {outcome.error.traceId}</p>}
              </div>
            ) : (
              <div className="flex flex-col gap-2 text-muted">
                <p>No new order is sent, by strategies or by hand.</p>
                <p>{working === 0 ? "No order is working at the venue." : `${working} order${working === 1 ? " is" : "s are"} still working. ${working === 1 ? "Its cancellation is" : "Their cancellations are"} asked; each leaves the list when the venue confirms.`}</p>
                <p className="font-medium text-text">Not done by this:</p>
                <ul className="list-disc pl-5">
                  <li>{held === 0 ? "No position is open." : `${held} open position${held === 1 ? " stays" : "s stay"} open and keep moving with the market.`}</li>
                </ul>
              </div>
            )}
          </Dialog.Description>
          <div className="mt-1 flex justify-between gap-3">
            <Dialog.Close asChild>
              <Button>Close</Button>
            </Dialog.Close>
            {outcome?.kind === "failed" && (
              <Button look="danger_solid" onClick={onRetry}>
                Try the halt again
              </Button>
            )}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
