// How long a caller wants to wait, as it says so in a header. A wish longer than a call may take is cut down: Connect would refuse
// the call, and who is patient has done nothing wrong.

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** Connect's header, and the one of gRPC and gRPC-Web; each with its number of milliseconds, undefined for what is none. */
export const timeoutHeaders = {
  'connect-timeout-ms': (value: string) => (/^\d{1,10}$/.test(value) ? Number(value) : undefined),
  'grpc-timeout'(value: string) {
    const [, count, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
    return count === undefined ? undefined : Number(count) * (units[unit] ?? 0);
  },
} satisfies Record<string, (value: string) => number | undefined>;

const written = {
  'connect-timeout-ms': (ms: number) => String(ms),
  'grpc-timeout': (ms: number) => `${ms}m`,
} satisfies Record<keyof typeof timeoutHeaders, (ms: number) => string>;

/** What to put in the place of a header's value, or undefined to leave it: it is short enough, or nonsense for Connect to refuse. */
export function shorterTimeout(
  name: keyof typeof timeoutHeaders,
  value: string | undefined,
  maxMs: number,
): string | undefined {
  const ms = value === undefined ? undefined : timeoutHeaders[name](value);
  return ms === undefined || ms <= maxMs ? undefined : written[name](maxMs);
}

/** The headers themselves where nothing is to be cut. */
export function withShorterTimeouts(headers: Headers, maxMs: number): Headers {
  let cut: Headers | undefined;
  for (const name of Object.keys(timeoutHeaders) as (keyof typeof timeoutHeaders)[]) {
    const shorter = shorterTimeout(name, headers.get(name) ?? undefined, maxMs);
    if (shorter === undefined) continue;
    cut ??= new Headers(headers);
    cut.set(name, shorter);
  }
  return cut ?? headers;
}
