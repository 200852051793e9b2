import { defineCommand, flag } from "../cli/define.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import { isHost } from "../oci/ref.ts";
import { dockerConfigPath, readDockerConfig } from "../oci/registry/docker-config.ts";
import { helperProgram, serverKey } from "../oci/registry/keychain.ts";
import { takeStdin } from "../stdin.ts";

const MAX_PASSWORD = 64 * 1024;

export default defineCommand({
  usage: "[flags] <registry>",
  summary: "Store the credentials of a registry",
  about:
    "Stores a user name and password where docker and cosign find them: in docker's configuration, or in the credential " +
    "store it names.",
  examples: ["tsign login registry.example -u alice --password-stdin < token.txt"],
  args: { min: 1, max: 1 },
  flags: {
    password: flag.string("password; on the command line it is visible to others", { short: "p", secret: true }),
    passwordStdin: flag.bool("read the password from stdin"),
    username: flag.string("user name", { short: "u" }),
  },
  bindEnvironment: false,
  async run(io, { args: [server = ""], flags }) {
    const registry = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    if (!isHost(registry)) {
      throw new TsignError("input", `"${server}" is not a registry`, {
        hint: "such as registry.example, or localhost:5000",
      });
    }
    if (flags.passwordStdin && flags.password !== "") {
      throw new TsignError("usage", "--password and --password-stdin exclude one another");
    }
    const password = flags.passwordStdin
      ? await passwordFromStdin(io)
      : flags.password || (await askPassword(io, flags));
    if (password === "") {
      throw new TsignError("usage", "username and password required", { hint: "-u NAME --password-stdin" });
    }
    const canonical = registry === "docker.io" ? "index.docker.io" : registry;
    await storeCredentials(io, { registry: canonical, username: flags.username, password });
  },
});

/** Only a person at a terminal is asked; a script without a password gets an error, not an empty password. */
async function askPassword(io: Io, { username }: { username: string }): Promise<string> {
  return username !== "" && io.tty.stdin ? io.tty.prompt("Password: ", { secret: true }) : "";
}

async function passwordFromStdin(io: Io): Promise<string> {
  let text = "";
  for await (const piece of takeStdin(io, "the password")) {
    text += Buffer.from(piece).toString("utf8");
    if (text.length > MAX_PASSWORD) throw new TsignError("limit", "the password on stdin is larger than 64 KiB");
  }
  return text.replace(/\r?\n$/, "");
}

/** A helper named for the registry, else the credential store, else the configuration file itself. */
async function storeCredentials(
  io: Io,
  login: { registry: string; username: string; password: string },
): Promise<void> {
  const path = dockerConfigPath(io.env);
  const config = (await io.files.stat(path)) ? await readDockerConfig(io, path) : {};
  const key = serverKey(login.registry);
  const helpers = config.credHelpers ?? {};
  const helper = (Object.hasOwn(helpers, key) ? helpers[key] : undefined) ?? config.credsStore;
  if (helper) {
    const secret = JSON.stringify({ ServerURL: key, Username: login.username, Secret: login.password });
    const { code } = await io.spawn(helperProgram(helper), ["store"], { stdin: secret });
    if (code !== 0)
      throw new TsignError("auth", `the credential helper docker-credential-${helper} did not store the password`);
    io.stderr.write(`logged in via docker-credential-${helper}\n`);
    return;
  }
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  const auths = { ...config.auths, [key]: { auth } };
  await io.files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  await io.files.replace(path, `${JSON.stringify({ ...config, auths }, null, "\t")}\n`, { mode: 0o600 });
  io.stderr.write(`WARNING: the password is stored unencrypted in ${path}; a credential helper would keep it safer\n`);
  io.stderr.write(`logged in via ${path}\n`);
}
