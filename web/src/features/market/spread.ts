/** Distance of ask from bid in basis points of the middle, as text. */
import { add, divide, parse, round, subtract, toText } from "@/lib/decimal";
import { ABSENT } from "@/lib/format/number";

export function spreadText(quote: { bid: string | null; ask: string | null }): string {
  const bid = parse(quote.bid);
  const ask = parse(quote.ask);
  if (!bid || !ask) return ABSENT;
  const spread = subtract(ask, bid);
  const sum = add(ask, bid);
  const ratio = divide({ digits: spread.digits * 20_000n, scale: spread.scale }, sum, 4);
  return ratio ? toText(round(ratio, 2)) : ABSENT;
}
