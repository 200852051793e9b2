import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";
import { isWithin, type Period } from "./material.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/** A service one may sign with. */
export interface Service {
  readonly url: URL;
  /** Major version of its API. */
  readonly version: number;
  readonly operator: string;
  readonly validFor: Period;
}

/** How many services of a kind to use. */
export type Selector = { readonly kind: "any" | "all" } | { readonly kind: "exact"; readonly count: number };

/** Which services to sign with (protobuf-specs, sigstore_trustroot.proto, SigningConfig). */
export interface SigningConfig {
  readonly certificateAuthorities: readonly Service[];
  readonly oidcIssuers: readonly Service[];
  readonly logs: readonly Service[];
  readonly logSelector: Selector | undefined;
  readonly timestampAuthorities: readonly Service[];
  readonly timestampSelector: Selector | undefined;
}

/** The versions of each API that tsign speaks. */
const SPOKEN = { certificateAuthorities: [1], oidcIssuers: [1], logs: [1, 2], timestampAuthorities: [1] } as const;

/**
 * Reads a signing config of version 0.2.
 *
 * @param path for messages
 * @throws TsignError "input"
 */
export function readSigningConfig(bytes: Uint8Array, path: string): SigningConfig {
  const invalid = (reason: string, cause?: unknown) =>
    new TsignError("input", `${path} is not a signing config: ${reason}`, { cause });
  let json: unknown;
  try {
    json = parseJson(bytes, path);
  } catch (cause) {
    throw invalid("it is not valid JSON", cause);
  }
  if (!isObject(json) || json["mediaType"] !== MEDIA_TYPE) throw invalid(`its mediaType is not ${MEDIA_TYPE}`);
  const config = json;
  const services = (field: string): Service[] => {
    const list = config[field] ?? [];
    if (!Array.isArray(list)) throw invalid(`${field} is not a list`);
    return list.map((each: unknown, index) => {
      const service = readService(each);
      if (!service) throw invalid(`${field}[${index}] names no service`);
      return service;
    });
  };
  const selector = (field: string): Selector | undefined => {
    const value = readSelector(config[field]);
    if (value === "invalid") throw invalid(`${field} has no usable selector`);
    return value;
  };
  return {
    certificateAuthorities: services("caUrls"),
    oidcIssuers: services("oidcUrls"),
    logs: services("rekorTlogUrls"),
    logSelector: selector("rekorTlogConfig"),
    timestampAuthorities: services("tsaUrls"),
    timestampSelector: selector("tsaConfig"),
  };
}

function readService(json: unknown): Service | undefined {
  if (!isObject(json) || typeof json["url"] !== "string") return undefined;
  const url = URL.parse(json["url"]);
  const { majorApiVersion: version, operator, validFor } = json;
  const period = isObject(validFor) ? validFor : {};
  const start = readTime(period["start"]);
  const end = readTime(period["end"]);
  const isHttp = url?.protocol === "https:" || url?.protocol === "http:";
  if (!url || !isHttp || typeof version !== "number" || !start || end === "invalid" || start === "invalid") {
    return undefined;
  }
  return { url, version, operator: typeof operator === "string" ? operator : "", validFor: { start, end } };
}

function readTime(value: unknown): Date | undefined | "invalid" {
  if (value === undefined || value === null) return undefined;
  const date = new Date(typeof value === "string" ? value : Number.NaN);
  return Number.isNaN(date.getTime()) ? "invalid" : date;
}

function readSelector(json: unknown): Selector | undefined | "invalid" {
  const value = isObject(json) ? json : {};
  const { selector, count } = value;
  switch (selector) {
    case undefined:
    case "SERVICE_SELECTOR_UNDEFINED":
      return undefined;
    case "ANY":
      return { kind: "any" };
    case "ALL":
      return { kind: "all" };
    case "EXACT":
      return typeof count === "number" && count > 0 ? { kind: "exact", count } : "invalid";
    default:
      return "invalid";
  }
}

/** The services to use now. */
export interface SelectedServices {
  readonly certificateAuthority: Service | undefined;
  readonly oidcIssuer: Service | undefined;
  readonly logs: readonly Service[];
  readonly timestampAuthorities: readonly Service[];
}

/**
 * Picks the services to sign with: of each kind those of the newest API version that tsign speaks and that has one valid
 * now, the newest first, one for each operator; then as many as the config's selector says.
 *
 * @param random gives a number below its argument: `ANY` takes one by chance
 * @throws TsignError "input" when services are named but none, or too few, can be used
 */
export function selectServices(
  config: SigningConfig,
  options: { now: Date; random: (below: number) => number },
): SelectedServices {
  const usable = (kind: keyof typeof SPOKEN) => usableServices(config[kind], SPOKEN[kind], options.now);
  const several = (kind: "logs" | "timestampAuthorities", selector: Selector | undefined) => {
    if (config[kind].length === 0) return [];
    const name = kind === "logs" ? "transparency log" : "timestamp authority";
    if (!selector) throw new TsignError("input", `the signing config does not say how many ${name} services to use`);
    const services = usable(kind);
    const wanted = selector.kind === "exact" ? selector.count : 1;
    if (services.length < wanted) {
      throw new TsignError("input", `the signing config has ${services.length} usable ${name} services of ${wanted}`, {
        hint: "they are not valid yet or no more, or of a version tsign does not speak",
      });
    }
    if (selector.kind === "all") return services;
    if (selector.kind === "exact") return services.slice(0, selector.count);
    return services.slice(options.random(services.length)).slice(0, 1);
  };
  return {
    certificateAuthority: usable("certificateAuthorities")[0],
    oidcIssuer: usable("oidcIssuers")[0],
    logs: several("logs", config.logSelector),
    timestampAuthorities: several("timestampAuthorities", config.timestampSelector),
  };
}

function usableServices(services: readonly Service[], versions: readonly number[], now: Date): Service[] {
  const valid = services.filter(({ version, validFor }) => versions.includes(version) && isWithin(validFor, now));
  const newest = Math.max(...valid.map(({ version }) => version));
  const ordered = valid
    .filter(({ version }) => version === newest)
    .sort((a, b) => b.validFor.start.getTime() - a.validFor.start.getTime());
  const operators = new Set<string>();
  return ordered.filter(({ operator }) => {
    const isNew = !operators.has(operator);
    operators.add(operator);
    return isNew;
  });
}
