import { useMutation, useQueryClient } from "@tanstack/react-query";
import { post } from "@/lib/api/client";
import type { Strategy } from "@/lib/api/types";

export type StrategyAct = "start" | "pause" | "stop";

/** Asks for a change; the list shows the strategy as the server then describes it. */
export function useStrategyAct() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ strategy, act }: { strategy: string; act: StrategyAct }) => post<Strategy>(`/api/strategies/${encodeURIComponent(strategy)}/${act}`),
    onSuccess: (answer) => client.setQueryData<Strategy[]>(["strategies"], (list) => list?.map((each) => (each.strategy === answer.strategy ? answer : each))),
  });
}
