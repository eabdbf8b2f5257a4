/** The sections of the page, in the order of the rail. A section that does not exist yet is not listed. */
export interface Section {
  path: string;
  name: string;
  /** Shown under the icon on a phone. */
  short: string;
  /** Second key after `g`. */
  key: string;
  icon: "dashboard" | "terminal" | "orders" | "strategies" | "risk";
}

export const SECTIONS: readonly Section[] = [
  { path: "/", name: "Dashboard", short: "Home", key: "d", icon: "dashboard" },
  { path: "/terminal/", name: "Terminal", short: "Terminal", key: "m", icon: "terminal" },
  { path: "/orders/", name: "Orders", short: "Orders", key: "o", icon: "orders" },
  { path: "/strategies/", name: "Strategies", short: "Strategies", key: "s", icon: "strategies" },
  { path: "/risk/", name: "Risk", short: "Risk", key: "r", icon: "risk" },
];

export const isHere = (section: Section, pathname: string): boolean =>
  section.path === "/" ? pathname === "/" : `${pathname}/`.startsWith(section.path);
