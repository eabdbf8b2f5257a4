/** A titled area with its own loading, empty and error looks, so that one failure never takes the screen. */
import type { ReactNode } from "react";
import { ApiError } from "@/lib/api/error";
import type { Look } from "@/lib/look";
import { Button } from "./button";
import { Shape } from "./shape";

interface PanelProps {
  title: ReactNode;
  /** Small grey fact beside the title: a count, a unit, a time. */
  note?: ReactNode;
  actions?: ReactNode;
  look?: Look;
  className?: string;
  bodyClass?: string;
  children: ReactNode;
}

export function Panel({ title, note, actions, look, className = "", bodyClass = "p-3", children }: PanelProps) {
  return (
    <section className={`panel flex flex-col ${className}`} data-look={look}>
      <header className="flex min-h-9 shrink-0 items-center gap-2 border-b border-hairline px-3 max-sm:min-h-11 max-sm:py-1">
        <h2 className="text-body font-semibold">{title}</h2>
        {note && <span className="truncate text-dense text-faint">{note}</span>}
        {actions && <div className="ml-auto flex items-center gap-1">{actions}</div>}
      </header>
      <div className={`min-h-0 flex-1 ${bodyClass}`}>{children}</div>
    </section>
  );
}

/** Grey bars of the final size; shown only after 150 ms, so that quick answers never flicker. */
export function Skeleton({ rows = 4, className = "" }: { rows?: number; className?: string }) {
  return (
    <div className={`flex flex-col gap-2 ${className}`} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="skeleton h-5" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

/** Why there is nothing, and the one next step. */
export function Empty({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex h-full min-h-20 flex-col items-center justify-center gap-2 p-4 text-center text-muted">
      <p className="max-w-80">{children}</p>
      {action}
    </div>
  );
}

/** What failed, whether the rest still works, the trace id, and a way to try again. */
export function Failure({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div className="flex h-full min-h-20 flex-col items-start justify-center gap-2 p-3" role="alert">
      <p className="flex items-center gap-2">
        <Shape name="triangle" className="text-warning" size={12} />
        <span>
          {what} could not be read: {known?.message ?? "an unexpected answer."} The other panels go on.
        </span>
      </p>
      {known?.traceId && <p className="mono text-dense text-faint">trace {known.traceId}</p>}
      {retry && known?.status !== 403 && (
        <Button size="small" onClick={retry}>
          Try again
        </Button>
      )}
      {known?.status === 403 && <p className="text-muted">Your role does not include this. Ask an administrator.</p>}
    </div>
  );
}

interface Readable<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** Chooses between skeleton, failure and content. Old data stays on screen while a re-read fails. */
export function Loaded<T>({ query, what, rows, children }: { query: Readable<T>; what: string; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failure what={what} error={query.error} retry={() => void query.refetch()} />;
  return <Skeleton rows={rows} className="p-3" />;
}
