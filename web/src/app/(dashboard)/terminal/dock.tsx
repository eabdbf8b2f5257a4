"use client";
import { Tabs } from "radix-ui";
import { useCallback, useState } from "react";
import { useRouter } from "next/navigation";
import { Empty } from "@/components/ui/panel";
import { Balances } from "@/features/account/components/balances";
import { Positions, useOpenPositions } from "@/features/account/components/positions";
import { FillTable } from "@/features/orders/components/fill-table";
import { OrderDrawer } from "@/features/orders/components/order-drawer";
import { isOpenRow, OrderTable, useOrderRows } from "@/features/orders/components/order-table";
import type { OrderRow } from "@/features/orders/store";
import { SignalTable } from "@/features/strategies/components/signal-table";
import { StrategyTable } from "@/features/strategies/components/strategy-table";
import { useUrlState } from "@/lib/url-state";
import { useAccountLook } from "@/stream/fresh";

const TABS = ["positions", "orders", "fills", "signals", "strategies", "balances"] as const;
type Tab = (typeof TABS)[number];
const NAMES: Readonly<Record<Tab, string>> = { positions: "Positions", orders: "Open orders", fills: "Fills", signals: "Signals", strategies: "Strategies", balances: "Balances" };

/** What is mine, under the chart: one table at a time. */
export function Dock({ className = "" }: { className?: string }) {
  const router = useRouter();
  const [kept, setTab] = useUrlState("dock");
  const [order, setOrder] = useState<string | null>(null);
  const tab = TABS.find((each) => each === kept) ?? "positions";
  const positions = useOpenPositions().data?.length;
  const open = useOrderRows().data?.filter(isOpenRow).length;
  const look = useAccountLook();
  const counts: Partial<Record<Tab, number | undefined>> = { positions, orders: open };
  const keep = useCallback((row: OrderRow) => isOpenRow(row), []);

  return (
    <Tabs.Root value={tab} onValueChange={(next) => setTab(next === "positions" ? null : next)} className={`panel flex flex-col ${className}`} data-look={look}>
      <Tabs.List aria-label="Account" className="flex h-9 shrink-0 gap-1 overflow-x-auto border-b border-hairline px-2 max-sm:h-11">
        {TABS.map((each) => (
          <Tabs.Trigger key={each} value={each} className="relative px-2 whitespace-nowrap text-muted hover:text-text focus-visible:-outline-offset-2 data-[state=active]:font-medium data-[state=active]:text-text data-[state=active]:after:absolute data-[state=active]:after:inset-x-2 data-[state=active]:after:bottom-0 data-[state=active]:after:h-0.5 data-[state=active]:after:bg-accent">
            {NAMES[each]}
            {counts[each] !== undefined && <span className="ml-1.5 text-dense text-faint">{counts[each]}</span>}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      <Tabs.Content value={tab} tabIndex={-1} className="min-h-0 flex-1 overflow-auto outline-none">
        {tab === "positions" && <Positions onOpen={(position) => router.push(`/terminal/?symbol=${position.symbol}`)} />}
        {tab === "orders" && <OrderTable brief keep={keep} onOpen={(row) => row.status !== "sending" && setOrder(row.order_id)} empty={<Empty>No order is open.</Empty>} />}
        {tab === "fills" && <FillTable onOpen={setOrder} />}
        {tab === "signals" && <SignalTable />}
        {tab === "strategies" && <StrategyTable onOpen={(strategy) => router.push(`/strategies/?strategy=${strategy.strategy}`)} />}
        {tab === "balances" && <Balances />}
      </Tabs.Content>
      <OrderDrawer orderId={order} onClose={() => setOrder(null)} />
    </Tabs.Root>
  );
}
