"use client";
import { useQuery } from "@tanstack/react-query";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { Num } from "@/components/ui/num";
import { Empty, Loaded } from "@/components/ui/panel";
import { balancesQuery } from "@/lib/api/queries";
import type { Balance } from "@/lib/api/types";
import { toNumber } from "@/lib/decimal";
import { useLink } from "@/stream/link";

const FIAT_LIKE = /^(USD|EUR|GBP|USDT|USDC|DAI)/;
const places = (balance: Balance) => (FIAT_LIKE.test(balance.asset) ? 2 : 8);

const COLUMNS: readonly GridColumn<Balance>[] = [
  { id: "asset", header: "Asset", sortBy: (b) => b.asset, cell: (b) => <span className="font-medium">{b.asset}</span> },
  { id: "total", header: "Total", numeric: true, sortBy: (b) => toNumber(b.total), cell: (b) => <Num value={b.total} precision={places(b)} /> },
  { id: "available", header: "Available", numeric: true, sortBy: (b) => toNumber(b.available), cell: (b) => <Num value={b.available} precision={places(b)} /> },
  { id: "reserved", header: "Reserved", numeric: true, sortBy: (b) => toNumber(b.reserved), cell: (b) => <Num value={b.reserved} precision={places(b)} /> },
];

export function Balances() {
  const account = useLink((state) => state.account);
  const balances = useQuery(balancesQuery(account));
  return (
    <Loaded query={balances} what="Balances" rows={2}>
      {(rows) => (
        <DataGrid
          label="Balances"
          rows={rows}
          columns={COLUMNS}
          rowId={(balance) => balance.asset}
          empty={<Empty>The venue reports no balance for this account.</Empty>}
          card={(b) => (
            <span className="grid grid-cols-[1fr_auto] gap-x-3">
              <span className="font-medium">{b.asset}</span>
              <Num value={b.total} precision={places(b)} className="text-right" />
              <span className="text-dense text-faint">available, reserved</span>
              <span className="text-right text-dense text-muted">
                <Num value={b.available} precision={places(b)} /> · <Num value={b.reserved} precision={places(b)} />
              </span>
            </span>
          )}
        />
      )}
    </Loaded>
  );
}
