/** Stopping and resuming trading. These go over REST, so that they work when the stream does not. */
import { post } from "./client";
import type { Halt, HaltResult } from "./types";

const scopeOf = (account: string) => (account ? { scope: "account", account } : { scope: "all" });

export const halt = (account: string, reason: string): Promise<HaltResult> => post("/api/halt", { ...scopeOf(account), reason });

/** What a halt covers, as the command names it. */
export const scopeOfHalt = ({ level, key }: Pick<Halt, "level" | "key">): Record<string, string> =>
  level === "strategy" ? { scope: "strategy", strategy: key } : level === "account" ? { scope: "account", account: key } : { scope: "all" };

/** One of the two who release a halt: the answer says whether it is released now. */
export const release = (halt: Pick<Halt, "level" | "key">, reason: string): Promise<HaltResult> => post("/api/resume", { ...scopeOfHalt(halt), reason });

export const haltMore = (halt: Pick<Halt, "level" | "key">, reason: string, flatten: boolean): Promise<HaltResult> => post("/api/halt", { ...scopeOfHalt(halt), reason, flatten });

/** What to type on the machine itself when even REST does not answer: it needs no server but the broker gateway. */
export const STOP_COMMAND = "algotrendy halt --reason page";
