"use client";
/**
 * A button that acts only after being held. Works by pointer and by keyboard (Space or Enter held).
 * Invariant: letting go early, leaving it, or losing focus does nothing.
 */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";

export const HOLD_MS = 800;

interface HoldButtonProps {
  /** For readers, after what is written on it. */
  label: string;
  holding: string;
  description: string;
  onHeld: () => void;
  disabled?: boolean;
  className?: string;
  children: React.ReactNode;
}

export function HoldButton({ label, holding, description, onHeld, disabled = false, className = "", children }: HoldButtonProps) {
  const [held, setHeld] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const press = () => {
    if (disabled || timer.current !== undefined) return;
    setHeld(true);
    timer.current = setTimeout(() => {
      timer.current = undefined;
      setHeld(false);
      onHeld();
    }, HOLD_MS);
  };
  const release = () => {
    clearTimeout(timer.current);
    timer.current = undefined;
    setHeld(false);
  };
  useEffect(() => () => clearTimeout(timer.current), []);

  const isKey = (event: KeyboardEvent) => event.key === " " || event.key === "Enter";
  return (
    <button
      type="button"
      title={description}
      disabled={disabled}
      onPointerDown={(event) => event.button === 0 && press()}
      onPointerUp={release}
      onPointerLeave={release}
      onPointerCancel={release}
      onBlur={release}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isKey(event)) return;
        event.preventDefault();
        if (!event.repeat) press();
      }}
      onKeyUp={(event) => isKey(event) && release()}
      className={`relative inline-flex shrink-0 touch-none items-center justify-center gap-1.5 overflow-hidden rounded-control border border-critical font-semibold text-critical select-none disabled:border-hairline disabled:text-faint ${className}`}
    >
      <span aria-hidden className={`absolute inset-0 origin-left bg-critical/35 ${held ? "scale-x-100 transition-transform ease-linear" : "scale-x-0"}`} style={{ transitionDuration: held ? `${HOLD_MS}ms` : "0ms" }} />
      <span className="relative inline-flex items-center gap-1.5">{held ? holding : children}</span>
      <span className="sr-only">{label}</span>
    </button>
  );
}
