import { withParts } from "../../format/parts.ts";
import type { Io } from "../../io/io.ts";
import { bare, type Candidate, type Completion, DIRECTIVE, only, proposal } from "./answer.ts";

/** Time limit of a registry's answer in milliseconds: the user is waiting. */
const REGISTRY_TIMEOUT = 1000;
/** Legacy tags of signatures and attestations, which are not proposed. */
const ATTACHMENT = /^sha(256|512)-[0-9a-f]{64,128}(\.\w+)?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

const SCHEMES: readonly Candidate[] = [
  { word: "awskms://", about: "AWS Key Management Service" },
  { word: "azurekms://", about: "Azure Key Vault" },
  { word: "env://", about: "an environment variable" },
  { word: "gcpkms://", about: "Google Cloud Key Management Service" },
  { word: "gitlab://", about: "the variables of a GitLab project" },
  { word: "hashivault://", about: "HashiCorp Vault" },
  { word: "https://", about: "a file on a web server" },
  { word: "k8s://", about: "a Kubernetes secret" },
  { word: "openbao://", about: "OpenBao" },
  { word: "pkcs11:", about: "a PKCS#11 token" },
];

/** Returns key references: extensions of key files, key services, and variables that contain a key. */
export function proposeKeys(io: Pick<Io, "env">, typed: string, endings: readonly string[]): Completion {
  if (typed.startsWith("env://")) {
    const names = Object.keys(io.env).filter((name) => io.env[name]?.startsWith("-----BEGIN "));
    return proposal(
      names.sort().map((name) => bare(`env://${name}`)),
      typed,
    );
  }
  if (/^\w+:/.test(typed)) return only(DIRECTIVE.noFiles);
  const schemes = SCHEMES.filter(({ word }) => word.startsWith(typed));
  return { candidates: [...endings.map(bare), ...schemes], directive: DIRECTIVE.fileEndings };
}

/** Returns the registries for which the user has credentials. */
export async function proposeRegistries(io: Io, typed: string): Promise<Completion> {
  return proposal((await knownRegistries(io)).map(bare), typed);
}

/**
 * Returns image references: registries with credentials and, after `registry/repository:`, the repository's tags. Only
 * registries on this machine and those with credentials in docker's configuration are contacted, because a credential helper
 * may prompt the user. Errors lead to an empty list.
 */
export async function proposeImages(io: Io, typed: string): Promise<Completion> {
  const slash = typed.indexOf("/");
  const colon = typed.lastIndexOf(":");
  if (slash < 0) {
    const registries = await knownRegistries(io);
    return proposal(
      registries.map((registry) => bare(`${registry}/`)),
      typed,
      DIRECTIVE.noSpace,
    );
  }
  if (colon < typed.lastIndexOf("/") || typed.includes("@")) return only(DIRECTIVE.noFiles);
  const repository = typed.slice(0, colon);
  const tags = await quickly(io, (limited) => listTags(limited, repository));
  return proposal(
    tags.map((tag) => bare(`${repository}:${tag}`)),
    typed,
  );
}

/** Returns the hosts in docker's configuration and that of the sandbox, sorted. */
async function knownRegistries(io: Io): Promise<string[]> {
  const hosts = await quickly(io, async () => {
    const { findCredentialFiles } = await import("../../oci/registry/docker-config.ts");
    const found: string[] = [];
    for await (const { auths, credHelpers } of findCredentialFiles(io)) {
      found.push(...Object.keys(auths ?? {}), ...Object.keys(credHelpers ?? {}));
    }
    return found;
  });
  const named = hosts.map((host) => host.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, ""));
  const known = [...named, io.env["TSIGN_SANDBOX"] ?? ""].map((host) =>
    host === "index.docker.io" ? "docker.io" : host,
  );
  return [...new Set(known)].filter((host) => /^[\w.-]+(:\d+)?(\/[\w./-]+)?$/.test(host)).sort();
}

/** Runs a step with a time limit and without starting programs. Returns an empty list if it fails. */
async function quickly(io: Io, step: (io: Io) => Promise<string[]>): Promise<string[]> {
  const timer = new AbortController();
  const late = io.sleep(REGISTRY_TIMEOUT).then(() => {
    timer.abort(new Error("too slow"));
    return [];
  });
  const spawn = () => Promise.reject(new Error("completion does not start programs"));
  const signal = AbortSignal.any([io.signal, timer.signal]);
  const limited = withParts(io, { signal, spawn });
  return Promise.race([step(limited).catch(() => []), late]);
}

async function listTags(io: Io, text: string): Promise<string[]> {
  const [{ parseRepository }, { findCredentials }, { openRegistry, PLAIN_REGISTRY }, { isLoopback }] =
    await Promise.all([
      import("../../oci/ref.ts"),
      import("../../oci/registry/keychain.ts"),
      import("../../oci/open.ts"),
      import("../../net/proxy.ts"),
    ]);
  const repository = parseRepository(text);
  const own = isLoopback(new URL(`https://${repository.registry}`).hostname);
  if (!own && (await findCredentials(io, repository)).kind === "anonymous") return [];
  // Registry flags on the command line are ignored, since they rarely change the answer.
  const store = await openRegistry(io, repository, PLAIN_REGISTRY);
  return (await store.tags()).filter((tag) => TAG.test(tag) && !ATTACHMENT.test(tag));
}
