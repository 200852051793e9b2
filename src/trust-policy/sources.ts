import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { withSubject } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { defaultHashes, publicKeyFromPem } from "../keys/index.ts";
import { loadPublicKey } from "../keys/reference.ts";
import type { PublicKey } from "../keys/types.ts";
import { type PolicySource, readPolicies } from "../policy/index.ts";
import { loadTrust, type Needs, type TrustFiles } from "../services/trust/sources.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { NamePattern, Policy } from "../verify/model.ts";
import type { Demand, PolicyText, Signer, TextPattern, TrustPolicy } from "./model.ts";

/** Name of the trusted material that signers without their own use, if the policy defines it. */
const DEFAULT_TRUST = "default";

/** Opens the keys, trusted roots and files that a policy names, each once, when they are needed. */
export class PolicySources {
  readonly #io: Io;
  readonly #policy: TrustPolicy;
  readonly #warn: (text: string) => void;
  readonly #loaded = new Map<string, Promise<unknown>>();

  /** @param warn called with warnings about the TUF repository */
  constructor(io: Io, policy: TrustPolicy, warn: (text: string) => void) {
    this.#io = io;
    this.#policy = policy;
    this.#warn = warn;
  }

  /**
   * The key of a reference in the policy: PEM text, or what --key accepts.
   *
   * @throws TsignError
   */
  key(reference: string): Promise<PublicKey> {
    return this.#once(`key ${reference}`, async () => {
      if (!reference.includes("-----BEGIN")) return loadPublicKey(this.#io, this.#resolve(reference));
      return withSubject(`key in ${this.#policy.path}`, () => publicKeyFromPem(reference));
    });
  }

  /** Fingerprints (SHA-256 of the SubjectPublicKeyInfo, hex) of the denied keys, with the reasons. Opens all of them. */
  deniedKeys(): Promise<ReadonlyMap<string, string>> {
    return this.#once("denied", async () => {
      const keys = new Map<string, string>();
      for (const { reference, reason } of this.#policy.denied.keys) {
        const key = await this.key(reference);
        for (const each of [key, ...(key.earlier ?? [])]) keys.set(fingerprint(each), reason);
      }
      return keys;
    });
  }

  /** What `verify` must require of one signer's signatures. */
  async policyOf(signer: Signer, demand: Demand): Promise<Omit<Policy, "claims">> {
    const { log, timestamp } = demand;
    const name = this.#trustName(signer, demand);
    const ignoresScts = name !== undefined && this.#policy.trust.get(name)?.insecureIgnoreSct === true;
    const sct = ignoresScts ? "insecureSkip" : ({ detached: undefined } as const);
    return { signer: await this.signerOf(signer), log, timestamp, sct };
  }

  /** The key or identity of a signer. Earlier versions of a key that are denied are left out. */
  async signerOf(signer: Signer): Promise<Policy["signer"]> {
    if (signer.kind === "identity") {
      const identity = {
        subject: [namePattern(signer.identity)],
        issuer: [namePattern(signer.issuer)],
        extensions: new Map<string, string>(),
        extensionPatterns: new Map([...signer.extensions].map(([oid, pattern]) => [oid, namePattern(pattern)])),
      };
      return { kind: "identity", identity };
    }
    const loaded = await this.key(signer.reference);
    const denied = await this.deniedKeys();
    const earlier = loaded.earlier?.filter((each) => !denied.has(fingerprint(each)));
    const key: PublicKey = earlier === undefined ? loaded : { ...loaded, earlier };
    return { kind: "key", key, hashes: defaultHashes(key) };
  }

  /**
   * The trusted material for one signer: the signer's, else the demand's, else that named `default`, else what the environment
   * and TUF provide.
   */
  trustFor(signer: Signer, demand: Demand): Promise<TrustedMaterial> {
    const name = this.#trustName(signer, demand);
    const text = name === undefined ? {} : (this.#policy.trust.get(name) ?? {});
    const file = (reference: string | undefined) => (reference === undefined ? undefined : this.#resolve(reference));
    const named = {
      trustedRoot: file(text.trustedRoot),
      caRoots: file(text.authorities),
      caIntermediates: file(text.intermediates),
      timestampCertificateChain: file(text.timestampAuthority),
    };
    const files: TrustFiles = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
    const needs = needsOf(signer, demand, text.insecureIgnoreSct === true);
    return this.#once(`trust ${name ?? ""} ${[...needs].join()}`, () =>
      loadTrust(this.#io, { files, needs, warn: this.#warn }),
    );
  }

  /** The texts of CUE and Rego policies. */
  async policies(texts: readonly PolicyText[]): Promise<readonly PolicySource[]> {
    const read = texts.map(async (each) => {
      if (!("file" in each)) return [each];
      return this.#once(`policy ${each.file}`, () => readPolicies(this.#io, [this.#resolve(each.file)]));
    });
    return (await Promise.all(read)).flat();
  }

  #trustName(signer: Signer, demand: Demand): string | undefined {
    return signer.trust ?? demand.trust ?? (this.#policy.trust.has(DEFAULT_TRUST) ? DEFAULT_TRUST : undefined);
  }

  /** A path in the policy is relative to the policy's folder. `-` is a file: a policy reads nothing from standard input. */
  #resolve(reference: string): string {
    return pathBeside(this.#policy.path, reference);
  }

  #once<T>(name: string, load: () => Promise<T>): Promise<T> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known as Promise<T>;
    const loading = load();
    this.#loaded.set(name, loading);
    return loading;
  }
}

/** A reference in a file: a relative path is relative to the file's folder. URLs and absolute paths are unchanged. */
export function pathBeside(file: string, reference: string): string {
  if (/^[a-z][a-z0-9+.-]+:/i.test(reference) || isAbsolute(reference)) return reference;
  const folder = /^(.*)[/\\]/s.exec(file)?.[1] ?? ".";
  return `${folder}/${reference}`;
}

/** The SHA-256 of a key's SubjectPublicKeyInfo, in hex. */
export function fingerprint({ spki }: Pick<PublicKey, "spki">): string {
  return createHash("sha256").update(spki).digest("hex");
}

function namePattern({ text, none, matches }: TextPattern): NamePattern {
  return { text, matches, ...(none ? { matchesNone: true } : {}) };
}

/** The parts of the trusted material that are used. A time is demanded by `until` and `maxAge`. */
function needsOf(signer: Signer, demand: Demand, ignoresScts: boolean): Needs {
  const needs = new Set<keyof TrustedMaterial>();
  if (signer.kind === "identity") needs.add("authorities");
  if (signer.kind === "identity" && !ignoresScts) needs.add("ctLogs");
  if (demand.log === "required") needs.add("logs");
  const dated = signer.until !== undefined || demand.maxAge !== undefined;
  if (demand.timestamp === "required" || dated) needs.add("timestampAuthorities");
  return needs;
}
