"use client";
/**
 * The one dialog for acts that cost something. T1 shows the consequence; T2 also asks for the account's name and a reason.
 * Invariant: focus starts on Cancel, and the act runs only by a full press and release of its own button.
 */
import { AlertDialog } from "radix-ui";
import { type ReactNode, useRef, useState } from "react";
import { ApiError } from "@/lib/api/error";
import { Button } from "./button";
import { Field, TextInput } from "./field";

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** What will happen and what will not: computed, not generic. */
  children: ReactNode;
  /** Names act, amount and mode: "Cancel buy 0.1 BTC on paper". */
  action: string;
  look?: "danger_solid" | "strong";
  /** T2: this text must be typed, and a reason given. */
  typed?: string;
  reason?: boolean;
  run: (reason: string) => Promise<unknown>;
}

export function Confirm(props: ConfirmProps) {
  return (
    <AlertDialog.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fade-in fixed inset-0 z-50 bg-bg/70" />
        {props.open && <Body {...props} />}
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

function Body({ onClose, title, children, action, look = "danger_solid", typed, reason: asksReason = false, run }: ConfirmProps) {
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const pressed = useRef(false);
  const ready = (!typed || name.trim() === typed) && (!asksReason || reason.trim().length >= 3);

  async function act() {
    if (!ready || busy) return;
    setBusy(true);
    setError(null);
    try {
      await run(reason.trim());
      onClose();
    } catch (failure) {
      setError(failure instanceof ApiError ? failure : new ApiError(0, "unexpected", "An unexpected answer came back."));
      setBusy(false);
    }
  }

  return (
    <AlertDialog.Content
      onOpenAutoFocus={(event) => {
        event.preventDefault();
        cancel.current?.focus();
      }}
      className="fade-in fixed top-1/2 left-1/2 z-50 flex max-h-[90dvh] w-[min(440px,calc(100vw-24px))] -translate-x-1/2 -translate-y-1/2 flex-col gap-3 overflow-y-auto rounded-dialog border border-hairline bg-s2 p-4 shadow-popover"
    >
      <AlertDialog.Title className="text-title font-semibold">{title}</AlertDialog.Title>
      <AlertDialog.Description asChild>
        <div className="flex flex-col gap-2 text-muted">{children}</div>
      </AlertDialog.Description>
      {typed && (
        <Field label={`Type ${typed} to go on`}>
          <TextInput value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" spellCheck={false} />
        </Field>
      )}
      {asksReason && (
        <Field label="Reason, kept with the act">
          <TextInput value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
      )}
      {error && (
        <p role="alert" className="text-critical">
          {error.message} Nothing was changed as far as this page knows.
          {error.traceId && <span className="mono block text-dense text-faint">trace {error.traceId}</span>}
        </p>
      )}
      <div className="mt-1 flex flex-wrap justify-between gap-3">
        <AlertDialog.Cancel asChild>
          <Button ref={cancel}>Go back</Button>
        </AlertDialog.Cancel>
        <Button
          look={look}
          disabled={!ready || busy}
          onPointerDown={() => {
            pressed.current = true;
          }}
          onClick={(event) => {
            // A click without its own press is a release that began elsewhere; keyboard clicks have no pointer (detail 0).
            if (pressed.current || event.detail === 0) void act();
            pressed.current = false;
          }}
        >
          {busy ? "Sending…" : action}
        </Button>
      </div>
    </AlertDialog.Content>
  );
}
