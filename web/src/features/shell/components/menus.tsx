"use client";
import { useQuery } from "@tanstack/react-query";
import { DropdownMenu, Popover } from "radix-ui";
import { Button } from "@/components/ui/button";
import { Failure, Skeleton } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Since } from "@/components/ui/time";
import { logout } from "@/lib/api/client";
import { alertsQuery } from "@/lib/api/queries";
import { type Preferences, setPreference, usePreferences } from "@/lib/preferences";
import { useSession } from "@/lib/session";

const SURFACE = "fade-in z-50 rounded-panel border border-hairline bg-s2 shadow-popover";

const grave = (severity: string) => severity === "critical" || severity === "error";

const Bell = () => (
  <svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinejoin="round" aria-hidden>
    <path d="M8 2.2a4 4 0 0 0-4 4v2.6L2.8 11.4h10.4L12 8.8V6.2a4 4 0 0 0-4-4ZM6.6 13.4a1.5 1.5 0 0 0 2.8 0" />
  </svg>
);

/** What the system says: newest first, severity as shape and word. */
export function AlertsButton() {
  const alerts = useQuery(alertsQuery);
  const list = alerts.data ?? [];
  const worst = list.some((alert) => grave(alert.severity)) ? "critical" : list.length ? "warning" : "none";
  const tone = worst === "critical" ? "text-critical" : worst === "warning" ? "text-warning" : "text-muted";
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button look="quiet" size="small" className={`h-7 ${tone} max-sm:min-h-11 max-sm:min-w-11 max-sm:px-1`}>
          {worst === "none" ? <Bell /> : <Shape name={worst === "critical" ? "square" : "triangle"} />}
          <span className="max-xl:sr-only">alerts</span> <span className="num">{list.length}</span>
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content align="end" sideOffset={6} className={`${SURFACE} max-h-[60dvh] w-[min(400px,calc(100vw-16px))] overflow-y-auto`} aria-label="Alerts">
          {alerts.isPending && <Skeleton rows={2} className="p-3" />}
          {alerts.error && <Failure what="Alerts" error={alerts.error} retry={() => void alerts.refetch()} />}
          {alerts.data && list.length === 0 && <p className="p-4 text-muted">No alerts. What the platform notices about itself will be listed here.</p>}
          <ul>
            {list.map((alert) => (
              <li key={alert.alert_id} className="flex gap-2 border-b border-hairline px-3 py-2 last:border-b-0">
                <Shape name={grave(alert.severity) ? "square" : "triangle"} className={`mt-1.5 ${grave(alert.severity) ? "text-critical" : "text-warning"}`} />
                <div className="min-w-0">
                  <p className="break-words">{alert.message}</p>
                  <p className="text-dense text-faint">
                    {alert.severity} · {alert.service} · <span className="mono">{alert.code}</span> · <Since iso={alert.time} />
                  </p>
                </div>
              </li>
            ))}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

const ITEM = "flex h-8 cursor-pointer items-center gap-2 rounded-control px-2 outline-none data-highlighted:bg-s3 max-sm:h-11";

function Choice<K extends keyof Preferences>({ name, options }: { name: K; options: readonly { value: Preferences[K]; label: string }[] }) {
  const value = usePreferences((preferences) => preferences[name]);
  return (
    <DropdownMenu.RadioGroup value={String(value)} onValueChange={(next) => options.forEach((option) => String(option.value) === next && setPreference(name, option.value))}>
      {options.map((option) => (
        <DropdownMenu.RadioItem key={String(option.value)} value={String(option.value)} className={ITEM} onSelect={(event) => event.preventDefault()}>
          <span className="w-3">
            <DropdownMenu.ItemIndicator>
              <Shape name="check" />
            </DropdownMenu.ItemIndicator>
          </span>
          {option.label}
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function UserMenu({ onKeys }: { onKeys: () => void }) {
  const user = useSession((session) => session.user);
  if (!user) return null;
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <Button look="quiet" size="small" className="h-7 max-sm:min-h-11 max-sm:min-w-11 max-sm:px-1">
          <span aria-hidden className="flex size-5 items-center justify-center rounded-full bg-s3 text-label font-semibold text-text uppercase">{user.username.slice(0, 1)}</span>
          <span className="max-xl:sr-only">{user.username}</span>
          <span className="sr-only">, {user.role}: menu</span>
        </Button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={6} className={`${SURFACE} w-56 p-1`}>
          <p className="px-2 py-1.5 text-dense text-faint">
            {user.display_name} · {user.role}
          </p>
          <DropdownMenu.Label className="label px-2 pt-1">Theme</DropdownMenu.Label>
          <Choice name="theme" options={[{ value: "dark", label: "Dark" }, { value: "light", label: "Light" }]} />
          <DropdownMenu.Label className="label px-2 pt-1">Up and down</DropdownMenu.Label>
          <Choice name="direction" options={[{ value: "teal-red", label: "Teal and red" }, { value: "blue-orange", label: "Blue and orange" }]} />
          <DropdownMenu.Label className="label px-2 pt-1">Single keys</DropdownMenu.Label>
          <Choice name="singleKeys" options={[{ value: true, label: "On" }, { value: false, label: "Off" }]} />
          <DropdownMenu.Separator className="my-1 h-px bg-hairline" />
          <DropdownMenu.Item className={ITEM} onSelect={onKeys}>
            <span className="w-3" />
            Keys <kbd className="mono ml-auto text-faint">?</kbd>
          </DropdownMenu.Item>
          <DropdownMenu.Item className={ITEM} onSelect={() => void logout()}>
            <span className="w-3" />
            Log out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
