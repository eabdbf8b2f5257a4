/**
 * Where on a chart of recorded data something of our own belongs. A replayed market runs by the recording's clock while the venue
 * stamps orders with the wall clock; moments known in both tie the two together.
 * Invariant: without such a moment before it, nothing is placed: a mark on a wrong bar is worse than none.
 */
export interface Anchor {
  /** The same moment by our clock and by the market's, milliseconds UTC. */
  ours: number;
  venue: number;
}

/** The market's time at a moment of ours: between two anchors by proportion, after the last by the pace of the last two. */
export function venueClock(anchors: readonly Anchor[]): (ours: number) => number | null {
  const known = [...anchors].sort((a, b) => a.ours - b.ours).filter((anchor, index, all) => index === 0 || anchor.ours > (all[index - 1]?.ours ?? 0));
  return (ours) => {
    const next = known.findIndex((anchor) => anchor.ours > ours);
    const before = known[(next < 0 ? known.length : next) - 1];
    if (!before) return null;
    const [from, to] = next < 0 ? [known.at(-2), before] : [before, known[next]];
    if (!from || !to) return ours - before.ours < 2_000 ? before.venue : null;
    const pace = (to.venue - from.venue) / (to.ours - from.ours);
    return pace < 0 ? before.venue : before.venue + (ours - before.ours) * pace;
  };
}
