"use client";
/** Answers to what one has just done: at most three, six seconds, errors stay until closed. Never the only record. */
import { Toaster, toast } from "sonner";
import { ApiError } from "@/lib/api/error";
import { usePreferences } from "@/lib/preferences";

const SHOWN_MS = 6_000;

export function Toasts() {
  const theme = usePreferences((preferences) => preferences.theme);
  return (
    <Toaster
      theme={theme}
      position="bottom-right"
      visibleToasts={3}
      closeButton
      offset={{ bottom: 16, right: 16 }}
      mobileOffset={{ bottom: 72 }}
      toastOptions={{
        duration: SHOWN_MS,
        style: { background: "var(--s2)", color: "var(--text)", border: "1px solid var(--hairline)", boxShadow: "var(--shadow)", fontFamily: "inherit", borderRadius: 6 },
      }}
    />
  );
}

export const tell = (id: string, title: string, description?: string, action?: { label: string; onClick: () => void }): void => {
  toast(title, { id, description, action, duration: SHOWN_MS });
};

export function tellError(id: string, title: string, error: unknown): void {
  const known = error instanceof ApiError ? error : null;
  const trace = known?.traceId ? ` (trace ${known.traceId})` : "";
  toast.error(title, { id, description: `${known?.message ?? "An unexpected answer came back."}${trace}`, duration: Infinity });
}
