import { TsignError } from "../../errors.ts";
import { isObject, textOf } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import type { Repository } from "../ref.ts";
import { DOCKER_HUB_KEY, type DockerAuth, type DockerConfig, findCredentialFiles } from "./docker-config.ts";

/** How to prove to a registry who one is. */
export type Credentials = Proof & {
  /** What to say when the registry refuses: where credentials came from, or where they were looked for in vain. */
  readonly note?: string;
};

type Proof =
  | { readonly kind: "anonymous" }
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, which docker calls identity token. */
  | { readonly kind: "refresh-token"; readonly token: string }
  /** Sent to the registry as it is. */
  | { readonly kind: "bearer"; readonly token: string };

/** What a credential helper says when it knows nothing of a server; that is no failure. */
const NOT_FOUND = "credentials not found in native keychain";
/** The user name a helper gives with an identity token. */
const TOKEN_USER = "<token>";

type KeychainIo = Pick<Io, "env" | "files" | "spawn">;

/**
 * The user's credentials for a repository, from docker's or podman's configuration and credential helpers. Keys are compared
 * whole, never by part: the repository and its parents (podman), then the registry.
 *
 * @throws TsignError "input" or "auth"
 */
export async function findCredentials(io: KeychainIo, repository: Repository): Promise<Credentials> {
  for await (const config of findCredentialFiles(io)) {
    const found = await credentialsIn(io, config, repository);
    if (found.kind !== "anonymous") return found;
  }
  return { kind: "anonymous" };
}

async function credentialsIn(io: KeychainIo, config: DockerConfig, repository: Repository): Promise<Credentials> {
  const keys = configKeys(repository);
  for (const key of keys) {
    const helper = ownValue(config.credHelpers ?? {}, key);
    if (helper) return askHelper(io, helper, key);
  }
  const spelled = Object.keys(config.auths ?? {}).filter(
    (key) => hostOf(key) === hostOf(serverKey(repository.registry)),
  );
  for (const key of [...keys, ...spelled]) {
    const auth = ownValue(config.auths ?? {}, key);
    const found = auth && readAuth(auth, key);
    if (found) return found;
  }
  return config.credsStore ? askStore(io, config, repository) : { kind: "anonymous" };
}

/**
 * The host that a key of docker's configuration names: without a scheme, up to the first slash. A key without a scheme that
 * has a path is podman's, for the repositories below it alone.
 */
function hostOf(key: string): string {
  const withScheme = /^https?:\/\/([^/]*)/.exec(key)?.[1];
  const bare = /^([^/]*)\/?(?:v[12]\/?)?$/.exec(key)?.[1];
  return (withScheme ?? bare ?? "").toLowerCase();
}

/** From the most particular to the least; Docker Hub is known by several names. */
function configKeys({ registry, repository }: Repository): string[] {
  const parts = repository.split("/");
  const parents = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join("/"));
  const hosts =
    registry === "index.docker.io"
      ? [DOCKER_HUB_KEY, "index.docker.io", "docker.io", "https://index.docker.io/v1"]
      : [registry, `https://${registry}`, `https://${registry}/`, `https://${registry}/v1/`, `https://${registry}/v2/`];
  return [...parents, ...hosts];
}

/** The key a registry's credentials are stored under. */
export function serverKey(registry: string): string {
  return registry === "index.docker.io" ? DOCKER_HUB_KEY : registry;
}

function askStore(io: KeychainIo, config: DockerConfig, { registry }: Repository): Promise<Credentials> {
  return askHelper(io, config.credsStore ?? "", serverKey(registry));
}

function readAuth(auth: DockerAuth, key: string): Credentials | undefined {
  if (auth.registrytoken) return { kind: "bearer", token: auth.registrytoken };
  if (auth.identitytoken) return { kind: "refresh-token", token: auth.identitytoken };
  if (auth.auth) {
    const text = Buffer.from(auth.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon < 0) throw new TsignError("input", `the docker configuration's auth of ${key} is not user:password`);
    return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (auth.username || auth.password) {
    return { kind: "password", username: auth.username ?? "", password: auth.password ?? "" };
  }
  return undefined; // docker writes an empty entry beside a credential store
}

async function askHelper(io: KeychainIo, helper: string, server: string): Promise<Credentials> {
  const { code, stdout, stderr } = await io.spawn(helperProgram(helper), ["get"], { stdin: server });
  if (code !== 0) {
    if (`${stdout}${stderr}`.includes(NOT_FOUND)) return { kind: "anonymous" };
    const words = ownWords(stdout) || ownWords(stderr);
    const said = words ? `: ${words}` : "";
    throw new TsignError("auth", `the credential helper docker-credential-${helper} failed for ${server}${said}`, {
      hint: `run it by hand: echo ${server} | docker-credential-${helper} get`,
    });
  }
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    // told below, as other JSON than an object is
  }
  if (!isObject(answer)) {
    throw new TsignError("auth", `the credential helper docker-credential-${helper} did not answer with a JSON object`);
  }
  const secret = textOf(answer["Secret"]);
  const username = textOf(answer["Username"]);
  if (username === "" && secret === "") return { kind: "anonymous" };
  if (username === TOKEN_USER) return { kind: "refresh-token", token: secret };
  return { kind: "password", username, password: secret };
}

/** What may be a secret in what a helper says: a value that is named so, or a long word with a digit in it. */
const SECRETS = [/\b((?:password|passwd|secret|token)"?\s*[:=]\s*)\S+/gi, /()(?=\S{0,400}\d)[\w+/=.-]{24,}/g];

/** What a helper says of its failure, on one line: on stdout by docker's protocol. */
function ownWords(output: string): string {
  const line = output
    .slice(0, 1000)
    .trim()
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, " ");
  return SECRETS.reduce((text, pattern) => text.replace(pattern, "$1…"), line).slice(0, 300);
}

/** The program of a credential helper; its name comes from a file and must not reach elsewhere. */
export function helperProgram(helper: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) throw new TsignError("input", `"${helper}" is not a credential helper's name`);
  return `docker-credential-${helper}`;
}

function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
