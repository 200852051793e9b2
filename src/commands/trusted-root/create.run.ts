import { X509Certificate } from "node:crypto";
import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceSpec, type ServiceSpec, validityOf } from "../../cli/options/service-spec.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { readPem } from "../../format/pem.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { distributedTarget } from "../../services/trust/sources.ts";
import { readTrustedRoot } from "../../trust/trusted-root.ts";
import { certificateAuthority, logInstance } from "../../trust/write-trusted-root.ts";
import type definition from "./create.ts";
import type { flags } from "./create.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const root = await startingPoint(io, flags);
  root.certificateAuthorities.push(
    ...(await authorities(io, fulcioSpecs(flags), { name: "fulcio", startsWith: "root" })),
  );
  root.ctlogs.push(...(await logs(io, logSpecs(flags, "ctfe"), "ctfe")));
  // The two grammars differ in this, as in cosign.
  const startsWith = flags.tsa.length > 0 ? "leaf" : "root";
  root.timestampAuthorities.push(...(await authorities(io, tsaSpecs(flags), { name: "tsa", startsWith })));
  root.tlogs.push(...(await logs(io, logSpecs(flags, "rekor"), "rekor")));
  for (const name of ["tlogs", "ctlogs"] as const) root[name] = lastOfEach(root[name]);
  const filled = LISTS.filter((name) => root[name].length > 0).map((name) => [name, byStart(root[name])]);
  const text = JSON.stringify({ mediaType: MEDIA_TYPE, ...Object.fromEntries(filled) });
  readTrustedRoot(Buffer.from(text), "the new trusted root");
  if (flags.out === "") io.stdout.data(`${text}\n`);
  else await writeOutput(io, { path: flags.out, content: text });
  return { trustedRoot: JSON.parse(text), ...(flags.out === "" ? {} : { file: flags.out }) };
};

const MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

const LISTS = ["tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"] as const;

const PUBLIC_KEYS = ["PUBLIC KEY", "RSA PUBLIC KEY"];

type CreateFlags = FlagValues<typeof flags>;

type Instance = Record<string, unknown>;

type Root = Record<(typeof LISTS)[number], Instance[]>;

async function startingPoint(io: Io, flags: CreateFlags): Promise<Root> {
  const root: Root = { tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
  if (!flags.withDefaultServices) return root;
  const json = parseJson(await distributedTarget(io, "trusted_root.json"), "the distributed trusted root");
  const leftOut = {
    tlogs: flags.noDefaultRekor,
    certificateAuthorities: flags.noDefaultFulcio,
    ctlogs: flags.noDefaultCtfe,
    timestampAuthorities: flags.noDefaultTsa,
  };
  for (const name of LISTS) {
    const list = isObject(json) ? json[name] : undefined;
    if (!leftOut[name] && Array.isArray(list)) root[name].push(...(list as Instance[]));
  }
  return root;
}

/** Refuses to mix the two grammars of a service. */
function refuseMixedFlags(name: string, specs: readonly string[], parallel: readonly (readonly string[])[]): void {
  if (specs.length > 0 && parallel.some((list) => list.length > 0)) {
    throw new TsignError("usage", `cannot use --${name} and old ${name} flags at the same time`);
  }
}

function fulcioSpecs(flags: CreateFlags): ServiceSpec[] {
  refuseMixedFlags("fulcio", flags.fulcio, [flags.certificateChain, flags.fulcioUri]);
  const chains = flags.certificateChain.map((path, index) => chainSpec(path, flags.fulcioUri[index]));
  return [...chains, ...authoritySpecs(flags.fulcio, "fulcio")];
}

function tsaSpecs(flags: CreateFlags): ServiceSpec[] {
  refuseMixedFlags("tsa", flags.tsa, [flags.timestampCertificateChain, flags.timestampUri]);
  const chains = flags.timestampCertificateChain.map((path, index) => chainSpec(path, flags.timestampUri[index]));
  return [...chains, ...authoritySpecs(flags.tsa, "tsa")];
}

function chainSpec(path: string, url: string | undefined): ServiceSpec {
  return { url: url ?? "", "certificate-chain": path };
}

function authoritySpecs(texts: readonly string[], name: string): ServiceSpec[] {
  const required = ["url", "certificate-chain"];
  return texts.map((text) => parseServiceSpec(text, { name, required, optional: ["start-time", "end-time"] }));
}

function logSpecs(flags: CreateFlags, name: "ctfe" | "rekor"): ServiceSpec[] {
  const parallel = {
    key: flags[`${name}Key`],
    url: flags[`${name}Url`],
    start: flags[`${name}StartTime`],
    end: flags[`${name}EndTime`],
  };
  refuseMixedFlags(name, flags[name], Object.values(parallel));
  const required = ["url", "public-key", "start-time"];
  const specs = flags[name].map((text) => parseServiceSpec(text, { name, required, optional: ["end-time", "origin"] }));
  const keys = parallel.key.map((text, index) => {
    const [, path = "", origin] = /^([^,]*),?(.*)$/s.exec(text) ?? []; // an origin may contain commas
    const start = parallel.start[index] ?? "1970-01-01T00:00:00Z"; // cosign's default
    const more = { ...(origin ? { origin } : {}), ...(parallel.end[index] ? { "end-time": parallel.end[index] } : {}) };
    return { url: parallel.url[index] ?? "", "public-key": path, "start-time": start, ...more };
  });
  return [...keys, ...specs];
}

async function logs(io: Io, specs: readonly ServiceSpec[], name: string): Promise<Instance[]> {
  return Promise.all(
    specs.map(async (spec) => {
      const path = spec["public-key"] ?? "";
      const pem = Buffer.from(await readBlob(io, path)).toString("latin1");
      const { url = "", origin } = spec;
      const validFor = validityOf(spec, { name });
      if (!PUBLIC_KEYS.includes(readPem(pem)[0]?.label ?? "")) throw notPublicKey(path);
      try {
        return logInstance({ url, pem, validFor, origin });
      } catch (cause) {
        throw cause instanceof TsignError ? cause : notPublicKey(path, cause);
      }
    }),
  );
}

function notPublicKey(path: string, cause?: unknown): TsignError {
  return new TsignError("input", `read ${path}: expected a PEM public key`, { cause });
}

/** @param options.startsWith the certificate whose notBefore is the default start-time */
async function authorities(
  io: Io,
  specs: readonly ServiceSpec[],
  options: { name: "fulcio" | "tsa"; startsWith: "leaf" | "root" },
): Promise<Instance[]> {
  const { name } = options;
  return Promise.all(
    specs.map(async (spec) => {
      const path = spec["certificate-chain"] ?? "";
      const chain = readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
      const [first, last] = [chain[0], chain.at(-1)];
      if (!first || !last) throw new TsignError("input", `read ${path}: no certificate found`);
      if (name === "tsa") requireTimestampChain(chain, path);
      const certificate = new X509Certificate(options.startsWith === "leaf" ? first : last);
      const start = certificate.validFromDate.toISOString().replace(/\.000Z$/, "Z");
      return certificateAuthority({ url: spec["url"] ?? "", chain, validFor: validityOf(spec, { name, start }) });
    }),
  );
}

function requireTimestampChain(chain: readonly Uint8Array[], path: string): void {
  const [leaf] = chain;
  if (leaf && new X509Certificate(leaf).ca) {
    throw new TsignError("input", `${path}: the first certificate must be the one that signs timestamps`);
  }
  if (chain.length < 2) {
    throw new TsignError("input", `${path}: the chain must have at least two certificates, the root last`);
  }
}

/** Keeps the last log of each id: a flag replaces a distributed log. */
function lastOfEach(instances: readonly Instance[]): Instance[] {
  return [...new Map(instances.map((instance) => [JSON.stringify(instance["logId"]), instance])).values()];
}

function byStart(instances: readonly Instance[]): Instance[] {
  const start = (instance: Instance): number => {
    const key = instance["publicKey"];
    const period = isObject(key) ? key["validFor"] : instance["validFor"];
    return isObject(period) && typeof period["start"] === "string" ? Date.parse(period["start"]) : 0;
  };
  return instances.toSorted((a, b) => start(a) - start(b));
}
