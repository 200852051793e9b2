import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceSpec, validityOf } from "../../cli/options/service-spec.ts";
import { defineCommand, type FlagValues, flag } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { distributedTarget } from "../../services/trust/sources.ts";
import { readSigningConfig, readSigningConfigMessage } from "../../trust/signing-config.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const MAX_UINT32 = 2 ** 32 - 1;
const SPEC = "url=…,api-version=…,start-time=…,operator=…[,end-time=…]";

const flags = {
  baseConfig: flag.string("signing config file to start from"),
  fulcio: flag.texts(`a certificate authority: ${SPEC}`),
  noDefaultFulcio: flag.bool("leave out the certificate authorities of the config started from"),
  noDefaultOidc: flag.bool("leave out the OIDC issuers of the config started from"),
  noDefaultRekor: flag.bool("leave out the transparency logs of the config started from"),
  noDefaultTsa: flag.bool("leave out the timestamp authorities of the config started from"),
  oidcProvider: flag.texts(`an OIDC issuer: ${SPEC}`),
  out: flag.string("file to write to instead of stdout", { output: true }),
  rekor: flag.texts(`a transparency log: ${SPEC}`),
  rekorConfig: flag.string("how many logs to use: ANY, ALL or EXACT:n"),
  tsa: flag.texts(`a timestamp authority: ${SPEC}`),
  tsaConfig: flag.string("how many timestamp authorities to use: ANY, ALL or EXACT:n"),
  withDefaultRekorV2: flag.bool("start from the services that TUF distributes, those of Rekor v2"),
  withDefaultServices: flag.bool("start from the services that TUF distributes"),
};

type CreateFlags = FlagValues<typeof flags>;
type Service = Record<string, unknown>;

/** A SigningConfig in protobuf JSON; empty lists are left out when it is written. */
interface Config {
  caUrls: Service[];
  oidcUrls: Service[];
  rekorTlogUrls: Service[];
  rekorTlogConfig: Record<string, unknown>;
  tsaUrls: Service[];
  tsaConfig: Record<string, unknown>;
}

export default defineCommand({
  usage: "[flags]",
  summary: "Write a file that names the services to sign with",
  about:
    "Writes a signing config, for --signing-config: certificate authorities, OIDC issuers, transparency logs and timestamp " +
    "authorities, each with the time from when on it may be used.",
  examples: [
    "tsign signing-config create --rekor url=https://rekor.example,api-version=2,start-time=2026-01-01T00:00:00Z," +
      "operator=example --rekor-config ANY --out signing-config.json",
    "tsign signing-config create --with-default-services --no-default-tsa",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["baseConfig", "withDefaultRekorV2"],
    ["baseConfig", "withDefaultServices"],
  ],
  bindEnvironment: false,
  async run(io, { flags }) {
    const config = await startingPoint(io, flags);
    if (flags.noDefaultFulcio) config.caUrls = [];
    if (flags.noDefaultOidc) config.oidcUrls = [];
    if (flags.noDefaultRekor) Object.assign(config, { rekorTlogUrls: [], rekorTlogConfig: {} });
    if (flags.noDefaultTsa) Object.assign(config, { tsaUrls: [], tsaConfig: {} });
    addServices(config, flags);
    const text = write(config);
    readSigningConfig(Buffer.from(text), "the new signing config");
    if (flags.out === "") io.stdout.data(`${text}\n`);
    else await writeOutput(io, { path: flags.out, content: text });
  },
});

/** With a base config, the services given take the place of its own; with the distributed one they are added. */
function addServices(config: Config, flags: CreateFlags): void {
  const given = {
    caUrls: services(flags.fulcio, "fulcio"),
    oidcUrls: services(flags.oidcProvider, "oidc-provider"),
    rekorTlogUrls: services(flags.rekor, "rekor"),
    tsaUrls: services(flags.tsa, "tsa"),
  };
  const replace = flags.baseConfig !== "";
  for (const name of Object.keys(given) as (keyof typeof given)[]) {
    if (given[name].length > 0) config[name] = replace ? given[name] : [...config[name], ...given[name]];
  }
  requireSelector(flags.rekor, flags.rekorConfig, "rekor");
  requireSelector(flags.tsa, flags.tsaConfig, "tsa");
  if (flags.rekorConfig !== "") config.rekorTlogConfig = selector(flags.rekorConfig, "rekor-config");
  if (flags.tsaConfig !== "") config.tsaConfig = selector(flags.tsaConfig, "tsa-config");
}

function requireSelector(specs: readonly string[], config: string, name: string): void {
  if (specs.length === 0 || config !== "") return;
  throw new TsignError("usage", `--${name}-config must be provided when --${name} is specified`, {
    hint: "ANY, ALL or EXACT:n",
  });
}

async function startingPoint(io: Io, flags: CreateFlags): Promise<Config> {
  if (flags.baseConfig !== "") return read(await readBlob(io, flags.baseConfig), flags.baseConfig);
  if (!flags.withDefaultServices && !flags.withDefaultRekorV2) return read(undefined, "");
  const name = flags.withDefaultRekorV2 ? "signing_config_rekor_v2.v0.2.json" : "signing_config.v0.2.json";
  return read(await distributedTarget(io, name), `the distributed ${name}`);
}

function read(bytes: Uint8Array | undefined, path: string): Config {
  if (bytes) readSigningConfig(bytes, path);
  const from = bytes ? readSigningConfigMessage(bytes, path) : {};
  return {
    caUrls: [...(from.caUrls ?? [])] as Service[],
    oidcUrls: [...(from.oidcUrls ?? [])] as Service[],
    rekorTlogUrls: [...(from.rekorTlogUrls ?? [])] as Service[],
    rekorTlogConfig: { ...from.rekorTlogConfig },
    tsaUrls: [...(from.tsaUrls ?? [])] as Service[],
    tsaConfig: { ...from.tsaConfig },
  };
}

function services(specs: readonly string[], what: string): Service[] {
  return specs.map((text) => {
    const required = ["url", "api-version", "start-time", "operator"];
    const spec = parseServiceSpec(text, { what, required, optional: ["end-time"] });
    const version = spec["api-version"] ?? "";
    if (!/^\d{1,10}$/.test(version) || Number(version) < 1 || Number(version) > MAX_UINT32) {
      throw new TsignError("usage", `parsing ${what} spec: api-version is no number from 1 on: "${version}"`);
    }
    const validFor = validityOf(spec, { what });
    return { url: spec["url"], majorApiVersion: Number(version), validFor, operator: spec["operator"] };
  });
}

function selector(text: string, what: string): Record<string, unknown> {
  const [, kind = "", count] = /^(any|all|exact)(?::(\d{1,10}))?$/i.exec(text) ?? [];
  const isExact = kind.toLowerCase() === "exact";
  const isCount = Number(count) >= 1 && Number(count) <= MAX_UINT32;
  if (kind === "" || (isExact ? !isCount : count !== undefined)) {
    throw new TsignError("usage", `parsing ${what}: invalid service config mode: ${text}`, {
      hint: "ANY, ALL or EXACT:n",
    });
  }
  return { selector: kind.toUpperCase(), ...(isExact ? { count: Number(count) } : {}) };
}

function write(config: Config): string {
  const filled = Object.entries(config).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return JSON.stringify({ mediaType: MEDIA_TYPE, ...Object.fromEntries(filled) });
}
