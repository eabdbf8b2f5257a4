/** Turns the server's decimal strings into text for eyes. Absent or malformed is "—", never 0 or NaN. */
import { type Decimal, parse, round, signOf, absolute, toText } from "@/lib/decimal";

export const ABSENT = "—";
export const MINUS = "−";

interface Separators {
  group: string;
  decimal: string;
}

function separatorsOf(locale: string | undefined): Separators {
  const parts = new Intl.NumberFormat(locale).formatToParts(-1234567.5);
  const find = (type: string) => parts.find((part) => part.type === type)?.value;
  return { group: find("group") ?? "", decimal: find("decimal") ?? "." };
}

let separators: Separators | undefined;

/** Fixes the locale whose separators are used; called once at start, and by tests. */
export function setLocale(locale: string | undefined): void {
  separators = separatorsOf(locale);
}

/** Decimal places of a price or quantity step: "0.010" → 2, "1" → 0. */
export function precisionOf(step: string | null | undefined): number | undefined {
  const value = parse(step);
  if (!value || value.digits === 0n) return undefined;
  let { digits, scale } = value;
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n;
    scale -= 1;
  }
  return scale;
}

export interface NumberStyle {
  /** Decimal places; without it the text's own places are kept. */
  precision?: number | undefined;
  /** Write + and − (P&L and changes only). */
  sign?: boolean;
}

export function formatNumber(text: string | null | undefined, style: NumberStyle = {}): string {
  const value = parse(text);
  return value ? formatDecimal(value, style) : ABSENT;
}

export function formatDecimal(value: Decimal, { precision, sign = false }: NumberStyle = {}): string {
  separators ??= separatorsOf(undefined);
  const rounded = precision === undefined ? value : round(value, precision);
  const direction = signOf(rounded);
  const [whole = "0", fraction] = toText(absolute(rounded)).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, separators.group);
  const prefix = direction < 0 ? MINUS : sign && direction > 0 ? "+" : "";
  return prefix + grouped + (fraction ? separators.decimal + fraction : "");
}

/** A ratio as percent without the sign of percent: the unit belongs to the header or follows as text. */
export function formatPercent(ratio: string | null | undefined, style: NumberStyle = {}): string {
  const value = parse(ratio);
  if (!value) return ABSENT;
  return formatDecimal({ digits: value.digits * 100n, scale: value.scale }, { precision: 2, ...style });
}

const STEPS: readonly [bigint, number, string][] = [
  [1_000_000_000n, 9, "B"],
  [1_000_000n, 6, "M"],
];

/** Shortened for cards ("1.24 M"); the exact value belongs into the title. */
export function formatShort(text: string | null | undefined, style: NumberStyle = {}): string {
  const value = parse(text);
  if (!value) return ABSENT;
  const whole = absolute(round(value, 0)).digits;
  const step = STEPS.find(([limit]) => whole >= limit);
  if (!step) return formatDecimal(value, { precision: 2, ...style });
  return `${formatDecimal({ digits: value.digits, scale: value.scale + step[1] }, { ...style, precision: 2 })} ${step[2]}`;
}

/** −1, 0 or 1 for colour and shape; `null` when there is no number. */
export function directionOf(text: string | null | undefined): -1 | 0 | 1 | null {
  const value = parse(text);
  return value ? signOf(value) : null;
}

/** The precision, unless it would show something that exists as nothing: then every digit is shown. */
export function precisionShowing(text: string | null | undefined, precision: number | undefined): number | undefined {
  const value = parse(text);
  if (!value || precision === undefined || signOf(value) === 0) return precision;
  return signOf(round(value, precision)) === 0 ? undefined : precision;
}
