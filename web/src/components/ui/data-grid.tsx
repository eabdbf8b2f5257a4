"use client";
/**
 * A table of rows: sortable, drawn only as far as it is seen, walked by keys with one Tab stop.
 * Invariant: rows never jump under the pointer or the focus; new ones wait behind "3 new" until they are asked for.
 */
import { createColumnHelper, createSortedRowModel, type RowData, rowSortingFeature, type SortingState, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, type ReactNode, useMemo, useRef, useState } from "react";
import { useNarrow } from "./media";
import { Shape } from "./shape";

export interface GridColumn<T extends RowData> {
  id: string;
  header: string;
  /** Unit shown grey in the header, not in every cell. */
  unit?: string;
  numeric?: boolean;
  /** For readers only: a column of buttons names itself. */
  headerHidden?: boolean;
  sortBy?: (row: T) => string | number | null;
  cell: (row: T) => ReactNode;
  className?: string;
}

interface DataGridProps<T extends RowData> {
  label: string;
  rows: readonly T[];
  columns: readonly GridColumn<T>[];
  rowId: (row: T) => string;
  empty: ReactNode;
  onOpen?: (row: T) => void;
  /** What a phone shows instead of the row. */
  card?: (row: T) => ReactNode;
  initialSort?: SortingState;
  rowClass?: (row: T) => string;
  /** New rows wait while someone is inside. Off for lists whose members come and go by their own meaning (positions, open orders). */
  holdNew?: boolean;
}

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
const ROW = 28;
const VIRTUAL_FROM = 100;

export function DataGrid<T extends RowData>(props: DataGridProps<T>) {
  const narrow = useNarrow();
  if (props.rows.length === 0) return <>{props.empty}</>;
  return narrow && props.card ? <Cards {...props} card={props.card} /> : <Grid {...props} />;
}

function Cards<T extends RowData>({ rows, rowId, card, onOpen, label, rowClass }: DataGridProps<T> & { card: (row: T) => ReactNode }) {
  return (
    <ul aria-label={label} className="flex flex-col">
      {rows.slice(0, 200).map((row) => (
        <li key={rowId(row)} className={`border-b border-hairline last:border-b-0 ${rowClass?.(row) ?? ""}`}>
          {onOpen ? (
            <button type="button" className="block min-h-11 w-full px-3 py-2 text-left active:bg-s3" onClick={() => onOpen(row)}>
              {card(row)}
            </button>
          ) : (
            <div className="px-3 py-2">{card(row)}</div>
          )}
        </li>
      ))}
    </ul>
  );
}

function useHeld<T extends RowData>(rows: readonly T[], rowId: (row: T) => string, enabled: boolean) {
  const [known, setKnown] = useState<ReadonlySet<string> | null>(null);
  const hold = () => enabled && setKnown((before) => before ?? new Set(rows.map(rowId)));
  const release = () => setKnown(null);
  const refresh = () => setKnown(new Set(rows.map(rowId)));
  const shown = useMemo(() => (known ? rows.filter((row) => known.has(rowId(row))) : rows), [rows, known, rowId]);
  return { shown, waiting: rows.length - shown.length, hold, release, refresh };
}

function Grid<T extends RowData>({ label, rows, columns, rowId, onOpen, initialSort, rowClass, holdNew = false }: DataGridProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const { shown, waiting, hold, release, refresh } = useHeld(rows, rowId, holdNew);
  const [sorting, setSorting] = useState<SortingState>(initialSort ?? []);
  const [active, setActive] = useState(0);

  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, T>();
    return helper.columns(
      columns.map((column) =>
        helper.accessor((row: T) => column.sortBy?.(row) ?? undefined, { id: column.id, enableSorting: column.sortBy !== undefined, sortFn: byValue, sortUndefined: "last", sortDescFirst: column.numeric ?? false }),
      ),
    );
  }, [columns]);
  const table = useTable({ features, columns: definitions, data: shown as T[], getRowId: rowId, state: { sorting }, onSortingChange: setSorting });
  const sorted = table.getRowModel().rows;

  const virtual = sorted.length > VIRTUAL_FROM;
  const virtualizer = useVirtualizer({ count: sorted.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12, enabled: virtual });
  const items = virtualizer.getVirtualItems();
  const first = virtual ? (items[0]?.index ?? 0) : 0;
  const end = virtual ? (items.at(-1)?.index ?? -1) + 1 : sorted.length;
  const current = Math.min(active, sorted.length - 1);

  function move(event: KeyboardEvent<HTMLTableSectionElement>) {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? ROW * 10) / ROW) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    const row = sorted[current];
    if (event.key === "Enter" && row && onOpen && event.target === event.currentTarget.querySelector(`[data-row="${current}"]`)) return onOpen(row.original);
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(sorted.length - 1, current + step));
    setActive(next);
    if (virtual) virtualizer.scrollToIndex(next);
    const body = event.currentTarget;
    requestAnimationFrame(() => body.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus());
  }

  return (
    <div ref={scroller} className="relative h-full overflow-auto" onPointerEnter={hold} onPointerLeave={release} onFocus={hold} onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && release()}>
      {waiting > 0 && (
        <button type="button" onClick={refresh} className="sticky top-7 left-1/2 z-20 -translate-x-1/2 rounded-full border border-edge bg-s2 px-3 py-0.5 text-dense shadow-popover hover:bg-s3">
          {waiting} new
        </button>
      )}
      <table className="w-full border-separate border-spacing-0 text-dense" aria-label={label} aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => {
              const direction = sorting[0]?.id === column.id ? (sorting[0].desc ? "descending" : "ascending") : undefined;
              return (
                <th key={column.id} scope="col" aria-sort={direction} className={`sticky top-0 z-10 h-7 border-b border-hairline bg-s1 px-2 font-normal whitespace-nowrap text-faint first:pl-3 last:pr-3 ${column.numeric ? "text-right" : "text-left"} ${column.className ?? ""}`}>
                  {column.sortBy ? (
                    <button type="button" className="inline-flex items-center gap-1 hover:text-text" onClick={() => table.getColumn(column.id)?.toggleSorting()}>
                      {direction && <Shape name={direction === "ascending" ? "up" : "down"} size={7} />}
                      {column.header}
                      {column.unit && <span className="text-faint">{column.unit}</span>}
                    </button>
                  ) : (
                    <>
                      <span className={column.headerHidden ? "sr-only" : undefined}>{column.header}</span>
                      {column.unit && <span className="ml-1">{column.unit}</span>}
                    </>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody onKeyDown={move}>
          {first > 0 && <tr aria-hidden style={{ height: first * ROW }} />}
          {sorted.slice(first, end).map((row, offset) => (
            <Row key={row.id} row={row.original} index={first + offset} columns={columns} focusable={first + offset === current} onFocusRow={setActive} onOpen={onOpen} className={rowClass?.(row.original) ?? ""} />
          ))}
          {end < sorted.length && <tr aria-hidden style={{ height: (sorted.length - end) * ROW }} />}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps<T extends RowData> {
  row: T;
  index: number;
  columns: readonly GridColumn<T>[];
  focusable: boolean;
  onFocusRow: (index: number) => void;
  onOpen: ((row: T) => void) | undefined;
  className: string;
}

/** Drawn again only when its own data changed: a tick elsewhere must not touch it. */
const Row = memo(function Row<T extends RowData>({ row, index, columns, focusable, onFocusRow, onOpen, className }: RowProps<T>) {
  return (
    <tr
      data-row={index}
      aria-rowindex={index + 2}
      tabIndex={focusable ? 0 : -1}
      onFocus={() => onFocusRow(index)}
      onClick={onOpen && (() => onOpen(row))}
      className={`h-7 hover:bg-s3 focus-visible:bg-s3 focus-visible:-outline-offset-2 ${onOpen ? "cursor-pointer" : ""} ${className}`}
    >
      {columns.map((column) => (
        <td key={column.id} className={`border-b border-hairline/60 px-2 whitespace-nowrap first:pl-3 last:pr-3 ${column.className ?? ""}`}>
          <div className={`flex h-7 items-center ${column.numeric ? "justify-end" : ""}`}>{column.cell(row)}</div>
        </td>
      ))}
    </tr>
  );
}) as <T extends RowData>(props: RowProps<T>) => ReactNode;

function byValue(a: { getValue: (id: string) => unknown }, b: { getValue: (id: string) => unknown }, id: string): number {
  const left = a.getValue(id);
  const right = b.getValue(id);
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right));
}
