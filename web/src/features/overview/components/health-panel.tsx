"use client";
import { useQuery } from "@tanstack/react-query";
import { Panel, Skeleton } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Since } from "@/components/ui/time";
import { overviewQuery } from "@/lib/api/queries";
import { useLink } from "@/stream/link";
import { isWell } from "../needs";

/** Services and what this page itself has noticed; one line while all is well. */
export function HealthPanel({ className }: { className?: string }) {
  const account = useLink((state) => state.account);
  const dropped = useLink((state) => state.dropped);
  const gaps = useLink((state) => state.gaps);
  const overview = useQuery(overviewQuery(account)).data;
  const services = overview?.services ?? [];
  const ill = services.filter((service) => !isWell(service.state));
  return (
    <Panel title="Health" className={className} bodyClass="overflow-y-auto">
      {!overview ? (
        <Skeleton rows={2} className="p-3" />
      ) : (
        <details className="group" open={ill.length > 0}>
          <summary className="flex min-h-9 list-none items-center gap-2 px-3 hover:bg-s3 max-sm:min-h-11">
            <Shape name={ill.length ? "triangle" : "dot"} size={9} className={ill.length ? "text-warning" : "text-muted"} />
            {services.length === 0 ? "No service has reported." : ill.length === 0 ? `${services.length} services well` : `${ill.length} of ${services.length} services not well`}
            <span className="ml-auto text-dense text-faint">
              {dropped + gaps > 0 ? `${dropped} unreadable, ${gaps} gaps` : ""} <span className="group-open:hidden">show</span>
              <span className="hidden group-open:inline">hide</span>
            </span>
          </summary>
          <table className="w-full text-dense">
            <tbody>
              {services.map((service) => (
                <tr key={service.service} className="h-7 border-t border-hairline/60">
                  <td className="pl-3">{service.service}</td>
                  <td className={isWell(service.state) ? "text-muted" : "text-warning"}>
                    {!isWell(service.state) && <Shape name="triangle" className="mr-1" />}
                    {service.state}
                    {service.detail && <span className="text-faint"> · {service.detail}</span>}
                  </td>
                  <td className="pr-3 text-right">
                    <Since iso={service.time} className="text-faint" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </Panel>
  );
}
