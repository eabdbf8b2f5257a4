"use client";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Toasts } from "@/components/ui/toasts";
import { onSession } from "@/lib/api/client";
import { setLocale } from "@/lib/format/number";
import { loadPreferences } from "@/lib/preferences";
import { createQueryClient } from "@/lib/query-client";

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(createQueryClient);
  useEffect(() => {
    setLocale(navigator.language);
    loadPreferences();
    // What one user read must not be shown to the next.
    return onSession((user) => user === null && client.clear());
  }, [client]);
  return (
    <QueryClientProvider client={client}>
      {children}
      <Toasts />
    </QueryClientProvider>
  );
}
