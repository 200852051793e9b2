import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { loadPublicKey } from "../../keys/reference.ts";
import { type MonitorConfig, millisecondsOf, parseConfig } from "../../monitor/config.ts";
import type { MonitorOptions } from "../../monitor/monitor.ts";
import { openChannels } from "../../monitor/report/channels.ts";
import type { Channel } from "../../monitor/report/report.ts";
import type { Watch } from "../../monitor/watch.ts";
import { readBlob } from "../../net/input.ts";
import type { IdentityPolicy } from "../../verify/model.ts";
import type { monitorFlags } from "../flags/monitor.ts";
import type { FlagValues } from "../parser/define.ts";
import { settingsOf, watchedLogs } from "./monitor-logs.ts";
import { authoritiesOf, identitiesOf, orderedBy, policySigners } from "./monitor-signers.ts";
import { readSigners, valuesOf } from "./signers.ts";
import { loadTrustOrSaved } from "./trust.ts";

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
  const authorities = await authoritiesOf(io, config);
  if (identities.length + keys.length + digests.size + authorities.length === 0) {
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
    ordered: await orderedBy(io, config),
    authorities,
    trust: { ...material, authorities: [...material.authorities, ...authorities], now: io.now() },
  };
  const { targets, trusted } = await watchedLogs(io, material, { config, path });
  const channels = await openChannels(io, config.reports);
  return {
    watch,
    trusted,
    targets,
    settings: settingsOf(flags, config, trusted),
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
  identities.push(...(await identitiesOf(config)));
  const references = [...valuesOf(flags.key), ...(config.keys ?? [])];
  const keys = await Promise.all(references.map((each) => loadPublicKey(io, each)));
  const named = await policySigners(io, config.policy);
  return { identities: [...identities, ...named.identities], keys: [...keys, ...named.keys] };
}

/** Where our own signatures are. An entry may wait ten minutes for its signature to be stored, unless the configuration says more. */
function placesOf({ images = [], bundles = [], grace = "10m" }: MonitorConfig): MonitorOptions["places"] {
  return images.length + bundles.length > 0 ? { images, bundles, grace: millisecondsOf(grace) } : undefined;
}
