import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceSpec, validityOf } from "../../cli/options/service-spec.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { distributedTarget } from "../../services/trust/sources.ts";
import { readSigningConfig, readSigningConfigMessage } from "../../trust/signing-config.ts";
import type definition from "./create.ts";
import type { flags } from "./create.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
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
  return { signingConfig: JSON.parse(text), ...(flags.out === "" ? {} : { file: flags.out }) };
};

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

const MAX_UINT32 = 2 ** 32 - 1;

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

/** Adds the given services; with --base-config they replace those of the base. */
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
    hint: "use ANY, ALL or EXACT:n",
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

function services(specs: readonly string[], name: string): Service[] {
  return specs.map((text) => {
    const required = ["url", "api-version", "start-time", "operator"];
    const spec = parseServiceSpec(text, { name, required, optional: ["end-time"] });
    const version = spec["api-version"] ?? "";
    if (!/^\d{1,10}$/.test(version) || Number(version) < 1 || Number(version) > MAX_UINT32) {
      throw new TsignError("usage", `parsing ${name} spec: invalid api-version "${version}": expected a number from 1`);
    }
    const validFor = validityOf(spec, { name });
    return { url: spec["url"], majorApiVersion: Number(version), validFor, operator: spec["operator"] };
  });
}

function selector(text: string, name: string): Record<string, unknown> {
  const [, kind = "", count] = /^(any|all|exact)(?::(\d{1,10}))?$/i.exec(text) ?? [];
  const isExact = kind.toLowerCase() === "exact";
  const isCount = Number(count) >= 1 && Number(count) <= MAX_UINT32;
  if (kind === "" || (isExact ? !isCount : count !== undefined)) {
    throw new TsignError("usage", `parsing ${name}: invalid service config mode: ${text}`, {
      hint: "use ANY, ALL or EXACT:n",
    });
  }
  return { selector: kind.toUpperCase(), ...(isExact ? { count: Number(count) } : {}) };
}

function write(config: Config): string {
  const filled = Object.entries(config).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return JSON.stringify({ mediaType: MEDIA_TYPE, ...Object.fromEntries(filled) });
}
