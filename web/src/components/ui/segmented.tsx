/** One of a few: timeframes, sides, ranges. Arrow keys move, as in any group of radios. */
interface SegmentedProps<T extends string> {
  label: string;
  options: readonly { value: T; label: string; className?: string }[];
  value: T;
  onChange: (value: T) => void;
  className?: string;
  size?: "small" | "medium";
}

export function Segmented<T extends string>({ label, options, value, onChange, className = "", size = "small" }: SegmentedProps<T>) {
  const move = (step: number) => {
    const index = options.findIndex((option) => option.value === value);
    const next = options[(index + step + options.length) % options.length];
    if (next) onChange(next.value);
  };
  return (
    <div
      role="radiogroup"
      aria-label={label}
      className={`inline-flex rounded-control border border-hairline p-0.5 ${className}`}
      onKeyDown={(event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        move(step);
        const group = event.currentTarget;
        requestAnimationFrame(() => group.querySelector<HTMLElement>("[aria-checked=true]")?.focus());
      }}
    >
      {options.map((option) => {
        const chosen = option.value === value;
        return (
          <button
            key={option.value}
            type="button"
            role="radio"
            aria-checked={chosen}
            tabIndex={chosen ? 0 : -1}
            onClick={() => onChange(option.value)}
            className={`flex-1 rounded-[3px] px-2 text-dense whitespace-nowrap max-sm:min-h-10 ${size === "medium" ? "h-8" : "h-6"} ${chosen ? `bg-s3 font-medium text-text ${option.className ?? ""}` : "text-muted hover:text-text"}`}
          >
            {option.label}
          </button>
        );
      })}
    </div>
  );
}
