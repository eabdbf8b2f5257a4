"use client";
import { usePathname, useRouter } from "next/navigation";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { Shape } from "@/components/ui/shape";
import { endSession, resume, useSession } from "@/lib/session";
import { StreamProvider } from "@/stream/provider";
import { isHere, SECTIONS } from "../sections";
import { FrozenBanner, useTitle } from "./connection";
import { KeyMap, useKeys } from "./keys";
import { BottomTabs, Rail } from "./rail";
import { Strip } from "./strip";

/** Everything around a section. Nothing inside it is drawn before it is known who is here. */
export function Shell({ children }: { children: ReactNode }) {
  const status = useSession((session) => session.status);
  const router = useRouter();
  useEffect(() => {
    if (useSession.getState().status !== "in") void resume();
  }, []);
  useEffect(() => {
    if (status === "out") router.replace(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
  }, [status, router]);
  const unauthorised = useCallback(() => endSession(), []);

  if (status === "unreachable") return <Unreachable />;
  if (status !== "in") return <div className="h-dvh" role="status" aria-label="Checking the session" />;
  return (
    <StreamProvider onUnauthorised={unauthorised}>
      <Frame>{children}</Frame>
    </StreamProvider>
  );
}

function Frame({ children }: { children: ReactNode }) {
  const pathname = usePathname();
  const [map, setMap] = useState(false);
  const showMap = useCallback(() => setMap(true), []);
  useKeys(showMap);
  useTitle(SECTIONS.find((section) => isHere(section, pathname))?.name ?? "AlgoTrendy");
  return (
    <div className="feeds-on-link flex h-dvh flex-col">
      <a href="#content" className="sr-only z-50 bg-s2 p-2 focus:not-sr-only focus:absolute">
        Skip to content
      </a>
      <Strip onKeys={showMap} />
      <FrozenBanner />
      <div className="flex min-h-0 flex-1">
        <Rail />
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 overflow-x-hidden overflow-y-auto p-2 outline-none">
          {children}
        </main>
      </div>
      <BottomTabs />
      <KeyMap open={map} onClose={() => setMap(false)} />
    </div>
  );
}

function Unreachable() {
  return (
    <main className="flex h-dvh flex-col items-center justify-center gap-3 p-4 text-center">
      <p className="flex items-center gap-2 text-title font-semibold">
        <Shape name="triangle" size={14} className="text-warning" /> The gateway does not answer
      </p>
      <p className="max-w-96 text-muted">
        Nothing is known about the account from here. On the machine itself, <code className="mono">algotrendy status</code> tells what runs, and <code className="mono">algotrendy down</code> ends every service, so nothing more is sent.
      </p>
      <Button onClick={() => void resume()}>Try again</Button>
    </main>
  );
}
