import * as z from "zod/mini";
import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";

const MAX_CONFIG = 16 * 1024 * 1024;
/** The key of Docker Hub's credentials. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

const text = z.nullish(z.string());
const entry = z.looseObject({ auth: text, username: text, password: text, identitytoken: text, registrytoken: text });
const config = z.looseObject({
  auths: z.nullish(z.record(z.string(), z.nullable(entry))),
  credsStore: text,
  credHelpers: z.nullish(z.record(z.string(), text)),
});

/** The parts of docker's config.json or podman's auth.json that contain credentials. */
export type DockerConfig = z.infer<typeof config>;
export type DockerAuth = z.infer<typeof entry>;

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
  const parsed = config.safeParse(withKnownNames(value));
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") || "content";
    throw new TsignError("input", `parse docker configuration ${path}: invalid ${field}`);
  }
  return parsed.data;
}

const NAMES = new Map(["auths", "credsStore", "credHelpers"].map((name) => [name.toLowerCase(), name]));
const ENTRY_NAMES = new Map(Object.keys(entry.shape).map((name) => [name.toLowerCase(), name]));

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
