/** The document of limits as fields that people can change. Pure. */
import { parse } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";

export interface LimitField {
  name: string;
  label: string;
  text: string;
  /** Lists and the like are written as JSON. */
  json: boolean;
}

const labelOf = (name: string): string => name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());

export const fieldsOf = (document: Readonly<Record<string, unknown>>): LimitField[] =>
  Object.entries(document).map(([name, value]) => {
    const json = typeof value === "object" && value !== null;
    return { name, label: labelOf(name), text: value === null ? "" : json ? JSON.stringify(value) : String(value), json };
  });

/** A value as people read it: thousands apart, durations in words, instruments by name. */
export function valueText(value: unknown): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(itemText).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  const text = String(value);
  const duration = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text);
  if (duration) return ["d", "h", "min", "s"].flatMap((unit, index) => (duration[index + 1] ? [`${duration[index + 1]} ${unit}`] : [])).join(" ") || "0 s";
  return parse(text) ? formatNumber(text) : text;
}

const itemText = (item: unknown): string => {
  if (typeof item === "object" && item !== null && "symbol" in item) return `${String(item.symbol)}${"venue" in item ? ` at ${String(item.venue)}` : ""}`;
  return String(item);
};

/** The document with what was typed; a field keeps the kind it had. Null where something cannot be read, with its name. */
export function documentOf(before: Readonly<Record<string, unknown>>, typed: Readonly<Record<string, string>>): { document: Record<string, unknown> } | { wrong: string } {
  const document: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(before)) {
    const text = typed[name];
    if (text === undefined) document[name] = value;
    else if (typeof value === "object" && value !== null) {
      try {
        document[name] = JSON.parse(text);
      } catch {
        return { wrong: labelOf(name) };
      }
    } else if (text.trim() === "") document[name] = null;
    else if (typeof value === "number") {
      const number = Number(text);
      if (!Number.isFinite(number)) return { wrong: labelOf(name) };
      document[name] = number;
    } else if (typeof value === "boolean") {
      if (text !== "true" && text !== "false") return { wrong: labelOf(name) };
      document[name] = text === "true";
    } else document[name] = text.trim();
  }
  return { document };
}

/** What a change changes, for the last look before it is sent. */
export function changesOf(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  const show = (value: unknown) => (value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.keys(after)
    .filter((name) => show(before[name]) !== show(after[name]))
    .map((name) => `${labelOf(name)}: ${show(before[name])} → ${show(after[name])}`);
}
