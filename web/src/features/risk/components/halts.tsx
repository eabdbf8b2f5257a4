"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { haltName, ReleaseDialog } from "@/components/release";
import { Button } from "@/components/ui/button";
import { Choice } from "@/components/ui/choice";
import { Confirm } from "@/components/ui/confirm";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Moment } from "@/components/ui/time";
import { haltMore } from "@/lib/api/trading";
import { accountsQuery, haltsQuery, strategiesQuery } from "@/lib/api/queries";
import type { Halt } from "@/lib/api/types";
import { useMay } from "@/lib/session";

/** The kill switch at its three levels: what is engaged, and how to engage more or release. */
export function Halts({ className }: { className?: string }) {
  const halts = useQuery(haltsQuery);
  const trader = useMay("trader");
  const [releasing, setReleasing] = useState<Halt | null>(null);
  const [engaging, setEngaging] = useState(false);
  return (
    <Panel
      title="Kill switch"
      note="engaged by one, released by two"
      className={className}
      bodyClass=""
      actions={
        trader && (
          <Button size="small" look="outline" onClick={() => setEngaging(true)}>
            Halt…
          </Button>
        )
      }
    >
      <Loaded query={halts} what="Halts" rows={2}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty>Nothing is halted.</Empty>
          ) : (
            <ul>
              {rows.map((halt) => (
                <li key={`${halt.level} ${halt.key}`} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-hairline p-3 last:border-b-0">
                  <span className="inline-flex items-center gap-2 font-medium">
                    <Shape name="square" className="text-critical" /> {haltName(halt)}
                  </span>
                  <span className="min-w-0 flex-1 text-dense text-muted">
                    {halt.by}: {halt.reason}
                    {halt.flatten && " · positions are being closed"}
                    {halt.release_asked_by && ` · ${halt.release_asked_by} wants it released`}
                  </span>
                  <Moment iso={halt.since} className="text-dense text-faint" />
                  {trader && (
                    <Button size="small" onClick={() => setReleasing(halt)}>
                      {halt.release_asked_by ? "Confirm release…" : "Release…"}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <ReleaseDialog halt={releasing} onClose={() => setReleasing(null)} />
      {engaging && <EngageDialog onClose={() => setEngaging(false)} />}
    </Panel>
  );
}

function EngageDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const accounts = useQuery(accountsQuery).data ?? [];
  const strategies = useQuery(strategiesQuery).data ?? [];
  const [target, setTarget] = useState("global *");
  const [flatten, setFlatten] = useState(false);
  const space = target.indexOf(" ");
  const halt = { level: target.slice(0, space) as Halt["level"], key: target.slice(space + 1) };
  const options = [
    { value: "global *", label: "All trading" },
    ...accounts.map(({ account, venue }) => ({ value: `account ${account}`, label: `Account ${account} at ${venue}` })),
    ...strategies.map(({ strategy }) => ({ value: `strategy ${strategy}`, label: `Strategy ${strategy}` })),
  ];
  return (
    <Confirm
      open
      onClose={onClose}
      title="Halt trading"
      action={`Halt ${haltName(halt)}${flatten ? " and close its positions" : ""}`}
      reason
      run={async (reason) => {
        const answer = await haltMore(halt, reason, flatten);
        client.setQueryData(["halts"], answer.halts);
      }}
    >
      <Choice label="What" value={target} options={options} onChange={setTarget} />
      <label className="flex items-center gap-2 max-sm:min-h-11">
        <input type="checkbox" checked={flatten} onChange={(event) => setFlatten(event.target.checked)} className="size-4 accent-accent" />
        Close the positions too, at the market
      </label>
      <p>No new order is sent and working ones are cancelled. {flatten ? "Positions are closed with reductions only." : "Positions stay open and keep moving with the market."}</p>
    </Confirm>
  );
}
