import { TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import { type MessageShape, readProtoJson } from "../format/proto-json.ts";
import { ALWAYS, isWithin, type Period } from "./material.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/** A service for signing. */
interface Service {
  readonly url: URL;
  /** Major version of its API. */
  readonly version: number;
  readonly operator: string;
  readonly validFor: Period;
}

/** Number of services to use. */
type Selector = { readonly kind: "any" | "all" } | { readonly kind: "exact"; readonly count: number };

/** The services for signing (protobuf-specs, sigstore_trustroot.proto, SigningConfig). */
export interface SigningConfig {
  readonly certificateAuthorities: readonly Service[];
  readonly oidcIssuers: readonly Service[];
  readonly logs: readonly Service[];
  readonly logSelector: Selector | undefined;
  readonly timestampAuthorities: readonly Service[];
  readonly timestampSelector: Selector | undefined;
}

/** Most services named in an error. */
const MAX_REASONS = 3;
/** The API versions that tsign supports. */
const SUPPORTED_API_VERSIONS = {
  certificateAuthorities: [1],
  oidcIssuers: [1],
  logs: [1, 2],
  timestampAuthorities: [1],
} as const;

/** Service and ServiceConfiguration of sigstore_trustroot.proto. */
const SERVICE: MessageShape = {
  fields: {
    url: "text",
    majorApiVersion: "uint32",
    validFor: { fields: { start: "time", end: "time" } },
    operator: "text",
  },
};
const CONFIGURATION: MessageShape = {
  fields: { selector: { names: ["SERVICE_SELECTOR_UNDEFINED", "ALL", "ANY", "EXACT"] }, count: "uint32" },
};
const SIGNING_CONFIG: MessageShape = {
  fields: {
    mediaType: "text",
    caUrls: { list: SERVICE },
    oidcUrls: { list: SERVICE },
    rekorTlogUrls: { list: SERVICE },
    rekorTlogConfig: CONFIGURATION,
    tsaUrls: { list: SERVICE },
    tsaConfig: CONFIGURATION,
  },
};

/** The message as written in the file; its shape is SIGNING_CONFIG. */
export interface SigningConfigMessage {
  readonly caUrls?: readonly ServiceMessage[];
  readonly oidcUrls?: readonly ServiceMessage[];
  readonly rekorTlogUrls?: readonly ServiceMessage[];
  readonly rekorTlogConfig?: SelectorMessage;
  readonly tsaUrls?: readonly ServiceMessage[];
  readonly tsaConfig?: SelectorMessage;
}
interface ServiceMessage {
  readonly url?: string;
  readonly majorApiVersion?: number;
  readonly validFor?: { readonly start?: string; readonly end?: string };
  readonly operator?: string;
}
interface SelectorMessage {
  readonly selector?: string;
  readonly count?: number;
}

/**
 * Parses a signing config of version 0.2 by protobuf's JSON rules (format/proto-json.ts).
 *
 * @param path for messages
 * @throws TsignError "input"
 */
export function readSigningConfigMessage(bytes: Uint8Array, path: string): SigningConfigMessage {
  const invalid = (reason: string, cause: unknown) =>
    new TsignError("input", `${path} is not a valid signing config: ${reason}`, {
      cause,
      ...(cause instanceof TsignError && cause.hint ? { hint: cause.hint } : {}),
    });
  let json: unknown;
  try {
    json = parseJson(bytes, path);
  } catch (cause) {
    throw invalid("not valid JSON", cause);
  }
  let message: Record<string, unknown>;
  try {
    message = readProtoJson(json, SIGNING_CONFIG);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "", cause);
  }
  const { mediaType, ...config } = message;
  if (mediaType !== MEDIA_TYPE) throw invalid(`expected mediaType ${MEDIA_TYPE}`, undefined);
  return config;
}

/**
 * Reads a signing config of version 0.2. A service without a period is always valid, as in cosign.
 *
 * @param path for messages
 * @throws TsignError "input"
 */
export function readSigningConfig(bytes: Uint8Array, path: string): SigningConfig {
  const config = readSigningConfigMessage(bytes, path);
  const invalid = (reason: string) => new TsignError("input", `${path} is not a valid signing config: ${reason}`);
  const services = (field: "caUrls" | "oidcUrls" | "rekorTlogUrls" | "tsaUrls"): Service[] =>
    (config[field] ?? []).map((each, index) => {
      const url = URL.parse(each.url ?? "");
      if (!url || !["https:", "http:"].includes(url.protocol)) {
        throw invalid(`${field}[${index}].url is not an http or https URL`);
      }
      const { start, end } = each.validFor ?? {};
      const validFor = { start: start ? new Date(start) : ALWAYS.start, end: end ? new Date(end) : undefined };
      return { url, version: each.majorApiVersion ?? 0, operator: each.operator ?? "", validFor };
    });
  const selector = (field: "rekorTlogConfig" | "tsaConfig"): Selector | undefined => {
    const { selector: name, count = 0 } = config[field] ?? {};
    if (name === "ANY") return { kind: "any" };
    if (name === "ALL") return { kind: "all" };
    if (name !== "EXACT") return undefined;
    if (count === 0) throw invalid(`${field} has selector EXACT without a count`);
    return { kind: "exact", count };
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

/** The services to use at a given time. */
export interface SelectedServices {
  readonly certificateAuthority: Service | undefined;
  /** Why none of the certificate authorities can be used; undefined if one can be, empty if the config has none. */
  readonly noCertificateAuthority: string | undefined;
  readonly oidcIssuer: Service | undefined;
  readonly logs: readonly Service[];
  readonly timestampAuthorities: readonly Service[];
}

/**
 * Selects the services to sign with: for each kind, the valid ones with the newest supported API version, newest first, one for
 * each operator, and of these as many as the selector requires.
 *
 * @param random returns a number below its argument: `ANY` selects a random service
 * @throws TsignError "input" if the config lists services but too few can be used
 */
export function selectServices(
  config: SigningConfig,
  options: { now: Date; random: (below: number) => number },
): SelectedServices {
  const usable = (kind: keyof typeof SUPPORTED_API_VERSIONS) =>
    usableServices(config[kind], SUPPORTED_API_VERSIONS[kind], options.now);
  const unusable = (kind: keyof typeof SUPPORTED_API_VERSIONS) =>
    whyUnusable(config[kind], SUPPORTED_API_VERSIONS[kind], options.now);
  const several = (kind: "logs" | "timestampAuthorities", selector: Selector | undefined) => {
    if (config[kind].length === 0) return [];
    const name = kind === "logs" ? "transparency log" : "timestamp authority";
    if (!selector) throw new TsignError("input", `signing config has no selector for ${name} services`);
    const services = usable(kind);
    const wanted = selector.kind === "exact" ? selector.count : 1;
    if (services.length < wanted) {
      const reasons = unusable(kind);
      throw new TsignError(
        "input",
        `signing config: expected ${wanted} usable ${name} services, found ${services.length}${reasons && `: ${reasons}`}`,
        {
          hint: "create one with `tsign signing-config create`, or fetch the distributed one again with `tsign initialize`",
        },
      );
    }
    if (selector.kind === "all") return services;
    if (selector.kind === "exact") return services.slice(0, selector.count);
    return services.slice(options.random(services.length)).slice(0, 1);
  };
  const [certificateAuthority] = usable("certificateAuthorities");
  return {
    certificateAuthority,
    noCertificateAuthority: certificateAuthority ? undefined : unusable("certificateAuthorities"),
    oidcIssuer: usable("oidcIssuers")[0],
    logs: several("logs", config.logSelector),
    timestampAuthorities: several("timestampAuthorities", config.timestampSelector),
  };
}

/** Why each service cannot be used, as text; empty if all can be. */
function whyUnusable(services: readonly Service[], versions: readonly number[], now: Date): string {
  const reasons = services.flatMap(({ url, version, validFor: { start, end } }) => {
    if (!versions.includes(version)) return [`${url.href} has unsupported API version ${version}`];
    if (end && end < now) return [`${url.href} expired on ${end.toISOString()}`];
    return start > now ? [`${url.href} is not valid before ${start.toISOString()}`] : [];
  });
  return reasons.slice(0, MAX_REASONS).join("; ");
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
