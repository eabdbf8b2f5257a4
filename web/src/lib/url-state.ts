"use client";
/** State of a screen lives in its address, so that any view can be sent to someone. */
import { usePathname, useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** One search parameter and how to set it (null removes it), without a navigation. */
export function useUrlState(name: string): [string | null, (value: string | null) => void] {
  const pathname = usePathname();
  const value = useSearchParams().get(name);
  const set = useCallback(
    (next: string | null) => {
      const search = new URLSearchParams(window.location.search);
      if (next === null) search.delete(name);
      else search.set(name, next);
      const text = search.toString();
      window.history.replaceState(null, "", text ? `${pathname}?${text}` : pathname);
    },
    [name, pathname],
  );
  return [value, set];
}
