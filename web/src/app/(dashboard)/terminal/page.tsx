"use client";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { useHotkeys } from "react-hotkeys-hook";
import { Button } from "@/components/ui/button";
import { ZoneLabel } from "@/components/ui/time";
import { Drawer } from "@/components/ui/drawer";
import { useNarrow } from "@/components/ui/media";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { type ChartTimeframe, TIMEFRAMES } from "@/features/market/api";
import { Candles } from "@/features/market/components/candles";
import { MarketHeader } from "@/features/market/components/market-header";
import { Tape } from "@/features/market/components/tape";
import { Watchlist } from "@/features/market/components/watchlist";
import { Ticket } from "@/features/orders/components/ticket";
import { instrumentsQuery } from "@/lib/api/queries";
import type { Instrument } from "@/lib/api/types";
import { usePreferences } from "@/lib/preferences";
import { useUrlState } from "@/lib/url-state";
import { useRoute } from "@/stream/route";
import { Dock } from "./dock";

const FRAMES = TIMEFRAMES.map((value) => ({ value, label: value }));
const isFrame = (text: string | null): text is ChartTimeframe => TIMEFRAMES.some((each) => each === text);

export default function TerminalPage() {
  const instruments = useQuery(instrumentsQuery);
  return (
    <>
      <h1 className="sr-only">Terminal</h1>
      <Loaded query={instruments} what="Instruments" rows={10}>
        {(all) => (all.length === 0 ? <Empty>No instrument is configured, so there is no market to show.</Empty> : <Market instruments={all} />)}
      </Loaded>
    </>
  );
}

function Market({ instruments }: { instruments: readonly Instrument[] }) {
  const [symbol, setSymbol] = useUrlState("symbol");
  const [frame, setFrame] = useUrlState("timeframe");
  const [, setDock] = useUrlState("dock");
  const showOrders = () => setDock("orders");
  const [taken, setTaken] = useState<{ price: string } | null>(null);
  const narrow = useNarrow();
  const singleKeys = usePreferences((preferences) => preferences.singleKeys);
  const { venue } = useRoute();
  // Prices of the venue that orders go to: the account's own or, while that is away, the one that stands in.
  const there = instruments.filter((each) => each.venue === venue);
  const instrument = there.find((each) => each.symbol === symbol) ?? instruments.find((each) => each.symbol === symbol) ?? there[0] ?? (instruments[0] as Instrument);
  const timeframe: ChartTimeframe = isFrame(frame) ? frame : "1m";
  const step = useCallback((by: number) => setFrame(TIMEFRAMES[Math.max(0, Math.min(TIMEFRAMES.length - 1, TIMEFRAMES.indexOf(timeframe) + by))] ?? "1m"), [setFrame, timeframe]);
  useHotkeys("[", () => step(-1), { enabled: singleKeys, useKey: true }, [step]);
  useHotkeys("]", () => step(1), { enabled: singleKeys, useKey: true }, [step]);

  const select = (next: Instrument) => setSymbol(next.symbol);
  const chart = <Candles venue={instrument.venue} symbol={instrument.symbol} timeframe={timeframe} />;
  const frames = <Segmented label="Timeframe" options={FRAMES} value={timeframe} onChange={setFrame} />;
  const header = <MarketHeader instrument={instrument} onSelect={select} onPrice={(price) => setTaken({ price })} />;
  const key = `${instrument.venue} ${instrument.symbol}`;

  if (narrow) return <Narrow header={header} chart={chart} frames={frames} ticket={(done) => <Ticket key={key} instrument={instrument} taken={taken} onSending={showOrders} onSent={done} />} symbol={instrument.symbol} />;
  return (
    <div className="grid h-full min-h-[640px] grid-cols-[200px_minmax(0,1fr)_280px] grid-rows-[auto_minmax(260px,1fr)_minmax(180px,31%)] gap-2 max-lg:h-auto max-lg:min-h-0 max-lg:grid-cols-[minmax(0,1fr)_280px] max-lg:grid-rows-[auto_400px_auto_320px]">
      <Watchlist selected={instrument.symbol} onSelect={select} className="col-start-1 row-span-2 row-start-1 max-lg:row-span-1 max-lg:row-start-3" />
      {header}
      <div className="col-start-3 row-span-3 row-start-1 flex min-h-0 flex-col gap-2 max-lg:col-start-2">
        <Panel title="Order" note={instrument.symbol} className="min-h-0" bodyClass="overflow-y-auto">
          <Ticket key={key} instrument={instrument} taken={taken} onSending={showOrders} />
        </Panel>
        <Tape instrument={instrument} className="min-h-24 flex-1 max-lg:hidden" />
      </div>
      <Panel title="Candles" note={<>arrows are own fills · <ZoneLabel /></>} actions={frames} bodyClass="" className="max-lg:col-start-1 max-lg:row-start-2">
        {chart}
      </Panel>
      <Dock className="col-span-2 col-start-1 max-lg:col-span-full" />
    </div>
  );
}

interface NarrowProps {
  header: React.ReactNode;
  chart: React.ReactNode;
  frames: React.ReactNode;
  ticket: (done: () => void) => React.ReactNode;
  symbol: string;
}

/** Phone: the chart folds away, the ticket is a sheet. */
function Narrow({ header, chart, frames, ticket, symbol }: NarrowProps) {
  const [folded, setFolded] = useState(false);
  const [open, setOpen] = useState(false);
  return (
    <div className="flex flex-col gap-2 pb-16">
      {header}
      <Panel
        title="Candles"
        actions={
          <>
            {!folded && frames}
            <Button look="quiet" size="small" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
              {folded ? "Show" : "Hide"}
            </Button>
          </>
        }
        bodyClass={folded ? "hidden" : "h-[300px] flex-none"}
      >
        {!folded && chart}
      </Panel>
      <Dock className="min-h-72" />
      <div className="fixed inset-x-0 bottom-14 z-10 border-t border-hairline bg-s1 p-2">
        <Button look="strong" size="large" className="w-full" onClick={() => setOpen(true)}>
          Order {symbol}
        </Button>
      </div>
      <Drawer open={open} onClose={() => setOpen(false)} title={`Order ${symbol}`}>
        <div className="-m-4">{ticket(() => setOpen(false))}</div>
      </Drawer>
    </div>
  );
}
