/** One ticking second for the whole page, so that ages move together and cost one timer. */
import { useSyncExternalStore } from "react";

const EVERY_MS = 500;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const each of listeners) each();
  }, EVERY_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Calls `listener` with every beat, outside React. */
export const onBeat = subscribe;

/** Re-renders with every beat, but only when what `select` gives has changed. */
export function useBeat<T extends string | number | boolean | null>(select: () => T): T {
  return useSyncExternalStore(subscribe, select, select);
}
