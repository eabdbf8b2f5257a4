"use client";
import { useEffect, useRef } from "react";
import { Panel } from "@/components/ui/panel";
import { ZoneLabel } from "@/components/ui/time";
import type { Instrument, Trade } from "@/lib/api/types";
import { formatNumber, precisionOf } from "@/lib/format/number";
import { clock, parseTime } from "@/lib/format/time";
import { useZone } from "@/lib/preferences";
import { quotes } from "@/stream/quotes";

const ROWS = 40;

/** The newest trades of the market, written once a frame into rows that never change in number. */
export function Tape({ instrument, className }: { instrument: Instrument; className?: string }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const zone = useZone();
  const { venue, symbol } = instrument;
  const price = precisionOf(instrument.price_step);
  const quantity = precisionOf(instrument.quantity_step);
  useEffect(() => {
    const mine = (trade: Trade) => trade.symbol === symbol && trade.venue === venue;
    const paint = () => {
      const rows = body.current?.rows;
      if (!rows) return;
      const trades = quotes.trades.newest(ROWS, mine);
      for (let index = 0; index < rows.length; index += 1) {
        const trade = trades[index];
        const [at, side, amount, size] = rows[index]?.cells ?? [];
        if (!at || !side || !amount || !size) continue;
        at.textContent = trade ? clock(parseTime(trade.event_time) ?? 0, zone) : "";
        side.textContent = trade?.side ? (trade.side === "buy" ? "Buy" : "Sell") : "";
        side.className = trade?.side === "sell" ? "pr-2 text-down" : "pr-2 text-up";
        amount.textContent = trade ? formatNumber(trade.price, { precision: price }) : "";
        size.textContent = trade ? formatNumber(trade.quantity, { precision: quantity }) : "";
      }
    };
    return quotes.paint(`trade ${venue} ${symbol}`, paint);
  }, [venue, symbol, price, quantity, zone]);
  return (
    <Panel title="Tape" note={<>newest first · <ZoneLabel /></>} className={className} bodyClass="overflow-hidden">
      <table className="w-full text-dense" aria-label={`Newest trades of ${symbol}`}>
        <thead className="sr-only">
          <tr>
            <th>Time</th>
            <th>Side</th>
            <th>Price</th>
            <th>Quantity</th>
          </tr>
        </thead>
        <tbody ref={body}>
          {Array.from({ length: ROWS }, (_, index) => (
            <tr key={index} className="num h-5">
              <td className="pl-3 text-faint" />
              <td />
              <td className="text-right" />
              <td className="pr-3 text-right text-muted" />
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
