import { TsignError } from "../../../errors.ts";
import type { Io, TlsOptions } from "../../../io/io.ts";
import type { Credentials } from "../keychain.ts";
import { ACR_HOST, ALIBABA_HOST, ECR_HOST, ECR_PUBLIC_HOST, GITHUB_HOST, GOOGLE_HOST } from "./hosts.ts";
import type { FindInCloud } from "./types.ts";

interface Cloud {
  readonly name: string;
  readonly hosts: readonly RegExp[];
  load(): Promise<FindInCloud>;
}

/** The clouds in cosign's order. No host belongs to two of them. */
const CLOUDS: readonly Cloud[] = [
  { name: "Google", hosts: [GOOGLE_HOST], load: async () => (await import("./google.ts")).findInGoogle },
  { name: "AWS", hosts: [ECR_HOST, ECR_PUBLIC_HOST], load: async () => (await import("./amazon.ts")).findInAmazon },
  { name: "Azure", hosts: [ACR_HOST], load: async () => (await import("./azure.ts")).findInAzure },
  { name: "Alibaba Cloud", hosts: [ALIBABA_HOST], load: async () => (await import("./alibaba.ts")).findInAlibaba },
  { name: "GitHub", hosts: [GITHUB_HOST], load: async () => (await import("./github.ts")).findInGithub },
];

/** Time for which credentials are reused, in milliseconds; the clouds' tokens are valid for much longer. */
const REUSE_TIME = 5 * 60_000;

interface Known {
  readonly until: number;
  readonly credentials: Promise<Credentials>;
}
/** Credentials by registry, so that a command with many images asks its cloud once. */
const known = new WeakMap<Io, Map<string, Known>>();

/**
 * Returns the credentials of a registry's cloud for this machine or user (`--k8s-keychain`). For other registries, and when
 * the cloud provides none, access is anonymous, because the image may be public; `note` then gives the reason.
 *
 * @param options `registry`: host and port, as in a reference; `origin`: the origin that answered
 */
export async function findCloudCredentials(
  io: Io,
  { registry, origin, tls }: { registry: string; origin: URL; tls: TlsOptions },
): Promise<Credentials> {
  const host = registry.toLowerCase().replace(/:\d+$/, "");
  const cloud = CLOUDS.find(({ hosts }) => hosts.some((pattern) => pattern.test(host)));
  if (!cloud) return { kind: "anonymous" };
  if (origin.protocol !== "https:") {
    return { kind: "anonymous", note: `use https: ${cloud.name} credentials are not sent over http` };
  }
  const registries = known.get(io) ?? new Map<string, Known>();
  known.set(io, registries);
  const now = io.now().getTime();
  const found = registries.get(registry);
  if (found && found.until > now) return found.credentials;
  const credentials = askCloud(io, cloud, { registry, host, tls });
  registries.set(registry, { until: now + REUSE_TIME, credentials });
  return credentials;
}

async function askCloud(io: Io, cloud: Cloud, registry: Parameters<FindInCloud>[1]): Promise<Credentials> {
  try {
    const { credentials, from } = await (await cloud.load())(io, registry);
    return { ...credentials, note: `check the ${cloud.name} credentials from ${from}` };
  } catch (error) {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    const reason = error.hint ? `${error.message} (${error.hint})` : error.message;
    return { kind: "anonymous", note: `check the ${cloud.name} credentials: ${reason}` };
  }
}
