/**
 * Exact decimal arithmetic on the strings the server sends.
 * Invariant: money never passes through a binary float, and a text that is not a number gives `null`, never NaN.
 */
export interface Decimal {
  readonly digits: bigint;
  /** Number of decimal places; `digits` is the value times ten to this power. */
  readonly scale: number;
}

const PATTERN = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
const power = (n: number): bigint => 10n ** BigInt(n);

export function parse(text: string | null | undefined): Decimal | null {
  if (text == null) return null;
  const match = PATTERN.exec(text.trim());
  if (!match) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  let digits = BigInt(whole + fraction);
  let scale = fraction.length - Number(exponent);
  if (scale < 0) {
    digits *= power(-scale);
    scale = 0;
  }
  return { digits: sign === "-" ? -digits : digits, scale };
}

const align = (a: Decimal, b: Decimal): [bigint, bigint, number] => {
  const scale = Math.max(a.scale, b.scale);
  return [a.digits * power(scale - a.scale), b.digits * power(scale - b.scale), scale];
};

export function add(a: Decimal, b: Decimal): Decimal {
  const [left, right, scale] = align(a, b);
  return { digits: left + right, scale };
}

export const negate = (a: Decimal): Decimal => ({ digits: -a.digits, scale: a.scale });
export const subtract = (a: Decimal, b: Decimal): Decimal => add(a, negate(b));
export const multiply = (a: Decimal, b: Decimal): Decimal => ({ digits: a.digits * b.digits, scale: a.scale + b.scale });

/** Quotient cut (not rounded) at `scale` places; `null` when dividing by zero. */
export function divide(a: Decimal, b: Decimal, scale: number): Decimal | null {
  if (b.digits === 0n) return null;
  return { digits: (a.digits * power(scale + b.scale)) / (b.digits * power(a.scale)), scale };
}

export function compare(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const [left, right] = align(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export const signOf = (a: Decimal): -1 | 0 | 1 => (a.digits < 0n ? -1 : a.digits > 0n ? 1 : 0);
export const absolute = (a: Decimal): Decimal => (a.digits < 0n ? negate(a) : a);

/** Rounds half away from zero, as a trader would by hand. */
export function round(a: Decimal, scale: number): Decimal {
  if (a.scale <= scale) return { digits: a.digits * power(scale - a.scale), scale };
  const divisor = power(a.scale - scale);
  const magnitude = (absolute(a).digits * 2n + divisor) / (divisor * 2n);
  return { digits: a.digits < 0n ? -magnitude : magnitude, scale };
}

/** The largest multiple of `step` that is not above `a`; `a` itself when the step is zero. */
export function floorTo(a: Decimal, step: Decimal): Decimal {
  if (step.digits === 0n) return a;
  const [value, unit, scale] = align(a, step);
  return { digits: value - (((value % unit) + unit) % unit), scale };
}

export const isMultipleOf = (a: Decimal, step: Decimal): boolean => compare(floorTo(a, step), a) === 0;

export function toText(a: Decimal): string {
  const magnitude = absolute(a).digits.toString().padStart(a.scale + 1, "0");
  const cut = magnitude.length - a.scale;
  const text = a.scale ? `${magnitude.slice(0, cut)}.${magnitude.slice(cut)}` : magnitude;
  return a.digits < 0n ? `-${text}` : text;
}

/** For charts and bars only, where a pixel is coarser than a float. */
export function toNumber(text: string | null | undefined): number | null {
  const value = parse(text);
  return value ? Number(toText(value)) : null;
}
