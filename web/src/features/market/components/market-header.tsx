"use client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { instrumentsQuery } from "@/lib/api/queries";
import type { Instrument } from "@/lib/api/types";
import { precisionOf } from "@/lib/format/number";
import { quotes } from "@/stream/quotes";
import { spreadText } from "../spread";
import { Derived, QuoteAge, Tick } from "./tick";

interface MarketHeaderProps {
  instrument: Instrument;
  onSelect: (instrument: Instrument) => void;
  /** A click on bid or ask puts that price into the ticket. */
  onPrice: (price: string) => void;
}

/** One market: last price largest, then bid, ask, spread and the age of all of them. */
export function MarketHeader({ instrument, onSelect, onPrice }: MarketHeaderProps) {
  const { venue, symbol } = instrument;
  const all = useQuery(instrumentsQuery).data ?? [];
  const price = precisionOf(instrument.price_step);
  const quantity = precisionOf(instrument.quantity_step);
  const take = (field: "bid" | "ask") => () => {
    const value = quotes.quote(venue, symbol)?.[field];
    if (value) onPrice(value);
  };
  return (
    <div className="panel flex min-h-13 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 px-3 py-1">
      <div className="flex items-baseline gap-2">
        <h2 className="text-title font-semibold max-sm:hidden">{symbol}</h2>
        <label className="sm:hidden">
          <span className="sr-only">Symbol</span>
          <select value={symbol} onChange={(event) => all.filter((each) => each.symbol === event.target.value).forEach(onSelect)} className="control h-11 border-hairline px-2 text-form font-semibold">
            {all.map((each) => (
              <option key={`${each.venue} ${each.symbol}`}>{each.symbol}</option>
            ))}
          </select>
        </label>
        <span className="text-dense text-faint sm:max-2xl:hidden">{venue}</span>
      </div>
      <Tick venue={venue} symbol={symbol} field="last" precision={price} flash className="rounded-control px-1 text-page font-semibold" />
      <Side label="Bid" onClick={take("bid")}>
        <Tick venue={venue} symbol={symbol} field="bid" precision={price} />
        <Tick venue={venue} symbol={symbol} field="bid_quantity" precision={quantity} className="text-dense text-faint max-lg:hidden" />
      </Side>
      <Side label="Ask" onClick={take("ask")}>
        <Tick venue={venue} symbol={symbol} field="ask" precision={price} />
        <Tick venue={venue} symbol={symbol} field="ask_quantity" precision={quantity} className="text-dense text-faint max-lg:hidden" />
      </Side>
      <span className="inline-flex items-baseline gap-1.5 whitespace-nowrap max-sm:hidden">
        <span className="label">Spread</span>
        <Derived venue={venue} symbol={symbol} compute={spreadText} />
        <span className="label">bp</span>
      </span>
      <span className="ml-auto inline-flex items-baseline gap-1.5 whitespace-nowrap">
        <span className="label">age</span>
        <QuoteAge venue={venue} symbol={symbol} className="min-w-[5ch] text-right" />
      </span>
    </div>
  );
}

function Side({ label, onClick, children }: { label: string; onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" onClick={onClick} title={`Put the ${label.toLowerCase()} into the ticket`} className="inline-flex items-baseline gap-1.5 rounded-control px-1 whitespace-nowrap hover:bg-s3 max-sm:min-h-11 max-sm:items-center">
      <span className="label">{label}</span>
      {children}
    </button>
  );
}
