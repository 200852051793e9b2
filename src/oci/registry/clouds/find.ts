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

/** In cosign's order, which decides nothing: no host is of two clouds. */
const CLOUDS: readonly Cloud[] = [
  { name: "Google", hosts: [GOOGLE_HOST], load: async () => (await import("./google.ts")).findInGoogle },
  { name: "AWS", hosts: [ECR_HOST, ECR_PUBLIC_HOST], load: async () => (await import("./amazon.ts")).findInAmazon },
  { name: "Azure", hosts: [ACR_HOST], load: async () => (await import("./azure.ts")).findInAzure },
  { name: "Alibaba Cloud", hosts: [ALIBABA_HOST], load: async () => (await import("./alibaba.ts")).findInAlibaba },
  { name: "GitHub", hosts: [GITHUB_HOST], load: async () => (await import("./github.ts")).findInGithub },
];

/** The cloud's tokens live much longer; a command that runs for long asks again. Milliseconds. */
const REMEMBERED = 5 * 60_000;

interface Known {
  readonly until: number;
  readonly credentials: Promise<Credentials>;
}
/** By registry, for as long as the command lives: one that looks at many images asks its cloud once. */
const known = new WeakMap<Io, Map<string, Known>>();

/**
 * The credentials that the cloud a registry belongs to gives this machine or user (`--k8s-keychain`); anonymous for every
 * other registry, and where the cloud has none: many of its images are public. `note` then says why.
 *
 * @param by `registry`: host and port, as a reference names it; `origin`: where it was found
 */
export async function findCloudCredentials(
  io: Io,
  { registry, origin, tls }: { registry: string; origin: URL; tls: TlsOptions },
): Promise<Credentials> {
  const host = registry.toLowerCase().replace(/:\d+$/, "");
  const cloud = CLOUDS.find(({ hosts }) => hosts.some((pattern) => pattern.test(host)));
  if (!cloud) return { kind: "anonymous" };
  if (origin.protocol !== "https:") {
    return { kind: "anonymous", note: `credentials of ${cloud.name} are for registries that answer over https` };
  }
  const registries = known.get(io) ?? new Map<string, Known>();
  known.set(io, registries);
  const now = io.now().getTime();
  const found = registries.get(registry);
  if (found && found.until > now) return found.credentials;
  const credentials = askCloud(io, cloud, { registry, host, tls });
  registries.set(registry, { until: now + REMEMBERED, credentials });
  return credentials;
}

async function askCloud(io: Io, cloud: Cloud, registry: Parameters<FindInCloud>[1]): Promise<Credentials> {
  try {
    const { credentials, from } = await (await cloud.load())(io, registry);
    return { ...credentials, note: `the credentials are those of ${cloud.name} from ${from}` };
  } catch (error) {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    const reason = error.hint ? `${error.message} (${error.hint})` : error.message;
    return { kind: "anonymous", note: `no credentials of ${cloud.name}: ${reason}` };
  }
}
