import { TsignError } from "../../errors.ts";
import { withParts } from "../../format/parts.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { readDistributedRoot } from "../../services/trust/distributed-root.ts";
import { currentSource, openTuf } from "../../services/tuf/index.ts";
import type { Repository } from "../../services/tuf/workflow.ts";
import { isWithin, type TrustedMaterial } from "../../trust/material.ts";
import { readTrustedRoot } from "../../trust/trusted-root.ts";
import { type Finding, failed } from "./finding.ts";

/** Milliseconds before the end of the TUF root from which it is reported. */
const SOON = 7 * 24 * 60 * 60 * 1000;
const UPDATE = "run `tsign initialize` with a network connection, and check this machine's clock";

/** What was found about the trust, and the signing config that comes with it. */
interface TrustFindings {
  readonly findings: readonly Finding[];
  /** The signing config of the TUF repository; undefined without one. */
  readonly signingConfig?: Uint8Array;
}

/** Checks a trusted root file: that it can be read, and that something in it is valid now. */
export async function checkTrustedRoot(io: Io, path: string): Promise<Finding> {
  const base = { check: "trust", subject: path } as const;
  try {
    return contentFinding(io, base, readTrustedRoot(await readBlob(io, path), path));
  } catch (error) {
    return failed(base, error, "save another one with `tsign trusted-root create`");
  }
}

/** Reports whether trusted material has something that is valid now. */
function contentFinding(io: Io, base: Pick<Finding, "check" | "subject">, trust: TrustedMaterial, more = ""): Finding {
  const kinds = [
    ["certificate authority", trust.authorities],
    ["transparency log", trust.logs],
  ] as const;
  const ended = kinds.filter(([, list]) => list.length > 0 && !list.some((each) => isWithin(each.validFor, io.now())));
  const counts = `certificate authorities: ${trust.authorities.length}, transparency logs: ${trust.logs.length}`;
  if (ended.length === 0) return { ...base, state: "ok", detail: `${counts}${more}` };
  const names = ended.map(([name]) => `no ${name} is valid now`).join(", ");
  return {
    ...base,
    state: "warning",
    detail: `old: ${names}${more}`,
    hint: "get the current trusted root; new signatures do not verify with this one",
  };
}

/** Updates the trust material from the TUF mirror without storing it, and reports its age. */
export async function checkTuf(io: Io): Promise<TrustFindings> {
  let subject = "TUF";
  try {
    const warnings: string[] = [];
    const own = withParts(io, { stderr: { write: (text: string) => void warnings.push(text.trim()) } });
    const { mirror, anchor, cache } = await currentSource(own);
    subject = mirror.host || mirror.href;
    let current: Repository | undefined;
    const keep = async (repository: Repository) => {
      current = repository;
    };
    const tuf = await openTuf(own, { mirror, anchor, cache: { ...cache, keep }, hint: UPDATE });
    const trust = await readDistributedRoot(tuf, (text) => warnings.push(text));
    const base = { check: "trust", subject } as const;
    const age = current ? ageFinding(io, base, current) : cachedFinding(base, warnings);
    const content = contentFinding(io, base, trust, current ? `, ${expiryText(current)}` : "");
    const findings = [age ?? content];
    try {
      return { findings, signingConfig: await tuf.target("signing_config.v0.2.json") };
    } catch (error) {
      return { findings: [...findings, noConfig(subject, error)] };
    }
  } catch (error) {
    return { findings: [failed({ check: "trust", subject }, error, UPDATE)] };
  }
}

/** A repository may have no signing config; then there is one to pass for signing. */
function noConfig(subject: string, error: unknown): Finding {
  const finding = failed({ check: "signing config", subject }, error, "to sign, pass --signing-config FILE");
  return error instanceof TsignError && error.code === "untrusted" ? { ...finding, state: "warning" } : finding;
}

function expiryText({ root, timestamp }: Repository): string {
  const { signed } = root.metadata;
  return `TUF root version ${signed.version} expires at ${signed.expires}, the timestamp at ${timestamp.metadata.signed.expires}`;
}

/** Reports a root that expires soon: whoever runs the mirror must publish another one. */
function ageFinding(io: Io, base: Pick<Finding, "check" | "subject">, repository: Repository): Finding | undefined {
  const { expires } = repository.root.metadata.signed;
  if (Date.parse(expires) - io.now().getTime() > SOON) return undefined;
  const hint = "get the next root from the operator of the mirror, then run `tsign initialize`";
  return { ...base, state: "warning", detail: `${expiryText(repository)}`, hint };
}

/** Reports that the mirror could not be reached, and that the cache was used. */
function cachedFinding(base: Pick<Finding, "check" | "subject">, warnings: readonly string[]): Finding {
  const [first = "the mirror cannot be reached; using cached trust material"] = warnings;
  return { ...base, state: "warning", detail: first.replace(/^WARNING: /, ""), hint: UPDATE };
}
