"use client";
import { useQuery } from "@tanstack/react-query";
import { useRouter, useSearchParams } from "next/navigation";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Field, TextInput } from "@/components/ui/field";
import { ModeBadge } from "@/components/ui/marks";
import { login } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { statusQuery } from "@/lib/api/queries";
import { resume, safeReturn, useSession } from "@/lib/session";

/** Whole seconds until a lock-out ends, counted down; 0 when there is none. */
function useCountdown(): [number, (seconds: number) => void] {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, setLeft];
}

const saying = (error: ApiError): string => {
  if (error.unreachable) return "The gateway does not answer. Is the platform running?";
  if (error.status === 401) return "That name and password do not belong together.";
  if (error.status === 429) return "Too many attempts.";
  return error.message;
};

export function LoginForm() {
  const router = useRouter();
  const next = safeReturn(useSearchParams().get("next"));
  const status = useQuery({ ...statusQuery, refetchInterval: 5_000 });
  const session = useSession((state) => state.status);
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [lockedFor, lockFor] = useCountdown();
  const passwordInput = useRef<HTMLInputElement>(null);

  useEffect(() => void resume(), []);
  useEffect(() => {
    if (session === "in") router.replace(next);
  }, [session, router, next]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || lockedFor > 0) return;
    setBusy(true);
    setError(null);
    try {
      await login(username.trim(), password);
    } catch (failure) {
      const known = failure instanceof ApiError ? failure : new ApiError(0, "unexpected", "An unexpected answer came back.");
      setError(saying(known));
      if (known.status === 429) lockFor(Math.ceil(known.retryAfterSeconds ?? 30));
      setPassword("");
      passwordInput.current?.focus();
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className="flex min-h-dvh items-center justify-center overflow-y-auto p-4">
      <div className="flex w-full max-w-[340px] flex-col gap-6">
        <header className="flex items-center justify-between">
          <h1 className="text-page font-semibold tracking-tight">AlgoTrendy</h1>
          {status.data && (
            <span className="flex items-center gap-1.5">
              <ModeBadge mode={status.data.mode} />
              {status.data.replay && <span className="inline-flex h-6 items-center rounded-full border-2 border-dotted border-edge px-2 text-dense text-muted">REPLAY</span>}
            </span>
          )}
        </header>
        <form onSubmit={submit} className="panel flex flex-col gap-4 p-6" aria-label="Log in">
          <Field label="Name">
            <TextInput name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus required value={username} onChange={(event) => setUsername(event.target.value)} />
          </Field>
          <Field label="Password">
            <TextInput ref={passwordInput} name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
          </Field>
          {(error || lockedFor > 0) && (
            <p role="alert" className="text-critical">
              {lockedFor > 0 ? `Too many attempts. Try again in ${lockedFor} s.` : error}
            </p>
          )}
          <Button type="submit" look="strong" size="large" disabled={busy || lockedFor > 0}>
            {busy ? "Checking…" : "Log in"}
          </Button>
        </form>
        <p className="text-dense text-faint" role="status">
          {status.data
            ? `Version ${status.data.version} · ${status.data.mode === "paper" ? "paper account, no real money" : "live account, real money"}${status.data.replay ? " · replays recorded data" : ""}${status.data.ready ? "" : " · still starting"}`
            : status.error
              ? "The gateway does not answer yet; asking again every few seconds."
              : "Asking the gateway…"}
        </p>
      </div>
    </main>
  );
}
