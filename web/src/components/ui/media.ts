/** Questions to the window about its own size. */
import { useCallback, useSyncExternalStore } from "react";

/** Whether the media query holds; false before the browser has taken over. */
export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (listener: () => void) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    [query],
  );
  return useSyncExternalStore(
    subscribe,
    () => window.matchMedia(query).matches,
    () => false,
  );
}

/** Phone width: cards instead of rows, sheets instead of drawers. */
export const useNarrow = (): boolean => useMedia("(max-width: 639px)");
