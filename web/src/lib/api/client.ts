/**
 * Requests to the gateway with the session's bearer token.
 * Invariant: the token lives in memory only; a stale one is refreshed once, by one request for the whole page, before giving up.
 */
import { ApiError, errorFrom, unreachable } from "./error";
import type { Login, User } from "./types";

const TIMEOUT_MS = 10_000;
/** Refresh this long before the token would expire. */
const REFRESH_EARLY_S = 60;

type SessionListener = (user: User | null) => void;

let token: string | null = null;
let refreshing: Promise<boolean> | null = null;
let refreshTimer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<SessionListener>();

export function onSession(listener: SessionListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function accept(login: Login | null): void {
  token = login?.access_token ?? null;
  clearTimeout(refreshTimer);
  if (login) {
    const seconds = Math.max(login.expires_in - REFRESH_EARLY_S, login.expires_in / 2);
    refreshTimer = setTimeout(() => void refresh(), seconds * 1000);
  }
  for (const listener of listeners) listener(login?.user ?? null);
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  } catch {
    throw unreachable();
  }
}

const json = (body: unknown): RequestInit => ({ body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export async function login(username: string, password: string): Promise<User> {
  const response = await send("/api/auth/login", { method: "POST", ...json({ username, password }) });
  if (!response.ok) throw await errorFrom(response);
  const body = (await response.json()) as Login;
  accept(body);
  return body.user;
}

/** True when the session goes on; false when one must log in again. Throws when the gateway cannot be reached. */
export function refresh(): Promise<boolean> {
  // Two tabs rotating one refresh cookie at once would log each other out, hence the lock.
  const once = () => (navigator.locks ? navigator.locks.request("algotrendy-refresh", renew) : renew());
  refreshing ??= once().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renew(): Promise<boolean> {
  const response = await send("/api/auth/refresh", { method: "POST", headers: { "X-Requested-With": "algotrendy" } });
  if (response.ok) {
    accept((await response.json()) as Login);
    return true;
  }
  if (response.status === 401 || response.status === 403) {
    accept(null);
    return false;
  }
  throw await errorFrom(response);
}

export async function logout(): Promise<void> {
  try {
    await send("/api/auth/logout", { method: "POST", headers: { "X-Requested-With": "algotrendy", ...bearer() } });
  } finally {
    accept(null);
  }
}

const bearer = (): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const attempt = () => {
    const init = body === undefined ? {} : json(body);
    return send(path, { ...init, method, headers: { ...(init.headers as Record<string, string>), ...bearer() } });
  };
  let response = await attempt();
  if (response.status === 401) {
    if (!(await refresh())) throw new ApiError(401, "unauthenticated", "Your session has ended. Log in again.");
    response = await attempt();
  }
  if (!response.ok) throw await errorFrom(response);
  return (await response.json()) as T;
}

export const get = <T>(path: string): Promise<T> => request<T>("GET", path);
export const post = <T>(path: string, body: unknown = {}): Promise<T> => request<T>("POST", path, body);
export const put = <T>(path: string, body: unknown): Promise<T> => request<T>("PUT", path, body);
export const remove = <T>(path: string): Promise<T> => request<T>("DELETE", path);

/** Builds a query string from what is given; absent values are left out. */
export function query(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value != null && value !== "") search.set(name, String(value));
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}
