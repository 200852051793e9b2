import * as z from "zod/mini";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io.ts";

const MAX_CONFIG = 16 * 1024 * 1024;
/** The key Docker Hub's credentials are stored under. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

const entry = z.looseObject({
  auth: z.optional(z.string()),
  username: z.optional(z.string()),
  password: z.optional(z.string()),
  identitytoken: z.optional(z.string()),
  registrytoken: z.optional(z.string()),
});
const config = z.looseObject({
  auths: z.nullish(z.record(z.string(), entry)),
  credsStore: z.optional(z.string()),
  credHelpers: z.nullish(z.record(z.string(), z.string())),
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
 * The credentials file in use: docker's, else $REGISTRY_AUTH_FILE, else podman's below $XDG_RUNTIME_DIR; undefined when
 * there is none.
 *
 * @throws TsignError "input" for one that cannot be read
 */
export async function findDockerConfig(io: ConfigIo): Promise<DockerConfig | undefined> {
  const { REGISTRY_AUTH_FILE: authFile, XDG_RUNTIME_DIR: runtime } = io.env;
  const candidates = [
    dockerConfigPath(io.env),
    ...(authFile ? [authFile] : []),
    ...(runtime ? [`${runtime}/containers/auth.json`] : []),
  ];
  for (const path of candidates) {
    if (await io.files.stat(path)) return readDockerConfig(io, path);
  }
  return undefined;
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
  const parsed = config.safeParse(value);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") || "content";
    throw new TsignError("input", `${path} is not a docker configuration: bad ${field}`);
  }
  return parsed.data;
}
