import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";

const MAX_CONFIG = 16 * 1024 * 1024;
/** The key of Docker Hub's credentials. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/** A text field; null counts as absent. */
type Text = string | null | undefined;

/** One registry's credentials. Unknown fields are kept. */
export interface DockerAuth {
  readonly auth?: Text;
  readonly username?: Text;
  readonly password?: Text;
  readonly identitytoken?: Text;
  readonly registrytoken?: Text;
}

/** The parts of docker's config.json or podman's auth.json that contain credentials. Unknown fields are kept. */
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, DockerAuth | null>> | null | undefined;
  readonly credsStore?: Text;
  readonly credHelpers?: Readonly<Record<string, Text>> | null | undefined;
}

const ENTRY_FIELDS = ["auth", "username", "password", "identitytoken", "registrytoken"];

type ConfigIo = Pick<Io, "env" | "files">;

/** Returns the path of docker's configuration: in $DOCKER_CONFIG, else in ~/.docker. */
export function dockerConfigPath(env: Io["env"]): string {
  return `${env["DOCKER_CONFIG"] || `${env["HOME"] ?? ""}/.docker`}/config.json`;
}

/**
 * Reads the credentials files in order of precedence: docker's, else $REGISTRY_AUTH_FILE, else podman's below
 * $XDG_RUNTIME_DIR; then Helm's registry logins.
 *
 * @throws TsignError "input" for an invalid file
 */
export async function* findCredentialFiles(io: ConfigIo): AsyncGenerator<DockerConfig, void, undefined> {
  const { REGISTRY_AUTH_FILE: authFile, XDG_RUNTIME_DIR: runtime } = io.env;
  const candidates = [
    dockerConfigPath(io.env),
    ...(authFile ? [authFile] : []),
    ...(runtime ? [`${runtime}/containers/auth.json`] : []),
  ];
  for (const paths of [candidates, helmConfigPaths(io.env)]) {
    for (const path of paths) {
      if (!(await io.files.stat(path))) continue;
      yield await readDockerConfig(io, path);
      break;
    }
  }
}

/** Returns the paths where `helm registry login` may write: $HELM_REGISTRY_CONFIG, else below Helm's configuration folder. */
function helmConfigPaths(env: Io["env"]): string[] {
  const { HELM_REGISTRY_CONFIG: file, HELM_CONFIG_HOME: folder, XDG_CONFIG_HOME: xdg, HOME: home = "" } = env;
  if (file) return [file];
  const rest = "registry/config.json";
  if (folder) return [`${folder}/${rest}`];
  if (xdg) return [`${xdg}/helm/${rest}`];
  return [`${home}/.config/helm/${rest}`, `${home}/Library/Preferences/helm/${rest}`];
}

/**
 * Reads one credentials file.
 *
 * @throws TsignError "input"
 */
export async function readDockerConfig(io: ConfigIo, path: string): Promise<DockerConfig> {
  const bytes = await io.files.read(path, { maxBytes: MAX_CONFIG });
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8") || "{}");
  } catch (cause) {
    throw new TsignError("input", `parse ${path}: invalid JSON`, { cause });
  }
  return dockerConfigOf(value, path);
}

/**
 * Checks the fields of a configuration.
 *
 * @param value parsed JSON
 * @param name of the file, for errors
 * @throws TsignError "input"
 */
export function dockerConfigOf(value: unknown, name: string): DockerConfig {
  const known = withKnownNames(value);
  const field = invalidField(known);
  if (field !== undefined) throw new TsignError("input", `parse docker configuration ${name}: invalid ${field}`);
  return known as DockerConfig;
}

/** Returns the path of the first field that has another type than in DockerConfig; "content" if it is not an object. */
function invalidField(value: unknown): string | undefined {
  if (!isObject(value)) return "content";
  const { auths, credsStore, credHelpers } = value;
  for (const [name, each] of Object.entries({ auths, credHelpers })) {
    if (!isAbsent(each) && !isObject(each)) return name;
  }
  if (!isText(credsStore)) return "credsStore";
  const helper = Object.entries(credHelpers ?? {}).find(([, each]) => !isText(each));
  if (helper) return `credHelpers.${helper[0]}`;
  for (const [registry, entry] of Object.entries(auths ?? {})) {
    if (entry === null) continue;
    if (!isObject(entry)) return `auths.${registry}`;
    const wrong = ENTRY_FIELDS.find((name) => !isText(entry[name]));
    if (wrong !== undefined) return `auths.${registry}.${wrong}`;
  }
  return undefined;
}

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;
const isText = (value: unknown): value is Text => isAbsent(value) || typeof value === "string";

const NAMES = new Map(["auths", "credsStore", "credHelpers"].map((name) => [name.toLowerCase(), name]));
const ENTRY_NAMES = new Map(ENTRY_FIELDS.map((name) => [name.toLowerCase(), name]));

/** Restores the case of known field names: Go matches them in any case, and the last one wins. */
function withKnownNames(value: unknown): unknown {
  if (!isObject(value)) return value;
  const top = renamed(value, NAMES);
  const { auths } = top;
  if (!isObject(auths)) return top;
  const entries = Object.entries(auths).map(([key, each]) => [key, isObject(each) ? renamed(each, ENTRY_NAMES) : each]);
  return { ...top, auths: Object.fromEntries(entries) };
}

function renamed(value: Record<string, unknown>, names: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [names.get(name.toLowerCase()) ?? name, each]));
}
