/** A refusal or failure of the gateway, as it said it. `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly traceId: string | null = null,
    readonly fields: Readonly<Record<string, string>> = {},
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

export async function errorFrom(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const error = isRecord(body) && isRecord(body.error) ? body.error : {};
  const text = (value: unknown, fallback: string) => (typeof value === "string" && value ? value : fallback);
  const fields = isRecord(error.fields)
    ? Object.fromEntries(Object.entries(error.fields).map(([name, message]) => [name, String(message)]))
    : {};
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError(
    response.status,
    text(error.code, `http_${response.status}`),
    text(error.message, `The gateway answered ${response.status}.`),
    typeof error.trace_id === "string" ? error.trace_id : null,
    fields,
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

export const unreachable = (): ApiError => new ApiError(0, "unreachable", "The gateway did not answer.");
