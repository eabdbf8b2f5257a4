/** The one holder of server data. The stream keeps it fresh; REST fills it first and again after each reconnection. */
import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/lib/api/error";

const refusedForGood = (error: unknown): boolean => error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Infinity,
        gcTime: 30 * 60_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 2 && !refusedForGood(error),
      },
      mutations: { retry: false },
    },
  });
}
