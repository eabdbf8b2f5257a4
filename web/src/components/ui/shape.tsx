/** Shapes that carry meaning without colour, drawn (not typed) so that every platform shows the same. Decorative to readers: the word stands beside. */
import type { JSX } from "react";

export type ShapeName = "up" | "down" | "flat" | "ring" | "half" | "dot" | "cross" | "square" | "triangle" | "hatch" | "check" | "play" | "pause" | "close" | "diamond";

const DRAWN: Readonly<Record<ShapeName, JSX.Element>> = {
  up: <path d="M5 1.5 9.2 8.5H.8Z" fill="currentColor" />,
  down: <path d="M5 8.5.8 1.5h8.4Z" fill="currentColor" />,
  flat: <path d="M1 5h8" stroke="currentColor" strokeWidth="1.6" />,
  ring: <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.5" />,
  half: (
    <>
      <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M5 1.6a3.4 3.4 0 0 0 0 6.8Z" fill="currentColor" />
    </>
  ),
  dot: <circle cx="5" cy="5" r="3.8" fill="currentColor" />,
  cross: <path d="m2 2 6 6M8 2 2 8" stroke="currentColor" strokeWidth="1.6" />,
  square: <rect x="1.4" y="1.4" width="7.2" height="7.2" fill="currentColor" />,
  triangle: (
    <>
      <path d="M5 .8 9.6 9.2H.4Z" fill="currentColor" />
      <path d="M5 3.8v2.6M5 7.2v1" stroke="var(--s1)" strokeWidth="1.1" />
    </>
  ),
  hatch: (
    <>
      <rect x="1" y="1" width="8" height="8" fill="none" stroke="currentColor" strokeWidth="1.2" />
      <path d="M1 5 5 1M1 9l8-8M5 9l4-4" stroke="currentColor" strokeWidth="1.1" />
    </>
  ),
  check: <path d="m1.5 5.4 2.5 2.5 4.6-5.6" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  play: <path d="M2 1.2 9 5 2 8.8Z" fill="currentColor" />,
  pause: <path d="M2 1.4h2.2v7.2H2zM5.8 1.4H8v7.2H5.8z" fill="currentColor" />,
  close: <path d="m1.5 1.5 7 7M8.5 1.5l-7 7" stroke="currentColor" strokeWidth="1.4" />,
  diamond: <path d="M5 .8 9.2 5 5 9.2.8 5Z" fill="none" stroke="currentColor" strokeWidth="1.4" />,
};

export function Shape({ name, size = 10, className = "" }: { name: ShapeName; size?: number; className?: string }) {
  return (
    <svg viewBox="0 0 10 10" width={size} height={size} className={`inline-block shrink-0 ${className}`} aria-hidden focusable="false">
      {DRAWN[name]}
    </svg>
  );
}
