import { TsignError } from "../errors.ts";
import { withParts } from "../format/parts.ts";
import type { Io } from "../io/io.ts";
import { Connections, type RegistryOptions } from "../oci/open.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import { readTrustPolicy } from "../trust-policy/read.ts";
import { signersOf } from "../trust-policy/read-requirements.ts";
import { PolicySources } from "../trust-policy/sources.ts";

/** A policy with everything that it names, opened at one time. */
export interface Loaded {
  /** Another one for each load: what was decided with an earlier one is not used any more. Negative for objects of a cluster. */
  readonly id: number;
  readonly policy: TrustPolicy;
  readonly sources: PolicySources;
  readonly registry: RegistryOptions;
}

/** Where a policy comes from. */
export interface PolicyOrigin {
  /** Reads the file's content. @throws TsignError of a file that cannot be read */
  readonly read: () => Promise<{ readonly content: Uint8Array; readonly path: string }>;
  readonly registry: RegistryOptions;
  /** Called with warnings about the TUF repository. */
  readonly warn: (text: string) => void;
}

/** How long keys, trusted roots and sessions of registries are used before they are opened anew. Milliseconds. */
const REFRESH_AFTER = 10 * 60_000;
/** How long to wait after they could not be opened. Milliseconds. */
const RETRY_AFTER = 60_000;

/** The policy of a running service: replaced as a whole when its file changes, and kept if the new one cannot be used. */
export class LivePolicy {
  readonly #io: Io;
  readonly #origin: PolicyOrigin;
  #current: Loaded;
  #content: Buffer;
  /** Content that was refused, so that it is refused once. */
  #refused: Buffer | undefined;
  #refreshAt: number;

  private constructor(io: Io, origin: PolicyOrigin, { loaded, content }: { loaded: Loaded; content: Buffer }) {
    this.#io = io;
    this.#origin = origin;
    this.#current = loaded;
    this.#content = content;
    this.#refreshAt = io.now().getTime() + REFRESH_AFTER;
  }

  /**
   * Reads a policy and opens everything that it names.
   *
   * @throws TsignError of the file, and of the keys and roots that it names
   */
  static async open(io: Io, origin: PolicyOrigin): Promise<LivePolicy> {
    const { content, path } = await origin.read();
    const loaded = await loadPolicy(io, { origin, content, path, id: 1 });
    return new LivePolicy(io, origin, { loaded, content: Buffer.from(content) });
  }

  get current(): Loaded {
    return this.#current;
  }

  /**
   * Reads the file again, and opens what the policy names anew if the file has changed or some time has passed.
   *
   * @returns what was done
   * @throws TsignError of a file or of something it names that cannot be used, once for each content; the earlier policy stays. If
   *   what it trusts has expired, what depends on it is refused from then on
   */
  async refresh(): Promise<"unchanged" | "reloaded" | "refreshed"> {
    const { content, path } = await this.#origin.read();
    const isSame = this.#content.equals(content);
    const now = this.#io.now().getTime();
    if (now < this.#refreshAt && (isSame || this.#refused?.equals(content))) return "unchanged";
    this.#refreshAt = now + RETRY_AFTER;
    this.#refused = isSame ? undefined : Buffer.from(content);
    const id = this.#current.id + 1;
    try {
      this.#current = await loadPolicy(this.#io, { origin: this.#origin, content, path, id });
    } catch (error) {
      if (error instanceof TsignError && error.code === "untrusted") this.#distrust(id);
      throw error;
    }
    this.#content = Buffer.from(content);
    this.#refused = undefined;
    this.#refreshAt = now + REFRESH_AFTER;
    return isSame ? "refreshed" : "reloaded";
  }

  /** Forgets what was opened and decided: each decision opens what it needs, and has the reason if that is not valid any more. */
  #distrust(id: number): void {
    const { policy } = this.#current;
    const sources = sourcesOf(this.#io, policy, this.#origin);
    this.#current = { id, policy, sources, registry: { ...this.#origin.registry, connections: new Connections() } };
  }
}

/** What a policy is loaded from. */
interface Loading {
  readonly origin: Omit<PolicyOrigin, "read">;
  readonly content: Uint8Array;
  /** For errors, and for references in it. */
  readonly path: string;
  readonly id: number;
  /** Refuses a policy before anything that it names is opened. */
  readonly check?: (policy: TrustPolicy) => void;
}

/** Reads a policy and opens everything that it names. @throws TsignError */
export async function loadPolicy(io: Io, { origin, content, path, id, check }: Loading): Promise<Loaded> {
  const policy = await readTrustPolicy(content, path);
  check?.(policy);
  const sources = sourcesOf(io, policy, origin);
  await openAll(policy, sources);
  return { id, policy, sources, registry: { ...origin.registry, connections: new Connections() } };
}

/** What a policy names, to be opened anew: the TUF repository is opened once for each Io. */
function sourcesOf(io: Io, policy: TrustPolicy, { warn }: Omit<PolicyOrigin, "read">): PolicySources {
  return new PolicySources(withParts(io, {}), policy, warn);
}

/** Opens what the rules name, so that a decision needs the registry only, and a fault is noticed before it decides. */
async function openAll({ rules, signers }: TrustPolicy, sources: PolicySources): Promise<void> {
  await sources.deniedKeys();
  for (const demand of rules.flatMap(({ demands }) => demands)) {
    await sources.policies(demand.attestation?.policies ?? []);
    for (const name of new Set(signersOf(demand.signers))) {
      const signer = signers.get(name);
      if (signer === undefined) continue;
      await sources.policyOf(signer, demand);
      await sources.trustFor(signer, demand);
    }
  }
}
