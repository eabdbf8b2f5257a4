/** The theme's colours for canvases, which cannot read CSS variables themselves. */
export interface ChartColours {
  background: string;
  text: string;
  grid: string;
  edge: string;
  up: string;
  down: string;
  series: string;
  warning: string;
  muted: string;
  font: string;
}

export function readColours(): ChartColours {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    background: value("--s1"),
    text: value("--faint"),
    grid: value("--hairline"),
    edge: value("--edge"),
    up: value("--up"),
    down: value("--down"),
    series: value("--series-1"),
    warning: value("--warning"),
    muted: value("--muted"),
    font: getComputedStyle(document.body).fontFamily,
  };
}

/** "#rrggbb" with an alpha. */
export const faded = (colour: string, alpha: number): string => `${colour}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;
