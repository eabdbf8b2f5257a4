"use client";
import { Panel } from "@/components/ui/panel";
import { ZoneLabel } from "@/components/ui/time";
import { SignalTable } from "@/features/strategies/components/signal-table";
import { StrategyDrawer } from "@/features/strategies/components/strategy-drawer";
import { StrategyTable } from "@/features/strategies/components/strategy-table";
import { useUrlState } from "@/lib/url-state";
import { useAccountLook } from "@/stream/fresh";

export default function StrategiesPage() {
  const [opened, setOpened] = useUrlState("strategy");
  const look = useAccountLook();
  return (
    <div className="flex h-full flex-col gap-2">
      <h1 className="sr-only">Strategies</h1>
      <Panel title="Strategies" note={<>times are the venue&apos;s · <ZoneLabel /></>} look={look} className="max-h-[60%] shrink-0" bodyClass="overflow-x-auto">
        <StrategyTable onOpen={(strategy) => setOpened(strategy.strategy)} />
      </Panel>
      <Panel title="Signals" note={<>newest first · <ZoneLabel /></>} className="min-h-72 flex-1" bodyClass="">
        <SignalTable />
      </Panel>
      <StrategyDrawer strategyId={opened} onClose={() => setOpened(null)} />
    </div>
  );
}
