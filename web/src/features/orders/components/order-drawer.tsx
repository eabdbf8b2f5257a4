"use client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Drawer } from "@/components/ui/drawer";
import { OrderState, SideMark } from "@/components/ui/marks";
import { Num, Percent } from "@/components/ui/num";
import { Loaded } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Moment, ZoneLabel } from "@/components/ui/time";
import { instrumentsQuery } from "@/lib/api/queries";
import type { OrderDetail, OrderStep } from "@/lib/api/types";
import { formatNumber, precisionOf } from "@/lib/format/number";
import { meaningOf, sourceOf, typeWord } from "@/lib/order-status";
import { orderQuery } from "../api";
import { type OrderRow, useAsked } from "../store";
import { CancelButton } from "./cancel";

/** One order, whole: what was asked, what became of it, step by step, and why. */
export function OrderDrawer({ orderId, onClose }: { orderId: string | null; onClose: () => void }) {
  const order = useQuery(orderQuery(orderId ?? ""));
  const cancels = useAsked((state) => state.cancels);
  return (
    <Drawer open={orderId !== null} onClose={onClose} title={order.data ? <Title order={order.data} /> : "Order"}>
      <Loaded query={order} what="This order" rows={8}>
        {(data) => <Body order={data} row={{ ...data, cancelAsked: cancels.has(data.order_id) }} />}
      </Loaded>
    </Drawer>
  );
}

const Title = ({ order }: { order: OrderDetail }) => (
  <span className="flex items-center gap-2">
    <SideMark side={order.side} /> <span className="num">{formatNumber(order.quantity)}</span> {order.symbol}
  </span>
);

function Body({ order, row }: { order: OrderDetail; row: OrderRow }) {
  const instrument = useQuery(instrumentsQuery).data?.find((each) => each.symbol === order.symbol);
  const price = precisionOf(instrument?.price_step);
  const quantity = precisionOf(instrument?.quantity_step);
  return (
    <div className="flex flex-col gap-5">
      <div className="flex items-center justify-between gap-3">
        <OrderState status={order.status} note={row.cancelAsked && !meaningOf(order.status).final ? "cancel asked" : undefined} />
        <CancelButton row={row} size="medium" />
      </div>
      <p className="text-muted">{meaningOf(order.status).explain}</p>
      {order.reason && (
        <section className="rounded-control border border-hairline p-3">
          <h3 className="flex items-center gap-2 font-medium">
            <Shape name="square" className="text-critical" /> {order.reason.message}
          </h3>
          <dl className="mt-2 grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 text-dense">
            <Fact name="Rule">
              <span className="mono">{order.reason.code}</span>
            </Fact>
            <Fact name="Limit">
              <Num value={order.reason.limit} />
            </Fact>
            <Fact name="Observed">
              <Num value={order.reason.observed} />
            </Fact>
          </dl>
        </section>
      )}
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1">
        <Fact name="Type">
          {typeWord(order.type)}
          {order.time_in_force && `, ${order.time_in_force}`}
          {order.reduce_only && ", reduce only"}
          {order.good_until && (
            <>
              , until <Moment iso={order.good_until} />
            </>
          )}
        </Fact>
        {order.trigger_price !== null && (
          <Fact name="Trigger price">
            <Num value={order.trigger_price} precision={price} />
          </Fact>
        )}
        {order.trailing_ratio !== null && (
          <Fact name="Trails by">
            <Percent ratio={order.trailing_ratio} />
          </Fact>
        )}
        {order.held_by && <Fact name="Waits">{order.held_by === "venue" ? "at the venue" : "here: the venue cannot hold it"}</Fact>}
        {order.protection && (
          <Fact name="Exits as it fills">
            <Exits protection={order.protection} precision={price} />
          </Fact>
        )}
        {order.leverage !== null && (
          <Fact name="Leverage">
            <Num value={order.leverage} /> × {order.margin_mode}
          </Fact>
        )}
        {order.parent && (
          <Fact name="Guards order">
            <span className="mono break-all select-all">{order.parent}</span>
          </Fact>
        )}
        {order.replaces && (
          <Fact name="Replaces order">
            <span className="mono break-all select-all">{order.replaces}</span>
          </Fact>
        )}
        <Fact name="Limit price">
          <Num value={order.limit_price} precision={price} />
        </Fact>
        <Fact name="Filled">
          <Num value={order.filled_quantity} precision={quantity} /> of <Num value={order.quantity} precision={quantity} />
        </Fact>
        <Fact name="Average price">
          <Num value={order.average_price} precision={price} />
        </Fact>
        <Fact name="Fee">
          <Num value={order.fee_currency === null ? null : order.fee} /> {order.fee_currency}
        </Fact>
        <Fact name="Account">
          {order.account} at {order.venue}
        </Fact>
        <Fact name="Source">{sourceOf(order)}</Fact>
        <Fact name="Order id">
          <span className="mono break-all select-all">{order.order_id}</span>
        </Fact>
        <Fact name="Venue's id">
          <span className="mono break-all select-all">{order.venue_order_id ?? "—"}</span>
        </Fact>
      </dl>
      <Timeline steps={order.timeline} />
      <Fills order={order} price={price} quantity={quantity} />
    </div>
  );
}

function Exits({ protection, precision }: { protection: NonNullable<OrderDetail["protection"]>; precision: number | undefined }) {
  return (
    <>
      {protection.stop_price && (
        <>
          stop <Num value={protection.stop_price} precision={precision} />{" "}
        </>
      )}
      {protection.take_profit_price && (
        <>
          take-profit <Num value={protection.take_profit_price} precision={precision} />{" "}
        </>
      )}
      {protection.trailing_ratio && (
        <>
          trailing <Percent ratio={protection.trailing_ratio} />
        </>
      )}
    </>
  );
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="contents">
    <dt className="text-muted">{name}</dt>
    <dd className="min-w-0 text-right">{children}</dd>
  </div>
);

/** A step that two clocks disagree about has no length worth showing. */
const elapsed = (milliseconds: number | null): string => (milliseconds === null || milliseconds < 0 || milliseconds > 86_400_000 ? "—" : formatNumber(milliseconds.toFixed(1)));

function Timeline({ steps }: { steps: readonly OrderStep[] }) {
  return (
    <section>
      <h3 className="mb-2 flex items-baseline gap-2 font-semibold">
        What happened
        <span className="text-dense font-normal text-faint">
          ms after the step before · <ZoneLabel />
        </span>
      </h3>
      <ol className="flex flex-col">
        {steps.map((step, index) => (
          <li key={`${step.status} ${step.time} ${index}`} className="relative grid grid-cols-[16px_1fr_auto_auto] items-baseline gap-x-2 pb-2">
            {index < steps.length - 1 && <span aria-hidden className="absolute top-4 bottom-0 left-[4.5px] w-px bg-hairline" />}
            <Shape name={meaningOf(step.status).shape} className="translate-y-px text-muted" />
            <span>
              {meaningOf(step.status).word}
              {step.detail && <span className="block text-dense text-faint">{step.detail}</span>}
            </span>
            <span className="num text-right text-dense text-muted">{elapsed(step.milliseconds)}</span>
            <Moment iso={step.time} ours={step.time} milliseconds className="text-right text-dense text-faint" />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Fills({ order, price, quantity }: { order: OrderDetail; price: number | undefined; quantity: number | undefined }) {
  if (order.fills.length === 0) return null;
  return (
    <section>
      <h3 className="mb-2 font-semibold">Fills ({order.fills.length})</h3>
      <table className="w-full text-dense">
        <thead className="text-faint">
          <tr>
            <th className="text-left font-normal">Venue time</th>
            <th className="text-right font-normal">Quantity</th>
            <th className="text-right font-normal">Price</th>
            <th className="text-right font-normal">Liquidity</th>
          </tr>
        </thead>
        <tbody>
          {order.fills.map((fill) => (
            <tr key={fill.trade_id} className="h-6">
              <td>
                <Moment iso={fill.event_time} venue={fill.event_time} ours={fill.received_time} milliseconds className="text-muted" />
              </td>
              <td className="text-right">
                <Num value={fill.quantity} precision={quantity} />
              </td>
              <td className="text-right">
                <Num value={fill.price} precision={price} />
              </td>
              <td className="text-right text-muted">{fill.liquidity ?? "—"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
