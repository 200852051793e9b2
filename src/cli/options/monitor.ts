import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { loadPublicKey } from "../../keys/reference.ts";
import { type MonitorConfig, millisecondsOf, parseConfig } from "../../monitor/config.ts";
import type { MonitorOptions } from "../../monitor/monitor.ts";
import { openChannels } from "../../monitor/report/channels.ts";
import type { Channel } from "../../monitor/report/report.ts";
import { ctTargetsOf, type Target, targetsOf } from "../../monitor/target.ts";
import type { Watch } from "../../monitor/watch.ts";
import { readBlob } from "../../net/input.ts";
import { EXTENSION_NAMES, extensionOid } from "../../trust-policy/extensions.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type { IdentityPolicy, NamePattern, Policy } from "../../verify/model.ts";
import { exactly, matching } from "../../verify/patterns.ts";
import { parseWitness, type Witnesses } from "../../verify/witness.ts";
import type { monitorFlags } from "../flags/monitor.ts";
import type { FlagValues } from "../parser/define.ts";
import { readSigners, valuesOf } from "./signers.ts";
import { loadTrustOrSaved } from "./trust.ts";
import { loadTrustPolicy } from "./trust-policy.ts";

type Flags = FlagValues<typeof monitorFlags> & { readonly frozenAfter?: number };

/** The path of --state. @throws TsignError "usage" */
export function requireState({ state }: { state: string }): string {
  if (state !== "") return state;
  throw new TsignError("usage", "--state is required", {
    hint: "pass --state FILE, which `tsign monitor init` creates",
  });
}

/**
 * Reads what a monitor watches: the flags, the configuration, and the trusted root.
 *
 * @throws TsignError "usage" with nothing to watch for; "input" for an invalid configuration, and what the trusted root throws
 */
export async function readMonitor(
  io: Io,
  flags: Flags,
): Promise<
  Pick<MonitorOptions, "targets" | "trusted" | "watch" | "settings" | "places"> & { channels: readonly Channel[] }
> {
  const { config: path } = flags;
  const config = path === "" ? { version: 1 as const } : parseConfig(await readBlob(io, path), path);
  const { identities, keys } = await watched(io, flags, config);
  const digests = new Set(config.digests ?? []);
  if (identities.length + keys.length + digests.size === 0) {
    throw new TsignError("usage", "one of --config, --certificate-identity and --key is required", {
      hint: "pass --certificate-identity and --certificate-oidc-issuer, --key, or --config FILE",
    });
  }
  const material = await loadTrustOrSaved(io, {
    files: { trustedRoot: flags.trustedRoot === "" ? (config.trustedRoot ?? "") : flags.trustedRoot },
    needs: new Set(["logs", "authorities", ...(config.certificates ? (["ctLogs"] as const) : [])] as const),
    warn: (line) => void io.stderr.write(`WARNING: ${line}\n`),
  });
  const watch: Watch = {
    identities,
    keys,
    digests,
    expected: new Set(config.expected ?? []),
    commits: await commitsIn(io, config.commits),
    trust: { ...material, now: io.now() },
  };
  const [logs, ctLogs] = [targetsOf(material.logs), ctTargetsOf(material.ctLogs)];
  const channels = await openChannels(io, config.reports);
  return {
    watch,
    trusted: [...logs, ...ctLogs],
    targets: [...selected(logs, config, path), ...(config.certificates ? ctLogs : [])],
    settings: settingsOf(flags, config, logs),
    places: placesOf(config),
    channels,
  };
}

async function watched(io: Io, flags: Flags, config: MonitorConfig): Promise<Pick<Watch, "identities" | "keys">> {
  const identities: IdentityPolicy[] = [];
  const names = [...valuesOf(flags.certificateIdentity), ...valuesOf(flags.certificateIdentityRegexp)];
  const issuers = [...valuesOf(flags.certificateOidcIssuer), ...valuesOf(flags.certificateOidcIssuerRegexp)];
  if (names.length + issuers.length > 0) {
    const only = { ...flags, key: [], sk: false, slot: "", signatureDigestAlgorithm: "sha256" };
    for (const { signer } of await readSigners(io, only, { extensions: new Map(), hint: undefined })) {
      if (signer.kind === "identity") identities.push(signer.identity);
    }
  }
  for (const { identity, identityRegexp, issuer, issuerRegexp, extensions = {} } of config.identities ?? []) {
    identities.push({
      subject: await patterns(identity, identityRegexp),
      issuer: await patterns(issuer, issuerRegexp),
      extensions: new Map(),
      extensionPatterns: extensionsOf(extensions),
    });
  }
  const references = [...valuesOf(flags.key), ...(config.keys ?? [])];
  const keys = await Promise.all(references.map((each) => loadPublicKey(io, each)));
  const named = config.policy === undefined ? [] : await signersOf(io, config.policy);
  for (const signer of named) {
    if (signer.kind === "identity") identities.push(signer.identity);
    else keys.push(signer.key, ...(signer.key.earlier ?? []));
  }
  return { identities, keys };
}

/** The signers of a trust policy. @throws TsignError "input" */
async function signersOf(io: Io, file: string): Promise<Policy["signer"][]> {
  const policy = await loadTrustPolicy(io, file);
  const sources = new PolicySources(io, policy, (line) => void io.stderr.write(`WARNING: ${line}\n`));
  return Promise.all([...policy.signers.values()].map((signer) => sources.signerOf(signer)));
}

/** The texts that extensions must have, by OID. @throws TsignError "input" for an unknown one, or one twice */
function extensionsOf(texts: Readonly<Record<string, string>>): ReadonlyMap<string, NamePattern> {
  const found = new Map<string, NamePattern>();
  for (const [name, text] of Object.entries(texts)) {
    const oid = extensionOid(name);
    if (oid === undefined) {
      throw new TsignError("input", `identities: unknown extension ${name}`, {
        hint: `write one of ${EXTENSION_NAMES.join(", ")}`,
      });
    }
    if (found.has(oid)) throw new TsignError("input", `identities: duplicate extension ${oid}`);
    found.set(oid, exactly(text));
  }
  return found;
}

async function patterns(text: string | undefined, regexp: string | undefined): Promise<IdentityPolicy["subject"]> {
  return [...(text === undefined ? [] : [exactly(text)]), ...(regexp === undefined ? [] : [await matching(regexp)])];
}

/** The commits in a file, one on each line, as `git rev-list` prints them. @throws TsignError "input" */
async function commitsIn(io: Io, path: string | undefined): Promise<ReadonlySet<string>> {
  if (path === undefined) return new Set();
  const lines = Buffer.from(await readBlob(io, path))
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "");
  const wrong = lines.findIndex((line) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(line));
  if (wrong < 0) return new Set(lines);
  throw new TsignError("input", `read commits "${path}": line ${wrong + 1} is not the ID of a commit`, {
    hint: "write the file with `git rev-list --all`",
  });
}

/** Where our own signatures are. An entry may wait ten minutes for its signature to be stored, unless the configuration says more. */
function placesOf({ images = [], bundles = [], grace = "10m" }: MonitorConfig): MonitorOptions["places"] {
  return images.length + bundles.length > 0 ? { images, bundles, grace: millisecondsOf(grace) } : undefined;
}

/** The logs that the configuration names, else all. @throws TsignError "input" for one that is not in the trusted root */
function selected(targets: readonly Target[], { logs }: MonitorConfig, path: string): readonly Target[] {
  const missing = logs?.find(({ url }) => !targets.some((target) => target.url === url));
  if (missing) {
    throw new TsignError("input", `read configuration "${path}": log ${missing.url} is not in the trusted root`, {
      hint: `write the URL of one of its logs: ${[...new Set(targets.map(({ url }) => url))].join(", ")}`,
    });
  }
  return logs === undefined ? targets : targets.filter(({ url }) => logs.some((each) => each.url === url));
}

function settingsOf(
  { frozenAfter = 0 }: Flags,
  { logs = [] }: MonitorConfig,
  targets: readonly Target[],
): MonitorOptions["settings"] {
  const witnesses = new Map(logs.map((log) => [log.url, witnessesOf(log, targets)]));
  return ({ url, api }) => {
    const own = logs.find((each) => each.url === url);
    const limit = own?.frozenAfter === undefined ? frozenAfter : millisecondsOf(own.frozenAfter);
    return {
      searches: own?.search ?? true,
      frozenAfter: limit > 0 ? limit : undefined,
      witnesses: api === 2 ? witnesses.get(url) : undefined,
    };
  };
}

/** @throws TsignError "input" for keys that cannot be read, and a quorum that no head can reach or that nothing checks */
function witnessesOf(
  { url, witnesses = [], quorum = witnesses.length }: NonNullable<MonitorConfig["logs"]>[number],
  targets: readonly Target[],
): Witnesses | undefined {
  if (witnesses.length + quorum === 0) return undefined;
  const keys = witnesses.map(parseWitness);
  if (new Set(keys.map(({ key }) => String(key.export({ format: "jwk" }).x))).size < keys.length) {
    throw new TsignError("input", `log ${url}: two witnesses have the same key`);
  }
  if (quorum > keys.length) {
    throw new TsignError("input", `log ${url}: quorum ${quorum} is more than its ${keys.length} witnesses`);
  }
  if (!targets.some((target) => target.url === url && target.api === 2)) {
    throw new TsignError("input", `log ${url}: only heads of Rekor v2 are cosigned by witnesses`);
  }
  return { keys, quorum };
}
