import { TsignError } from "../../errors.ts";
import { SERVICES, type ServiceName } from "./names.ts";

/** What can go wrong on request, and what its value means. */
export const FAULTS = {
  "rate-limit": "429; value: seconds of Retry-After, 1 by default",
  status: "an error; value: its status, 500 by default",
  slow: "answers late; value: milliseconds, 2000 by default",
  torn: "reads half of the request, then drops the connection",
  cut: "drops the connection in the middle of the answer",
  garbage: "200 with something that is no answer",
  "no-etag": "Rekor v1 names no entry in ETag",
  "bad-set": "Rekor v1 signs another entry's promise",
  "bad-proof": "a Rekor's inclusion proof leads to another root",
  "stale-checkpoint": "a Rekor's checkpoint is of the tree before the entry",
  "bad-checkpoint": "a Rekor's checkpoint has a wrong signature",
  "bad-sct": "the certificate's SCT has a wrong signature",
  "other-key": "the certificate is for another key",
  "wrong-imprint": "the timestamp is of something else",
  "wrong-nonce": "the timestamp answers another nonce",
  rejected: "the timestamp authority rejects the request",
} as const;
type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly service: ServiceName;
  readonly kind: FaultKind;
  readonly value?: string;
  /** How often it happens; always when not given. */
  readonly times?: number;
  /** Only requests whose path holds this text. */
  readonly path?: string;
}

/** The faults of one request. Asking for one that is switched on uses it up once. */
export interface FaultSwitches {
  has(kind: FaultKind): boolean;
  /** The fault's value, `otherwise` when it has none; undefined when it is not switched on. */
  value(kind: FaultKind, otherwise: string): string | undefined;
}

/** The sandbox's faults: what is switched on now. */
export interface Faults {
  add(fault: Fault): void;
  clear(): void;
  for(service: ServiceName, path: string): FaultSwitches;
}

/** Faults, of which some may be on from the start. */
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
      value: (kind, otherwise) => {
        const fault = take(service, path, kind);
        return fault && (fault.value ?? otherwise);
      },
    }),
  };
}

/**
 * Reads `service:fault[=value][*times]`, e.g. `rekor1:no-etag`, `tsa:slow=500`, `fulcio:rate-limit=1*2`.
 *
 * @throws TsignError "usage"
 */
export function parseFault(text: string): Fault {
  const [, service, kind, value, times] = /^([a-z0-9]+):([a-z-]+)(?:=(\w+))?(?:\*(\d+))?$/.exec(text) ?? [];
  if (!SERVICES.some((known) => known === service)) {
    throw new TsignError("usage", `"${text}" is not a fault`, {
      hint: `service:fault[=value][*times]; services: ${SERVICES.join(", ")}`,
    });
  }
  if (!Object.hasOwn(FAULTS, kind ?? "")) {
    throw new TsignError("usage", `"${text}" is not a fault`, { hint: `faults: ${Object.keys(FAULTS).join(", ")}` });
  }
  return {
    service: service as ServiceName,
    kind: kind as FaultKind,
    ...(value === undefined ? {} : { value }),
    ...(times === undefined ? {} : { times: Number(times) }),
  };
}
