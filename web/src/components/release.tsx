"use client";
import { useQueryClient } from "@tanstack/react-query";
import { Confirm } from "@/components/ui/confirm";
import { tell } from "@/components/ui/toasts";
import type { Halt } from "@/lib/api/types";
import { useSession } from "@/lib/session";
import { useLink } from "@/stream/link";
import { release } from "@/lib/api/trading";

export const haltName = ({ level, key }: Pick<Halt, "level" | "key">): string => (level === "global" ? "all trading" : `${level} ${key}`);

/** What must be typed before a halt is released. */
const typedOf = ({ level, key }: Pick<Halt, "level" | "key">): string => (level === "global" ? "all trading" : key);

/** A halt is released by two people: the first asks, a second one carries it out. */
export function ReleaseDialog({ halt, onClose }: { halt: Pick<Halt, "level" | "key" | "release_asked_by"> | null; onClose: () => void }) {
  const client = useQueryClient();
  const me = useSession((session) => session.user?.username);
  const account = useLink((state) => state.account);
  const first = halt?.release_asked_by ?? null;
  const own = first !== null && first === me;
  const name = halt ? haltName(halt) : "";
  return (
    <Confirm
      open={halt !== null}
      onClose={onClose}
      title={`Resume ${name}`}
      action={first && !own ? `Resume ${name}` : "Ask for the release"}
      look="strong"
      typed={halt ? typedOf(halt) : ""}
      reason
      run={async (reason) => {
        if (!halt) return;
        const answer = await release(halt, reason);
        client.setQueryData(["halts"], answer.halts);
        if (answer.released) tell("release", `${name} is released`, "Orders are accepted again.");
        else tell("release", "A second person has to confirm", `${name} stays halted until somebody else confirms the release.`);
        const state = answer.accounts[account];
        if (state) useLink.setState({ tradingState: state });
        await client.invalidateQueries({ queryKey: ["overview", account] });
      }}
    >
      {first === null && <p>It takes two people. You ask now; nothing is released until somebody else confirms.</p>}
      {own && <p>You have asked for it already. Somebody else has to confirm.</p>}
      {first !== null && !own && <p>{first} has asked for it. With your word orders are accepted again, and running strategies may trade at once. Limits that were breached stay in force.</p>}
    </Confirm>
  );
}
