import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { type DockerConfig, dockerConfigPath, readDockerConfig } from "./docker-config.ts";
import { helperProgram, serverKey } from "./keychain.ts";
import { RegistrySession } from "./session.ts";

const MAX_ANSWER = 64 * 1024;
/** What helpers say when there is nothing to erase (docker-credential-helpers, credentials/error.go). */
const NOT_FOUND = /credentials not found/i;

/** Who logs in, and where: `registry.example`, `localhost:5000`, `index.docker.io`. */
export interface Login {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Asks the registry whether it takes a user name and a password, as docker does: its challenge to GET /v2/ is answered.
 *
 * @returns false when the registry asks nobody who they are, so that nothing could be checked
 * @throws TsignError "auth" when it refuses, "network" when it does not answer, "registry" for another answer
 */
export async function checkLogin(io: Io, { registry, username, password }: Login): Promise<boolean> {
  let asked = false;
  const session = new RegistrySession({
    io,
    repository: { registry, repository: "", name: registry },
    tls: {},
    allowHttp: false,
    credentials: async () => {
      asked = true;
      return { kind: "password", username, password, note: "are user name and password right? Nothing was stored" };
    },
  });
  const answer = await session.read({ method: "GET", path: "/v2/", action: "pull", followRedirects: true }, MAX_ANSWER);
  if (answer.status === 200) return asked;
  if (answer.status === 404 && !asked) return false; // some serve images and not this address
  throw session.refusal(answer, "log in");
}

/**
 * Stores a login where docker does: in the credential helper of the registry, else in the credential store, else in docker's
 * configuration itself.
 *
 * @returns the helper's program, or the path of the configuration, and whether the password is there in the clear
 * @throws TsignError "input" for a configuration that cannot be read or has no place, "auth" when the helper fails
 */
export async function storeLogin(io: Io, login: Login): Promise<{ where: string; isClear: boolean }> {
  const path = requireConfigPath(io);
  const config = await readConfig(io, path);
  const key = serverKey(login.registry);
  const helper = helperFor(config, key);
  if (helper) {
    const secret = JSON.stringify({ ServerURL: key, Username: login.username, Secret: login.password });
    await runHelper(io, { helper, action: "store", stdin: secret, secret: login.password });
    return { where: helperProgram(helper), isClear: false };
  }
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  await writeConfig(io, path, { ...config, auths: { ...config.auths, [key]: { auth } } });
  return { where: path, isClear: true };
}

/**
 * Removes every login of a registry from where docker looks: from its credential helper or store, and from docker's
 * configuration, however the registry is spelt there (with a scheme, `/v1/` or `/v2/`).
 *
 * @returns where something was removed; empty when there was nothing
 * @throws TsignError "input", or "auth" when the helper fails
 */
export async function removeLogin(io: Io, registry: string): Promise<string[]> {
  const path = dockerConfigPath(io.env);
  const config = await readConfig(io, path);
  const removed: string[] = [];
  const key = serverKey(registry);
  const helper = helperFor(config, key);
  if (helper && (await runHelper(io, { helper, action: "erase", stdin: key }))) removed.push(helperProgram(helper));
  const auths = Object.entries(config.auths ?? {});
  const others = auths.filter(([each]) => !isKeyOf(each, registry));
  if (others.length < auths.length) {
    await writeConfig(io, path, { ...config, auths: Object.fromEntries(others) });
    removed.push(path);
  }
  return removed;
}

/** Whether a key of docker's configuration names the registry itself, and not one repository of it. */
function isKeyOf(key: string, registry: string): boolean {
  const host = key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  const hosts = registry === "index.docker.io" ? [registry, "docker.io", "registry-1.docker.io"] : [registry];
  return hosts.includes(host);
}

function helperFor(config: DockerConfig, key: string): string | undefined {
  const helpers = config.credHelpers ?? {};
  return (Object.hasOwn(helpers, key) ? helpers[key] : undefined) || config.credsStore || undefined;
}

/** @returns false when the helper knew nothing to erase */
async function runHelper(
  io: Pick<Io, "spawn">,
  by: { helper: string; action: "store" | "erase"; stdin: string; secret?: string },
): Promise<boolean> {
  const program = helperProgram(by.helper);
  const { code, stdout, stderr } = await io.spawn(program, [by.action], { stdin: by.stdin });
  if (code === 0) return true;
  const words = `${stdout}\n${stderr}`.trim().replaceAll(/\s+/g, " ").slice(0, 300);
  if (by.action === "erase" && NOT_FOUND.test(words)) return false;
  // Helpers write their reason to stdout, and some quote what they were given.
  const said = by.secret !== undefined && words.includes(by.secret) ? "" : words;
  const done = by.action === "store" ? "store the password" : "erase the login";
  throw new TsignError("auth", `${program} did not ${done}${said === "" ? "" : `: ${said}`}`);
}

/** @throws TsignError "input" where no folder of the user's is known */
function requireConfigPath(io: Pick<Io, "env">): string {
  if (io.env["DOCKER_CONFIG"] || io.env["HOME"]) return dockerConfigPath(io.env);
  throw new TsignError("input", "there is no place to store a login: HOME is not set", {
    hint: "set HOME, or name docker's folder with DOCKER_CONFIG",
  });
}

async function readConfig(io: Pick<Io, "env" | "files">, path: string): Promise<DockerConfig> {
  return (await io.files.stat(path)) ? readDockerConfig(io, path) : {};
}

async function writeConfig(io: Pick<Io, "files">, path: string, config: DockerConfig): Promise<void> {
  await io.files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  await io.files.replace(path, `${JSON.stringify(config, null, "\t")}\n`, { mode: 0o600 });
}
