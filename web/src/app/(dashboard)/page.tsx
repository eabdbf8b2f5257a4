"use client";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { Panel } from "@/components/ui/panel";
import { Balances } from "@/features/account/components/balances";
import { DayPanel, RiskPanel } from "@/features/account/components/day-panel";
import { EquityPanel } from "@/features/account/components/equity-panel";
import { Positions, useOpenPositions } from "@/features/account/components/positions";
import { HealthPanel } from "@/features/overview/components/health-panel";
import { NeedsStrip } from "@/features/overview/components/needs-strip";
import { TimelinePanel } from "@/features/overview/components/timeline-panel";
import { StrategyTable } from "@/features/strategies/components/strategy-table";
import { accountsQuery, strategiesQuery } from "@/lib/api/queries";
import { useAccountLook } from "@/stream/fresh";
import { useLink } from "@/stream/link";

export default function DashboardPage() {
  const router = useRouter();
  const account = useLink((state) => state.account);
  const currency = useQuery(accountsQuery).data?.find((each) => each.account === account)?.quote_currency;
  const look = useAccountLook();
  const positions = useOpenPositions().data?.length;
  const strategies = useQuery(strategiesQuery).data?.length;
  return (
    <div className="flex min-h-full flex-col gap-2">
      <h1 className="sr-only">Dashboard</h1>
      <NeedsStrip />
      <div className="grid grid-cols-1 gap-2 lg:grid-cols-[minmax(0,1fr)_340px]">
        <EquityPanel currency={currency} className="h-[340px] max-sm:h-[340px] lg:h-[388px]" />
        <div className="flex flex-col gap-2 lg:h-[388px]">
          <DayPanel currency={currency} className="shrink-0" />
          <RiskPanel className="lg:flex-1" />
        </div>
      </div>
      <div className="grid flex-1 grid-cols-1 gap-2 xl:grid-cols-[minmax(0,1fr)_528px]">
        <div className="flex min-w-0 flex-col gap-2">
          <Panel title="Open positions" note={positions === undefined ? undefined : `${positions} · ${currency ?? ""}`} look={look} bodyClass="overflow-x-auto" className="min-h-32 shrink-0">
            <Positions onOpen={(position) => router.push(`/terminal/?symbol=${position.symbol}`)} />
          </Panel>
          <TimelinePanel onOrder={(orderId) => router.push(`/orders/?order=${orderId}`)} className="h-80 xl:h-auto xl:min-h-64 xl:flex-[1_1_0]" />
        </div>
        <div className="flex min-w-0 flex-col gap-2">
          <Panel title="Strategies" note={strategies} look={look} bodyClass="overflow-x-auto" className="min-h-32 shrink-0">
            <StrategyTable brief onOpen={(strategy) => router.push(`/strategies/?strategy=${strategy.strategy}`)} />
          </Panel>
          <Panel title="Balances" look={look} bodyClass="overflow-x-auto" className="shrink-0">
            <Balances />
          </Panel>
          <HealthPanel />
        </div>
      </div>
    </div>
  );
}
