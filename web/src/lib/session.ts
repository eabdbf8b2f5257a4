/** Who is here, and what they may do. The role only shapes the page: the gateway decides again on every request. */
import { create } from "zustand";
import { onSession, refresh } from "@/lib/api/client";
import type { Role, User } from "@/lib/api/types";

export interface Session {
  status: "checking" | "in" | "out" | "unreachable";
  user: User | null;
}

export const useSession = create<Session>(() => ({ status: "checking", user: null }));

/** Says that a refresh cookie may exist (the cookie itself cannot be read), so that a first visit asks for nothing. */
const HINT = "algotrendy.session";

onSession((user) => {
  if (user) localStorage.setItem(HINT, "1");
  else localStorage.removeItem(HINT);
  useSession.setState({ status: user ? "in" : "out", user });
});

/** Takes up the session that the refresh cookie still carries, if it does. */
export async function resume(): Promise<void> {
  if (localStorage.getItem(HINT) === null) return endSession();
  try {
    await refresh();
  } catch {
    useSession.setState((before) => (before.status === "in" ? before : { status: "unreachable", user: null }));
  }
}

export const endSession = (): void => useSession.setState({ status: "out", user: null });

const RANK: Readonly<Record<Role, number>> = { viewer: 0, trader: 1, admin: 2 };

export const mayAs = (role: Role | undefined, needed: Role): boolean => role !== undefined && RANK[role] >= RANK[needed];

export const useMay = (needed: Role): boolean => useSession((session) => mayAs(session.user?.role, needed));

/** Only a path of this page may be returned to after login: never another site. */
export function safeReturn(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
}
