import { registryOf } from "../cli/options/registry-name.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { takeStdin } from "../io/stdin.ts";
import { checkLogin, storeLogin } from "../oci/registry/logins.ts";
import type definition from "./login.ts";

export const run: Run<typeof definition> = async (io, { args: [server = ""], flags }) => {
  const registry = registryOf(server);
  if (flags.passwordStdin && flags.password !== "") {
    throw new TsignError("usage", "--password and --password-stdin cannot be used together");
  }
  const stdin = flags.passwordStdin ? await passwordFromStdin(io) : "";
  const username =
    flags.username || (await ask(io, "Username: ", { secret: false, stdin: flags.passwordStdin })).trim();
  const password =
    stdin ||
    flags.password ||
    (username === "" || flags.passwordStdin ? "" : await ask(io, "Password: ", { secret: true }));
  if (username === "" || password === "") {
    throw new TsignError("usage", "username and password required", { hint: "pass -u NAME --password-stdin" });
  }
  if (username.includes(":")) throw new TsignError("input", `invalid user name "${username}": it contains a colon`);
  const login = { registry, username, password };
  const checked = await checkLogin(io, login);
  if (!checked) {
    io.stderr.write(`WARNING: ${registry} does not require a login; the password was not checked\n`);
  }
  const { where, isClear } = await storeLogin(io, login);
  if (isClear) {
    const safer = "use a credential helper to encrypt it";
    io.stderr.write(`WARNING: the password is stored unencrypted in ${where}; ${safer}\n`);
  }
  io.stderr.write(`logged in via ${where}\n`);
  return { registry, checked, storedIn: where };
};

const MAX_PASSWORD = 64 * 1024;

/** Prompts on a terminal; returns "" without one, so that a script without a password fails. */
async function ask(io: Io, question: string, options: { secret: boolean; stdin?: boolean }): Promise<string> {
  return io.tty.stdin && options.stdin !== true ? io.tty.prompt(question, { secret: options.secret }) : "";
}

async function passwordFromStdin(io: Io): Promise<string> {
  let text = "";
  for await (const piece of takeStdin(io, "the password")) {
    text += Buffer.from(piece).toString("utf8");
    if (text.length > MAX_PASSWORD) throw new TsignError("limit", "the password on stdin is larger than 64 KiB");
  }
  return text.replace(/\r?\n$/, "");
}
