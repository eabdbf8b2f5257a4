/** How this viewer likes the page. Kept in the browser; nothing here may ever say whether money is real. */
import { create } from "zustand";
import type { Zone } from "@/lib/format/time";

export interface Preferences {
  theme: "dark" | "light";
  direction: "teal-red" | "blue-orange";
  zone: Zone;
  singleKeys: boolean;
}

export const STORAGE_KEY = "algotrendy.preferences";
const DEFAULTS: Preferences = { theme: "dark", direction: "teal-red", zone: "UTC", singleKeys: true };
const CHOICES: { [K in keyof Preferences]: readonly Preferences[K][] } = {
  theme: ["dark", "light"],
  direction: ["teal-red", "blue-orange"],
  zone: ["UTC", "local"],
  singleKeys: [true, false],
};

/** Reads what was kept; anything strange falls back to the default. */
export function readPreferences(text: string | null): Preferences {
  let kept: unknown = null;
  try {
    kept = JSON.parse(text ?? "null");
  } catch {
    return DEFAULTS;
  }
  if (typeof kept !== "object" || kept === null) return DEFAULTS;
  const found = kept as Record<string, unknown>;
  const pick = <K extends keyof Preferences>(name: K): Preferences[K] => CHOICES[name].find((choice) => choice === found[name]) ?? DEFAULTS[name];
  return { theme: pick("theme"), direction: pick("direction"), zone: pick("zone"), singleKeys: pick("singleKeys") };
}

export const usePreferences = create<Preferences>(() => DEFAULTS);

/** Puts the colours on the document; the same two attributes are set by the inline script before the first paint. */
export function applyPreferences({ theme, direction }: Preferences): void {
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.direction = direction;
}

export function loadPreferences(): void {
  usePreferences.setState(readPreferences(localStorage.getItem(STORAGE_KEY)));
  applyPreferences(usePreferences.getState());
}

export function setPreference<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
  usePreferences.setState({ [name]: value } as Pick<Preferences, K>);
  const next = usePreferences.getState();
  localStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  applyPreferences(next);
}

export const useZone = (): Zone => usePreferences((preferences) => preferences.zone);

export const toggleZone = (): void => setPreference("zone", usePreferences.getState().zone === "UTC" ? "local" : "UTC");
