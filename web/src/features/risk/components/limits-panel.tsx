"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Field, TextInput } from "@/components/ui/field";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import type { Limits } from "@/lib/api/types";
import { useMay } from "@/lib/session";
import { useLink } from "@/stream/link";
import { limitsQuery, setLimits } from "../api";
import { changesOf, documentOf, fieldsOf, valueText } from "../limits";

/** The account's limits as they are in force, who set them and why; an administrator changes them as a new version. */
export function LimitsPanel({ className }: { className?: string }) {
  const account = useLink((state) => state.account);
  const limits = useQuery(limitsQuery(account));
  const admin = useMay("admin");
  const [editing, setEditing] = useState(false);
  const newest = limits.data?.[0];
  return (
    <Panel
      title="Limits"
      note={newest && `version ${newest.version}, by ${newest.set_by}`}
      className={className}
      bodyClass=""
      actions={
        admin &&
        newest && (
          <Button size="small" look="outline" onClick={() => setEditing(!editing)}>
            {editing ? "Leave as they are" : "Change…"}
          </Button>
        )
      }
    >
      <Loaded query={limits} what="Limits" rows={8}>
        {([first, ...older]) =>
          first ? (
            <>
              {editing ? <Editor key={first.version} limits={first} onDone={() => setEditing(false)} /> : <Values limits={first} />}
              {older.length > 0 && (
                <details className="border-t border-hairline px-3 py-2 text-dense text-muted">
                  <summary className="cursor-pointer">Earlier versions ({older.length})</summary>
                  <ol className="mt-2 flex flex-col gap-2">
                    {[first, ...older].slice(0, -1).map((version, index) => (
                      <li key={version.version}>
                        <span className="text-text">Version {version.version}</span>, {version.set_by}, <Moment iso={version.set_at} />
                        {version.reason && `: ${version.reason}`}
                        <ul className="pl-4 text-faint">
                          {changesOf(older[index]?.document ?? {}, version.document).map((change) => (
                            <li key={change}>{change}</li>
                          ))}
                        </ul>
                      </li>
                    ))}
                  </ol>
                </details>
              )}
            </>
          ) : (
            <Empty>The account has no limits, so no order is approved.</Empty>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Values({ limits }: { limits: Limits }) {
  return (
    <dl className="grid grid-cols-2 gap-x-8 gap-y-1 p-3 max-sm:grid-cols-1 2xl:grid-cols-3">
      {fieldsOf(limits.document).map((field) => (
        <div key={field.name} className={`flex justify-between gap-4 border-b border-hairline py-1 ${field.json ? "col-span-full" : ""}`}>
          <dt className="text-muted">{field.label}</dt>
          <dd className={`min-w-0 text-right ${field.json ? "break-words" : "num"}`}>{valueText(limits.document[field.name])}</dd>
        </div>
      ))}
    </dl>
  );
}

function Editor({ limits, onDone }: { limits: Limits; onDone: () => void }) {
  const client = useQueryClient();
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [asking, setAsking] = useState(false);
  const read = documentOf(limits.document, typed);
  const changes = "document" in read ? changesOf(limits.document, read.document) : [];
  return (
    <form
      className="flex flex-col gap-3 p-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (changes.length > 0) setAsking(true);
      }}
    >
      <div className="grid grid-cols-2 gap-3 max-sm:grid-cols-1 2xl:grid-cols-3">
        {fieldsOf(limits.document).map((field) => (
          <div key={field.name} className={field.json ? "col-span-full" : ""}>
            <Field label={field.label}>
              <TextInput value={typed[field.name] ?? field.text} onChange={(event) => setTyped({ ...typed, [field.name]: event.target.value })} className={field.json ? "mono" : "num"} autoComplete="off" spellCheck={false} />
            </Field>
          </div>
        ))}
      </div>
      {"wrong" in read && (
        <p role="alert" className="text-critical">
          {read.wrong} cannot be read.
        </p>
      )}
      <Button type="submit" look="strong" disabled={changes.length === 0} className="self-start">
        Review {changes.length === 1 ? "1 change" : `${changes.length} changes`}
      </Button>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={`New limits of ${limits.account}`}
        action={`Set version ${limits.version + 1}`}
        look="strong"
        typed={limits.account}
        reason
        run={async (reason) => {
          if (!("document" in read)) return;
          await setLimits(limits.account, limits.version, read.document, reason);
          await client.invalidateQueries({ queryKey: ["limits", limits.account] });
          onDone();
        }}
      >
        <ul className="list-disc pl-5">
          {changes.map((change) => (
            <li key={change}>{change}</li>
          ))}
        </ul>
        <p>They are in force at once, for the next order.</p>
      </Confirm>
    </form>
  );
}
