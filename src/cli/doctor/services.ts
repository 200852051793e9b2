import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { apiUrl, get, jsonOf, refusal, serviceClient, wrongAnswer } from "../../services/exchange.ts";
import { logInfo } from "../../services/rekor-v1-log.ts";
import { checkpointV2, tilesUrl } from "../../services/tiles.ts";
import { requestTimestamp } from "../../services/timestamp.ts";
import { readSigningConfig, selectServices } from "../../trust/signing-config.ts";
import { type Finding, failed } from "./finding.ts";

const DOWN = "check the address and the network, or sign with another --signing-config";

/** A service of the signing config, and how it is asked something that changes nothing. */
interface Probe {
  /** `Fulcio fulcio.example`. */
  readonly subject: string;
  /** Returns what the service answered. */
  readonly ask: () => Promise<string>;
}

/**
 * Asks every service of a signing config that is valid now something that changes nothing; a timestamp authority is asked for a
 * timestamp of random bytes.
 *
 * @param name the name of the config in messages
 */
export async function checkServices(io: Io, config: Uint8Array, name: string): Promise<Finding[]> {
  const base = { check: "signing config", subject: name } as const;
  let probes: Probe[];
  try {
    probes = probesOf(io, config, name);
  } catch (error) {
    return [failed(base, error, "create one with `tsign signing-config create`")];
  }
  const count = `${probes.length} services are valid now`;
  const findings = await Promise.all(probes.map(askService));
  return [{ ...base, state: "ok", detail: probes.length === 1 ? "1 service is valid now" : count }, ...findings];
}

async function askService({ subject, ask }: Probe): Promise<Finding> {
  const base = { check: "service", subject } as const;
  try {
    return { ...base, state: "ok", detail: await ask() };
  } catch (error) {
    return failed(base, error, DOWN);
  }
}

function probesOf(io: Io, bytes: Uint8Array, name: string): Probe[] {
  const config = readSigningConfig(bytes, name);
  const options = { now: io.now(), random: () => 0 };
  selectServices(config, options); // what signing would refuse is refused here
  const all = { kind: "all" } as const;
  const usable = selectServices({ ...config, logSelector: all, timestampSelector: all }, options);
  const { certificateAuthority, oidcIssuer, logs, timestampAuthorities } = usable;
  return [
    ...(certificateAuthority ? [fulcioProbe(io, certificateAuthority.url)] : []),
    ...(oidcIssuer ? [issuerProbe(io, oidcIssuer.url)] : []),
    ...logs.map(({ url, version }) => (version === 1 ? rekorProbe(io, url) : rekorV2Probe(io, url))),
    ...timestampAuthorities.map(({ url }) => timestampProbe(io, url)),
  ];
}

function fulcioProbe(io: Io, url: URL): Probe {
  return {
    subject: `Fulcio ${url.host}`,
    async ask() {
      const client = serviceClient(io, { service: "fulcio", url });
      const answer = await get(client, apiUrl(client, "/api/v2/trustBundle"));
      if (answer.status !== 200) throw refusal(client, answer);
      const json = jsonOf(client, answer.bytes);
      if (!isObject(json) || !Array.isArray(json["chains"])) throw wrongAnswer(client, "returned no trust bundle");
      return "answers";
    },
  };
}

function issuerProbe(io: Io, url: URL): Probe {
  return {
    subject: `OIDC issuer ${url.host}`,
    async ask() {
      const { discover } = await import("../../services/oidc/client.ts");
      await discover(io, { issuer: url, clientId: "sigstore", clientSecret: undefined });
      return "answers";
    },
  };
}

function rekorProbe(io: Io, url: URL): Probe {
  return {
    subject: `Rekor ${url.host}`,
    async ask() {
      const { active } = await logInfo(serviceClient(io, { service: "rekor", url }));
      return `answers, tree size ${active.size}`;
    },
  };
}

function rekorV2Probe(io: Io, url: URL): Probe {
  return {
    subject: `Rekor v2 ${url.host}`,
    async ask() {
      const client = serviceClient(io, { service: "rekor", url: tilesUrl(url) });
      const [, size = ""] = (await checkpointV2(client)).split("\n");
      if (!/^\d{1,15}$/.test(size)) throw wrongAnswer(client, "returned an invalid checkpoint");
      return `answers, tree size ${size}`;
    },
  };
}

function timestampProbe(io: Io, url: URL): Probe {
  return {
    subject: `timestamp authority ${url.host}`,
    async ask() {
      await requestTimestamp(io, { url, message: io.random(32), nonce: io.random(16) });
      return "answers";
    },
  };
}
