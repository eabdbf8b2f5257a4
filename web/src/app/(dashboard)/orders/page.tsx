"use client";
import { useCallback, useMemo } from "react";
import { Empty, Panel } from "@/components/ui/panel";
import { ZoneLabel } from "@/components/ui/time";
import { Segmented } from "@/components/ui/segmented";
import { FillTable } from "@/features/orders/components/fill-table";
import { OrderDrawer } from "@/features/orders/components/order-drawer";
import { isOpenRow, OrderTable, useOrderRows } from "@/features/orders/components/order-table";
import { orderFilter } from "@/features/orders/filter";
import type { OrderRow } from "@/features/orders/store";
import type { Fill } from "@/lib/api/types";
import { useUrlState } from "@/lib/url-state";
import { useAccountLook } from "@/stream/fresh";

type View = "open" | "all" | "fills";

export default function OrdersPage() {
  const [kept, setView] = useUrlState("view");
  const [filter, setFilter] = useUrlState("filter");
  const [opened, setOpened] = useUrlState("order");
  const look = useAccountLook();
  const view: View = kept === "open" || kept === "fills" ? kept : "all";
  const rows = useOrderRows().data;
  const open = rows?.filter(isOpenRow).length;
  const matches = useMemo(() => orderFilter(filter ?? ""), [filter]);
  const keep = useCallback((row: OrderRow) => (view === "all" || isOpenRow(row)) && matches(row), [view, matches]);
  const fillMatches = useMemo(() => {
    const word = (filter ?? "").toLowerCase().replace(/^\w+:/, "");
    return word ? (fill: Fill) => `${fill.symbol} ${fill.side} ${fill.strategy ?? "by hand"}`.toLowerCase().includes(word) : undefined;
  }, [filter]);

  return (
    <div className="flex h-full flex-col gap-2">
      <h1 className="sr-only">Orders and fills</h1>
      <Panel
        title="Orders"
        note={<>newest first · <ZoneLabel /></>}
        look={look}
        className="flex-1"
        bodyClass="flex flex-col"
      >
        <div className="flex flex-wrap items-center gap-2 border-b border-hairline p-2">
          <Segmented<View>
            label="View"
            value={view}
            onChange={(next) => setView(next === "all" ? null : next)}
            options={[
              { value: "open", label: `Open ${open ?? ""}` },
              { value: "all", label: `All ${rows?.length ?? ""}` },
              { value: "fills", label: "Fills" },
            ]}
          />
          <input
            data-filter
            type="search"
            value={filter ?? ""}
            onChange={(event) => setFilter(event.target.value || null)}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              setFilter(null);
              event.currentTarget.blur();
            }}
            aria-label="Filter"
            placeholder="Filter  /   symbol:btc state:refused source:sma"
            className="control h-7 min-w-0 flex-1 border-hairline px-2 text-dense max-sm:h-11 max-sm:basis-full sm:max-w-96"
          />
        </div>
        <div className="min-h-0 flex-1 max-sm:overflow-y-auto">
          {view === "fills" ? (
            <FillTable onOpen={setOpened} matching={fillMatches} />
          ) : (
            <OrderTable
              keep={keep}
              onOpen={(row) => row.status !== "sending" && setOpened(row.order_id)}
              empty={<Empty>{filter ? "No order matches the filter." : view === "open" ? "No order is open. Send one from the terminal, or let a strategy run." : "No order has been sent yet. The terminal has a ticket; a running strategy sends its own."}</Empty>}
            />
          )}
        </div>
      </Panel>
      <OrderDrawer orderId={opened} onClose={() => setOpened(null)} />
    </div>
  );
}
