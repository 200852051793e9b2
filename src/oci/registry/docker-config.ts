import * as z from "zod/mini";
import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";

const MAX_CONFIG = 16 * 1024 * 1024;
/** The key Docker Hub's credentials are stored under. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

const text = z.nullish(z.string());
const entry = z.looseObject({ auth: text, username: text, password: text, identitytoken: text, registrytoken: text });
const config = z.looseObject({
  auths: z.nullish(z.record(z.string(), z.nullable(entry))),
  credsStore: text,
  credHelpers: z.nullish(z.record(z.string(), text)),
});

/** The parts of docker's config.json or podman's auth.json that hold credentials. */
export type DockerConfig = z.infer<typeof config>;
export type DockerAuth = z.infer<typeof entry>;

type ConfigIo = Pick<Io, "env" | "files">;

/** Where docker's configuration lies: $DOCKER_CONFIG, else ~/.docker. */
export function dockerConfigPath(env: Io["env"]): string {
  return `${env["DOCKER_CONFIG"] || `${env["HOME"] ?? ""}/.docker`}/config.json`;
}

/**
 * The credentials files in use, in the order in which they are asked: docker's, else $REGISTRY_AUTH_FILE, else podman's below
 * $XDG_RUNTIME_DIR; then Helm's registry login.
 *
 * @throws TsignError "input" for one that cannot be read
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

/** Where `helm registry login` writes: $HELM_REGISTRY_CONFIG, else below Helm's configuration folder. */
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
    throw new TsignError("input", `${path} is not valid JSON`, { cause });
  }
  const parsed = config.safeParse(folded(value));
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") || "content";
    throw new TsignError("input", `${path} is not a docker configuration: bad ${field}`);
  }
  return parsed.data;
}

const NAMES = new Map(["auths", "credsStore", "credHelpers"].map((name) => [name.toLowerCase(), name]));
const ENTRY_NAMES = new Map(Object.keys(entry.shape).map((name) => [name.toLowerCase(), name]));

/** With the names that are read here spelt as they are: Go takes them in any case, and the last one counts. */
function folded(value: unknown): unknown {
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
