import { TsignError } from "../../errors.ts";
import { hash } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { type MonitorConfig, millisecondsOf } from "../../monitor/config.ts";
import type { MonitorOptions } from "../../monitor/monitor.ts";
import { type Api, ctTargetsOf, type Target, targetsOf } from "../../monitor/target.ts";
import { readBlob } from "../../net/input.ts";
import { logsOf } from "../../services/trust/files.ts";
import type { Log, TrustedMaterial } from "../../trust/material.ts";
import { parseWitness, type Witnesses } from "../../verify/witness.ts";

type LogConfig = NonNullable<MonitorConfig["logs"]>[number];

/**
 * The logs that are watched, and all that are trusted. A configuration that names no log of a kind (Rekor, CT) watches all of that
 * kind, CT logs only with `certificates`.
 *
 * @param path of the configuration, for messages
 * @throws TsignError "input" for a log without a key that is not in the trusted root
 */
export async function watchedLogs(
  io: Io,
  { logs, ctLogs }: TrustedMaterial,
  { config, path }: { config: MonitorConfig; path: string },
): Promise<Pick<MonitorOptions, "targets" | "trusted">> {
  const own: Target[] = [];
  for (const each of config.logs ?? []) if (each.key !== undefined) own.push(await ownLog(io, each));
  const rooted = [...targetsOf(logs), ...ctTargetsOf(ctLogs)];
  const known = [...rooted.filter((target) => !own.some((each) => isSameLog(each, target))), ...own];
  const missing = config.logs?.find(({ url }) => !known.some((target) => target.url === url));
  if (missing) {
    throw new TsignError("input", `read configuration "${path}": log ${missing.url} is not in the trusted root`, {
      hint: `write its key and api, or the URL of one of the logs there: ${[...new Set(known.map(({ url }) => url))].join(", ")}`,
    });
  }
  const trusted = known.map((target) => {
    const { readAt } = config.logs?.find((each) => isNamed(each, target)) ?? {};
    return readAt === undefined ? target : { ...target, readAt: new URL(readAt) };
  });
  const [rekor, ct] = [trusted.filter(({ api }) => api !== "ct"), trusted.filter(({ api }) => api === "ct")];
  const named = trusted.filter((target) => config.logs?.some((each) => isNamed(each, target)));
  const isAll = (targets: readonly Target[]) =>
    config.logs === undefined || (named.length > 0 && !named.some((each) => targets.includes(each)));
  const watched = (targets: readonly Target[]) =>
    isAll(targets) ? targets : targets.filter((each) => named.includes(each));
  const ctWatched = named.some((each) => ct.includes(each)) ? watched(ct) : ct;
  return { targets: [...watched(rekor), ...(config.certificates ? ctWatched : [])], trusted };
}

const isSameLog = (a: Target, b: Target) => a.url === b.url && a.api === b.api;

/** Whether a configuration's log is this one: a URL may be that of several, of different APIs. */
const isNamed = ({ url, api }: LogConfig, target: Target) =>
  target.url === url && (api === undefined || target.api === api);

/** A log that the configuration describes. @throws TsignError "input" */
async function ownLog(io: Io, { url, key = "", api }: LogConfig): Promise<Target> {
  if (api === undefined || !URL.canParse(url)) {
    throw new TsignError("input", `log ${url}: a log with a key requires a URL and api`, {
      hint: 'write "api": 1 or 2 for Rekor, "ct" for a certificate transparency log',
    });
  }
  const pem = Buffer.from(await readBlob(io, key)).toString("latin1");
  const logs = logsOf(pem, { path: key, baseUrl: url });
  return { url, api, logs: logs.map((log) => withId(log, api)) };
}

/** The ID of a Rekor v2 log is that of its checkpoint's key (C2SP signed-note): of its name and its raw key. */
function withId(log: Log, api: Api): Log {
  if (api !== 2) return log;
  const raw = log.key.export({ type: "spki", format: "der" }).subarray(-32);
  const id = hash("sha256", Buffer.concat([Buffer.from(`${new URL(log.baseUrl).hostname}\n`), Buffer.of(1), raw]));
  return { ...log, id };
}

/** The settings of each log: of the configuration, or of the flags. @throws TsignError "input" as `witnessesOf` does */
export function settingsOf(
  { frozenAfter = 0 }: { readonly frozenAfter?: number },
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
