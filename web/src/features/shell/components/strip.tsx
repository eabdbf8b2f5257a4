"use client";
import { useQuery } from "@tanstack/react-query";
import dynamic from "next/dynamic";
import type { ReactNode } from "react";
import { ModeBadge } from "@/components/ui/marks";
import { useMedia } from "@/components/ui/media";
import { Delta, directionTone, Num } from "@/components/ui/num";
import { Shape, type ShapeName } from "@/components/ui/shape";
import { accountsQuery, overviewQuery } from "@/lib/api/queries";
import type { TradingState } from "@/lib/api/types";
import { directionOf, formatPercent } from "@/lib/format/number";
import { clock, dayAndClock, zoneLabel } from "@/lib/format/time";
import { toggleZone, useZone } from "@/lib/preferences";
import { useBeat } from "@/stream/clock";
import { useAccountLook } from "@/stream/fresh";
import { arrivals, useLink } from "@/stream/link";
import { quotes } from "@/stream/quotes";
import { routeNote, useRoute } from "@/stream/route";
import { FeedMark } from "./connection";
import { Halt } from "./halt";

/** Their pop-over machinery comes after the first paint. */
const AlertsButton = dynamic(() => import("./menus").then((menus) => menus.AlertsButton), { ssr: false, loading: () => <span className="w-14 max-sm:w-9" /> });
const UserMenu = dynamic(() => import("./menus").then((menus) => menus.UserMenu), { ssr: false, loading: () => <span className="w-14 max-sm:w-11" /> });

const TRADING: Readonly<Record<Exclude<TradingState, "halted">, { word: string; shape: ShapeName; tone: string }>> = {
  active: { word: "trading", shape: "dot", tone: "text-muted" },
  reconciling: { word: "reconciling", shape: "half", tone: "text-warning" },
};

/** The top line: is it real money, is it connected, may it trade, what do I have, does anything need me. */
export function Strip({ onKeys }: { onKeys: () => void }) {
  // One of the two, not both hidden by turns: HALT listens to keys and must exist once.
  const oneLine = useMedia("(min-width: 1280px)");
  return (
    <header className="relative shrink-0 border-b border-hairline bg-s1">
      <LiveLine />
      {oneLine ? (
        <div className="flex h-11 items-center gap-4 px-3">
          <Identity />
          <Figures />
          <div className="ml-auto flex items-center gap-3 text-dense">
            <Trading />
            <Rule />
            <FeedMark />
            <Rule />
            <ZoneSwitch />
            <AlertsButton />
            <UserMenu onKeys={onKeys} />
          </div>
          <Halt />
        </div>
      ) : (
        <>
          <div className="flex h-13 items-center gap-2 px-3">
            <Identity />
            <div className="ml-auto flex items-center text-dense">
              <span className="mr-2 max-sm:hidden">
                <ZoneSwitch />
              </span>
              <AlertsButton />
              <UserMenu onKeys={onKeys} />
            </div>
            <Halt />
          </div>
          <div className="flex min-h-9 flex-wrap items-center justify-between gap-x-3 border-t border-hairline px-3 py-1 text-dense">
            <Figures />
            <span className="inline-flex items-center gap-3 max-sm:w-full max-sm:justify-between">
              <FeedMark />
              <Trading />
            </span>
          </div>
        </>
      )}
    </header>
  );
}

const Rule = () => <span aria-hidden className="h-4 w-px bg-hairline" />;

/** Live money, and the lack of a word about it, mark the whole top edge of the window. */
function LiveLine() {
  const mode = useLink((state) => state.mode);
  return mode === "paper" ? null : <span aria-hidden className="absolute inset-x-0 top-0 h-0.5 bg-live" />;
}

function Identity() {
  const mode = useLink((state) => state.mode);
  const replay = useLink((state) => state.replay);
  const account = useLink((state) => state.account);
  const known = useQuery(accountsQuery).data?.find((each) => each.account === account);
  const route = useRoute();
  return (
    <div className="flex min-w-0 items-center gap-2 max-sm:gap-1.5">
      <ModeBadge mode={mode} />
      {replay && <ReplayMark />}
      <span className="truncate font-medium max-sm:text-dense" title={known ? `${account} at ${known.venue}` : account}>
        {account || "—"}
        {known && <span className="ml-1.5 font-normal text-faint max-2xl:hidden">{known.venue}</span>}
      </span>
      {route.away !== null && (
        <span role="status" className="truncate text-dense text-warning" title={routeNote(route) ?? ""}>
          <Shape name="triangle" className="mr-1" />
          routed to {route.venue}
        </span>
      )}
    </div>
  );
}

/** Recorded data: the market's clock is not the wall's, so it is always written out. */
function ReplayMark() {
  const zone = useZone();
  const recorded = useBeat(() => (quotes.venueTime === null ? "" : `${dayAndClock(quotes.venueTime, zone)} ${zoneLabel(zone, quotes.venueTime)}`));
  return (
    <span className="inline-flex h-6 shrink-0 items-center gap-1.5 rounded-full border-2 border-dotted border-edge px-2 text-dense whitespace-nowrap text-muted" title={`Recorded market data is being replayed. Venue clock: ${recorded}`}>
      <span className="font-semibold">REPLAY</span>
      <span className="num max-xl:hidden">{recorded}</span>
    </span>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <span className="inline-flex items-baseline gap-2 whitespace-nowrap">
      <span className="text-dense text-faint">{label}</span>
      {children}
    </span>
  );
}

function Figures() {
  const account = useLink((state) => state.account);
  const overview = useQuery(overviewQuery(account)).data;
  const currency = useQuery(accountsQuery).data?.find((each) => each.account === account)?.quote_currency;
  const look = useAccountLook();
  const direction = directionOf(overview?.day_pnl);
  return (
    <div className="flex items-baseline gap-4 text-form max-sm:gap-3" data-look={look}>
      <Fact label="Equity">
        <Num value={overview?.equity} precision={2} className="font-semibold" />
        <span className="text-dense text-faint max-xl:hidden">{currency}</span>
      </Fact>
      <Fact label="Day">
        <Delta value={overview?.day_pnl} className="font-semibold" />
        {overview?.day_pnl_ratio != null && (
          <span className={`num text-dense ${directionTone(direction)}`}>
            {direction !== null && direction !== 0 && <Shape name={direction > 0 ? "up" : "down"} size={8} className="mr-0.5" />}
            {formatPercent(overview.day_pnl_ratio, { sign: true })} %
          </span>
        )}
      </Fact>
    </div>
  );
}

function Trading() {
  const state = useLink((link) => link.tradingState);
  // The HALTED mark beside it already says that in the place of the button.
  if (state === "halted") return null;
  if (state === null) return <span className="text-warning">trading state unknown</span>;
  const { word, shape, tone } = TRADING[state];
  return (
    <span className={`inline-flex items-center gap-1.5 ${tone}`}>
      <Shape name={shape} size={9} />
      {word}
    </span>
  );
}

function ZoneSwitch() {
  const zone = useZone();
  const text = useBeat(() => clock(arrivals.serverNow(), zone));
  const label = useBeat(() => zoneLabel(zone, arrivals.serverNow()));
  return (
    <button type="button" onClick={toggleZone} className="inline-flex items-center gap-1.5 rounded-control px-1 hover:bg-s3" title="All times on this page use this zone. Click, or press t, to switch between UTC and local">
      <span className="num min-w-[8ch] text-right text-text" suppressHydrationWarning>
        {text}
      </span>
      <span className="text-faint" suppressHydrationWarning>
        {zone === "UTC" ? "UTC" : label}
      </span>
      <span className="sr-only">switch time zone</span>
    </button>
  );
}
