import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { type DockerConfig, dockerConfigPath, readDockerConfig } from "./docker-config.ts";
import { helperProgram, serverKey } from "./keychain.ts";
import { RegistrySession } from "./session.ts";

const MAX_ANSWER = 64 * 1024;
/** Message of helpers when there is nothing to erase (docker-credential-helpers, credentials/error.go). */
const NOT_FOUND = /credentials not found/i;

/** A login to a registry. */
export interface Login {
  /** Host: `registry.example`, `localhost:5000`, `index.docker.io`. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Checks a user name and a password against the registry, as docker does: sends GET /v2/ and answers the challenge.
 *
 * @returns false when the registry requires no login, so that the password could not be checked
 * @throws TsignError "auth" when the registry refuses the login, "network" when it cannot be reached, "registry" otherwise
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
      return { kind: "password", username, password, note: "check the user name and the password; nothing was stored" };
    },
  });
  const answer = await session.read({ method: "GET", path: "/v2/", action: "pull", followRedirects: true }, MAX_ANSWER);
  if (answer.status === 200) return asked;
  if (answer.status === 404 && !asked) return false; // some registries do not serve this path
  throw session.refusal(answer, `log in to ${registry}`);
}

/**
 * Stores a login where docker does: in the credential helper of the registry, else in the credential store, else in docker's
 * configuration file.
 *
 * @returns `where`: the helper's program or the path of the configuration; `isClear`: the password is stored unencrypted
 * @throws TsignError "input" for an invalid configuration, "auth" when the helper fails
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
 * Removes every login for a registry from its credential helper or store, and from docker's configuration, under every
 * spelling of the registry (with a scheme, `/v1/` or `/v2/`).
 *
 * @returns where logins were removed; empty when there were none
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

/** Reports whether a key of docker's configuration names the registry, and not a single repository. */
function isKeyOf(key: string, registry: string): boolean {
  const host = key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  const hosts = registry === "index.docker.io" ? [registry, "docker.io", "registry-1.docker.io"] : [registry];
  return hosts.includes(host);
}

function helperFor(config: DockerConfig, key: string): string | undefined {
  const helpers = config.credHelpers ?? {};
  return (Object.hasOwn(helpers, key) ? helpers[key] : undefined) || config.credsStore || undefined;
}

/** Runs a credential helper. Returns false when it had nothing to erase. @throws TsignError "auth" when it fails */
async function runHelper(
  io: Pick<Io, "spawn">,
  call: { helper: string; action: "store" | "erase"; stdin: string; secret?: string },
): Promise<boolean> {
  const program = helperProgram(call.helper);
  const { code, stdout, stderr } = await io.spawn(program, [call.action], { stdin: call.stdin });
  if (code === 0) return true;
  const message = `${stdout}\n${stderr}`.trim().replaceAll(/\s+/g, " ").slice(0, 300);
  if (call.action === "erase" && NOT_FOUND.test(message)) return false;
  // Helpers print the reason on stdout, and some repeat their input.
  const isSafe = message !== "" && (call.secret === undefined || !message.includes(call.secret));
  throw new TsignError("auth", `run ${program} ${call.action}: ${isSafe ? message : `exit code ${code}`}`);
}

/** @throws TsignError "input" when neither DOCKER_CONFIG nor HOME is set */
function requireConfigPath(io: Pick<Io, "env">): string {
  if (io.env["DOCKER_CONFIG"] || io.env["HOME"]) return dockerConfigPath(io.env);
  throw new TsignError("input", "store login: HOME is not set", {
    hint: "set HOME, or set DOCKER_CONFIG to docker's configuration folder",
  });
}

async function readConfig(io: Pick<Io, "env" | "files">, path: string): Promise<DockerConfig> {
  return (await io.files.stat(path)) ? readDockerConfig(io, path) : {};
}

async function writeConfig(io: Pick<Io, "files">, path: string, config: DockerConfig): Promise<void> {
  await io.files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  await io.files.replace(path, `${JSON.stringify(config, null, "\t")}\n`, { mode: 0o600 });
}
