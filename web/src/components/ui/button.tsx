/** Buttons. Colour is kept for acts on money; everything else is grey. */
import type { ButtonHTMLAttributes, Ref } from "react";

const LOOKS = {
  plain: "border border-edge bg-s2 text-text hover:bg-s3",
  outline: "border border-hairline text-muted hover:border-edge hover:bg-s3 hover:text-text",
  quiet: "border border-transparent text-muted hover:bg-s3 hover:text-text",
  buy: "border border-transparent bg-up text-ink font-semibold hover:brightness-110",
  sell: "border border-transparent bg-down text-ink font-semibold hover:brightness-110",
  danger: "border border-critical text-critical hover:bg-s3",
  danger_solid: "border border-transparent bg-critical text-ink font-semibold hover:brightness-110",
  strong: "border border-transparent bg-text text-bg font-semibold hover:brightness-90",
} as const;

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
  size?: "small" | "medium" | "large";
  ref?: Ref<HTMLButtonElement>;
}

const SIZES = { small: "h-6 px-2 text-dense", medium: "h-8 px-3 text-body", large: "h-10 px-4 text-form" } as const;

export function Button({ look = "plain", size = "medium", className = "", type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={`inline-flex shrink-0 items-center justify-center gap-1.5 rounded-control whitespace-nowrap transition-colors duration-80 select-none disabled:cursor-not-allowed disabled:border-hairline disabled:bg-transparent disabled:font-normal disabled:text-faint disabled:hover:brightness-100 max-sm:min-h-11 ${SIZES[size]} ${LOOKS[look]} ${className}`}
      {...rest}
    />
  );
}
