import { TsignError } from "../../errors.ts";
import { isObject, textOf } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import type { Repository } from "../ref.ts";
import { DOCKER_HUB_KEY, type DockerAuth, type DockerConfig, findCredentialFiles } from "./docker-config.ts";

/** Credentials for a registry. */
export type Credentials = Secret & {
  /** Hint for the case that the registry refuses them: their source, or the sources that had none. */
  readonly note?: string;
};

type Secret =
  | { readonly kind: "anonymous" }
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token; docker calls it identity token. */
  | { readonly kind: "refresh-token"; readonly token: string }
  /** Sent to the registry unchanged. */
  | { readonly kind: "bearer"; readonly token: string };

/** Message of a credential helper without credentials for the server, which is not an error. */
const NOT_FOUND = "credentials not found in native keychain";
/** User name that marks an identity token in a helper's answer. */
const TOKEN_USER = "<token>";

type KeychainIo = Pick<Io, "env" | "files" | "spawn">;

/**
 * Returns the user's credentials for a repository, from the configuration and credential helpers of docker or podman. Keys must
 * match exactly: first the repository and its parents (podman), then the registry.
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
 * Returns the host of a key of docker's configuration, without scheme and path; "" for a key without a scheme that has a path:
 * podman applies it only to the repositories below that path.
 */
function hostOf(key: string): string {
  const withScheme = /^https?:\/\/([^/]*)/.exec(key)?.[1];
  const bare = /^([^/]*)\/?(?:v[12]\/?)?$/.exec(key)?.[1];
  return (withScheme ?? bare ?? "").toLowerCase();
}

/** Returns the keys for a repository, most specific first. Docker Hub has several names. */
function configKeys({ registry, repository }: Repository): string[] {
  const parts = repository.split("/");
  const parents = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join("/"));
  const hosts =
    registry === "index.docker.io"
      ? [DOCKER_HUB_KEY, "index.docker.io", "docker.io", "https://index.docker.io/v1"]
      : [registry, `https://${registry}`, `https://${registry}/`, `https://${registry}/v1/`, `https://${registry}/v2/`];
  return [...parents, ...hosts];
}

/** Returns the key under which a registry's credentials are stored. */
export function serverKey(registry: string): string {
  return registry === "index.docker.io" ? DOCKER_HUB_KEY : registry;
}

function askStore(io: KeychainIo, config: DockerConfig, { registry }: Repository): Promise<Credentials> {
  return askHelper(io, config.credsStore ?? "", serverKey(registry));
}

/**
 * The credentials of one entry; undefined for an empty one.
 *
 * @throws TsignError "input"
 */
export function readAuth(auth: DockerAuth, key: string): Credentials | undefined {
  if (auth.registrytoken) return { kind: "bearer", token: auth.registrytoken };
  if (auth.identitytoken) return { kind: "refresh-token", token: auth.identitytoken };
  if (auth.auth) {
    const text = Buffer.from(auth.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon < 0) {
      throw new TsignError("input", `parse docker configuration: auth of ${key} is not user:password`, {
        hint: `run \`tsign login ${key}\` to store it again`,
      });
    }
    return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (auth.username || auth.password) {
    return { kind: "password", username: auth.username ?? "", password: auth.password ?? "" };
  }
  return undefined; // docker writes an empty entry when a credential store is used
}

async function askHelper(io: KeychainIo, helper: string, server: string): Promise<Credentials> {
  const { code, stdout, stderr } = await io.spawn(helperProgram(helper), ["get"], { stdin: server });
  if (code !== 0) {
    if (`${stdout}${stderr}`.includes(NOT_FOUND)) return { kind: "anonymous" };
    const reason = helperMessage(stdout) || helperMessage(stderr) || `exit code ${code}`;
    throw new TsignError("auth", `run docker-credential-${helper} for ${server}: ${reason}`, {
      hint: `fix the credential helper, then check it with: echo ${server} | docker-credential-${helper} get`,
    });
  }
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    // reported below, like JSON that is not an object
  }
  if (!isObject(answer)) {
    throw new TsignError("auth", `run docker-credential-${helper} for ${server}: it did not print a JSON object`);
  }
  const secret = textOf(answer["Secret"]);
  const username = textOf(answer["Username"]);
  if (username === "" && secret === "") return { kind: "anonymous" };
  if (username === TOKEN_USER) return { kind: "refresh-token", token: secret };
  return { kind: "password", username, password: secret };
}

/** Possible secrets in a helper's message: a value named as one, or a long word that contains a digit. */
const SECRETS = [/\b((?:password|passwd|secret|token)"?\s*[:=]\s*)\S+/gi, /()(?=\S{0,400}\d)[\w+/=.-]{24,}/g];

/** Returns a helper's error message on one line, without possible secrets. Docker's protocol puts it on stdout. */
function helperMessage(output: string): string {
  const line = output
    .slice(0, 1000)
    .trim()
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, " ");
  return SECRETS.reduce((text, pattern) => text.replace(pattern, "$1…"), line).slice(0, 300);
}

/** Returns the program of a credential helper. @throws TsignError "input" for a name that could be a path */
export function helperProgram(helper: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(helper))
    throw new TsignError("input", `"${helper}" is not a valid credential helper name`);
  return `docker-credential-${helper}`;
}

function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
