/** A figure. Its digits are equally wide, its raw value is what gets copied from the tooltip, and absent is "—". */
import { parse, round, signOf } from "@/lib/decimal";
import { directionOf, formatNumber, formatPercent, type NumberStyle } from "@/lib/format/number";
import type { Look } from "@/lib/look";
import { Shape } from "./shape";

export interface NumProps extends NumberStyle {
  value: string | null | undefined;
  unit?: string;
  look?: Look;
  className?: string;
  title?: string;
}

export function Num({ value, unit, look, className = "", title, ...style }: NumProps) {
  return (
    <span className={`num ${className}`} data-look={look} title={title ?? (value ? `${value}${unit ? ` ${unit}` : ""}` : undefined)}>
      {formatNumber(value, style)}
      {unit && value != null && <span className="ml-1 text-faint">{unit}</span>}
    </span>
  );
}

export const directionTone = (direction: -1 | 0 | 1 | null): string => (direction === 1 ? "text-up" : direction === -1 ? "text-down" : "text-muted");

/** A change or P&L: sign, shape and colour together. */
export function Delta({ value, precision = 2, unit, shape = false, className = "" }: NumProps & { shape?: boolean }) {
  // What rounds to nothing has no direction.
  const exact = parse(value);
  const direction = exact && signOf(round(exact, precision));
  return (
    <span className={`num ${directionTone(direction)} ${className}`} title={value ? `${value}${unit ? ` ${unit}` : ""}` : undefined}>
      {shape && direction !== null && direction !== 0 && <Shape name={direction > 0 ? "up" : "down"} size={8} className="mr-1" />}
      {formatNumber(value, { precision, sign: true })}
      {unit && value != null && <span className="ml-1 text-faint">{unit}</span>}
    </span>
  );
}

export function Percent({ ratio, sign = false, precision = 2, className = "", coloured = false }: { ratio: string | null | undefined; sign?: boolean; precision?: number; className?: string; coloured?: boolean }) {
  return (
    <span className={`num ${coloured ? directionTone(directionOf(ratio)) : ""} ${className}`}>
      {formatPercent(ratio, { precision, sign })}
      {ratio != null && " %"}
    </span>
  );
}
