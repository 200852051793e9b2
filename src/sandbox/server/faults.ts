import { TsignError } from "../../errors.ts";
import { SERVICES, type ServiceName } from "./names.ts";

/** The faults that can be switched on, with the meaning of their values. */
export const FAULTS = {
  "rate-limit": "returns 429; value: seconds in Retry-After, 1 by default",
  status: "returns an error; value: its status, 500 by default",
  slow: "delays the answer; value: milliseconds, 2000 by default",
  torn: "reads half of the request, then closes the connection",
  cut: "closes the connection in the middle of the answer",
  garbage: "returns 200 with an invalid body",
  "no-etag": "Rekor v1 omits the ETag header",
  "bad-set": "Rekor v1 signs the timestamp of another entry",
  "bad-proof": "Rekor returns an inclusion proof for another root",
  "stale-checkpoint": "Rekor returns the checkpoint from before the entry",
  "bad-checkpoint": "the log returns a head with an invalid signature",
  head: "the log returns the head of its first entries, as a frozen or shrunken log; value: their number",
  forked: "the log shows a tree in which one entry is another; value: the index of the entry",
  "changed-entry": "the log returns another entry than the one in its tree; value: the index of the entry",
  "hidden-entry": "the log does not return an entry; value: the index of the entry",
  cosigned: "witnesses have cosigned the head of Rekor v2; value: how many of the two in witnesses.txt, 1 by default",
  shard: "Rekor v1 has begun a new tree; value: the number of entries before it",
  "bad-sct": "Fulcio returns a certificate with an invalid SCT",
  "other-key": "Fulcio returns a certificate for another key",
  "wrong-imprint": "the timestamp authority stamps another digest",
  "wrong-nonce": "the timestamp authority returns another nonce",
  rejected: "the timestamp authority rejects the request",
} as const;
type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly service: ServiceName;
  readonly kind: FaultKind;
  readonly value?: string;
  /** Number of requests it applies to; all by default. */
  readonly times?: number;
  /** Limits it to requests whose path contains this text. */
  readonly path?: string;
}

/** The faults of one request. Each call for an active fault counts as one use. */
export interface FaultSwitches {
  has(kind: FaultKind): boolean;
  /** Returns the fault's value, or `defaultValue` when it has none; undefined when the fault is off. */
  value(kind: FaultKind, defaultValue: string): string | undefined;
}

/** The sandbox's active faults. */
export interface Faults {
  add(fault: Fault): void;
  clear(): void;
  for(service: ServiceName, path: string): FaultSwitches;
}

/** Creates the faults, with those that are active from the start. */
export function createFaults(initial: readonly Fault[] = []): Faults {
  let active: { fault: Fault; left: number }[] = [];
  const add = (fault: Fault) => {
    active.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  };
  for (const fault of initial) add(fault);
  const take = (service: ServiceName, path: string, kind: FaultKind): Fault | undefined => {
    const found = active.find(
      ({ fault, left }) =>
        left > 0 && fault.service === service && fault.kind === kind && path.includes(fault.path ?? ""),
    );
    if (found) found.left--;
    return found?.fault;
  };
  return {
    add,
    clear: () => {
      active = [];
    },
    for: (service, path) => ({
      has: (kind) => take(service, path, kind) !== undefined,
      value: (kind, defaultValue) => {
        const fault = take(service, path, kind);
        return fault && (fault.value ?? defaultValue);
      },
    }),
  };
}

/**
 * Parses `service:fault[=value][*times]`, such as `rekor1:no-etag`, `tsa:slow=500` or `fulcio:rate-limit=1*2`.
 *
 * @throws TsignError "usage"
 */
export function parseFault(text: string): Fault {
  const [, service, kind, value, times] = /^([a-z0-9]+):([a-z-]+)(?:=(\w+))?(?:\*(\d+))?$/.exec(text) ?? [];
  if (!SERVICES.some((known) => known === service)) {
    throw new TsignError("usage", `parse fault "${text}": unknown service`, {
      hint: `use service:fault[=value][*times] with one of the services ${SERVICES.join(", ")}`,
    });
  }
  if (!Object.hasOwn(FAULTS, kind ?? "")) {
    const hint = `use one of the faults ${Object.keys(FAULTS).join(", ")}`;
    throw new TsignError("usage", `parse fault "${text}": unknown fault`, { hint });
  }
  return {
    service: service as ServiceName,
    kind: kind as FaultKind,
    ...(value === undefined ? {} : { value }),
    ...(times === undefined ? {} : { times: Number(times) }),
  };
}
