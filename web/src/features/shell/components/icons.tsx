/** Icons of the rail: one stroke weight, no fill. */
import type { Section } from "../sections";

const PATHS: Readonly<Record<Section["icon"], string>> = {
  dashboard: "M3 3h6v7H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 12h6v5H3z",
  terminal: "M5.5 3v3M5.5 13v4M4 6h3v7H4zM14.5 3v4M14.5 12v5M13 7h3v5h-3zM10 6v2M10 14v2M8.8 8h2.4v6H8.8z",
  orders: "M4 5h12M4 10h12M4 15h7",
  risk: "M10 2.5l6 2.5v5c0 4-2.6 6.4-6 7.5-3.4-1.1-6-3.5-6-7.5V5zM10 6.5v4.5M10 13.2v.3",
  strategies: "M3 14c3 0 3-8 7-8s3 8 7 8M3 17h14",
};

export function SectionIcon({ icon }: { icon: Section["icon"] }) {
  return (
    <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinejoin="round" strokeLinecap="round" aria-hidden>
      <path d={PATHS[icon]} />
    </svg>
  );
}
