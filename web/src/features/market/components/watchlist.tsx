"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { instrumentsQuery } from "@/lib/api/queries";
import type { Instrument } from "@/lib/api/types";
import { precisionOf } from "@/lib/format/number";
import { spreadText } from "../spread";
import { Derived, QuoteAge, Tick } from "./tick";

interface WatchlistProps {
  selected: string;
  onSelect: (instrument: Instrument) => void;
  className?: string;
}

export function Watchlist({ selected, onSelect, className }: WatchlistProps) {
  const instruments = useQuery(instrumentsQuery);
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toUpperCase();
  const shown = useMemo(() => instruments.data?.filter((each) => each.symbol.includes(wanted)), [instruments.data, wanted]);
  return (
    <Panel title="Watchlist" note={`${instruments.data?.length ?? "—"}`} className={className} bodyClass="flex flex-col">
      <div className="border-b border-hairline p-1.5">
        <input data-filter type="search" value={filter} onChange={(event) => setFilter(event.target.value)} onKeyDown={(event) => event.key === "Escape" && (setFilter(""), event.currentTarget.blur())} placeholder="Filter  /" aria-label="Filter the watchlist" className="control h-7 w-full border-hairline px-2 text-dense" />
      </div>
      <Loaded query={{ ...instruments, data: shown }} what="Instruments" rows={5}>
        {(list) =>
          list.length === 0 ? (
            <Empty>{wanted ? "No symbol matches." : "No instrument is configured."}</Empty>
          ) : (
            <ul className="min-h-0 flex-1 overflow-y-auto">
              {list.map((each) => (
                <li key={`${each.venue} ${each.symbol}`}>
                  <button type="button" aria-current={each.symbol === selected ? "true" : undefined} onClick={() => onSelect(each)} className={`relative grid w-full grid-cols-[1fr_auto] gap-x-2 px-3 py-1.5 text-left hover:bg-s3 ${each.symbol === selected ? "bg-s3" : ""}`}>
                    {each.symbol === selected && <span aria-hidden className="absolute inset-y-1 left-0 w-0.5 bg-accent" />}
                    <span className="font-medium">{each.symbol}</span>
                    <Tick venue={each.venue} symbol={each.symbol} field="last" precision={precisionOf(each.price_step)} flash className="rounded-[3px] text-right" />
                    <QuoteAge venue={each.venue} symbol={each.symbol} className="text-label" />
                    <span className="text-right text-label text-faint">
                      <Derived venue={each.venue} symbol={each.symbol} compute={spreadText} /> bp
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}
