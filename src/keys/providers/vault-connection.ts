import { join } from "node:path";
import { TsignError } from "../../errors.ts";
import type { TlsOptions } from "../../io/io.ts";
import { createService, type Service } from "./rest.ts";
import type { ProviderIo } from "./types.ts";

export const SERVICE = "Vault";
const MAX_FILE = 1024 * 1024;
const TRUE = /^(1|t|true)$/i;

/**
 * Opens the Vault or OpenBao server of the environment: VAULT_ADDR or BAO_ADDR, a token, VAULT_NAMESPACE, and the TLS variables
 * of Vault's own client.
 *
 * @throws TsignError "usage" without an address, "auth" without a token
 */
export async function connectVault(io: ProviderIo): Promise<Service> {
  const variable = io.env["VAULT_ADDR"] ? "VAULT_ADDR" : "BAO_ADDR";
  const base = io.env[variable] ?? "";
  if (base === "")
    throw new TsignError("usage", "VAULT_ADDR is not set", {
      hint: "set it to the address of Vault, such as https://vault.example.com:8200",
    });
  const namespace = io.env["VAULT_NAMESPACE"] || io.env["BAO_NAMESPACE"] || "";
  const headers = {
    "x-vault-request": "true",
    "x-vault-token": await findToken(io),
    ...(namespace === "" ? {} : { "x-vault-namespace": namespace }),
  };
  return createService(io, { service: "hashivault", name: SERVICE, base, variable, headers, tls: await tlsOf(io) });
}

/** Finds the token in the order of Vault's own client: variables, the token helper of ~/.vault, ~/.vault-token. */
async function findToken(io: ProviderIo): Promise<string> {
  const given = io.env["VAULT_TOKEN"] || io.env["BAO_TOKEN"];
  if (given) return given;
  const home = io.env["HOME"] || io.env["USERPROFILE"] || "";
  const stored = (await fromHelper(io, home)) ?? (home === "" ? "" : await read(io, join(home, ".vault-token")));
  if (stored.trim() !== "") return stored.trim();
  throw new TsignError("auth", `missing token for ${SERVICE}`, {
    hint: "set VAULT_TOKEN, or run `vault login` (BAO_TOKEN, the token helper of ~/.vault and ~/.vault-token were tried too)",
  });
}

async function fromHelper(io: ProviderIo, home: string): Promise<string | undefined> {
  const config = io.env["VAULT_CONFIG_PATH"] || (home === "" ? "" : join(home, ".vault"));
  const [, helper] = /^\s*token_helper\s*=\s*"([^"]+)"/m.exec(config === "" ? "" : await read(io, config)) ?? [];
  if (!helper) return undefined;
  const { code, stdout } = await io.spawn(helper, ["get"]);
  if (code !== 0) throw new TsignError("auth", `token helper ${helper} (from ${config}) failed with exit code ${code}`);
  return stdout;
}

async function tlsOf(io: ProviderIo): Promise<TlsOptions | undefined> {
  const file = async (name: string) => {
    const path = io.env[name];
    return path ? Buffer.from(await io.files.read(path, { maxBytes: MAX_FILE })).toString("latin1") : undefined;
  };
  const ca = await file("VAULT_CACERT");
  const cert = await file("VAULT_CLIENT_CERT");
  const key = await file("VAULT_CLIENT_KEY");
  const serverName = io.env["VAULT_TLS_SERVER_NAME"];
  const insecure = TRUE.test(io.env["VAULT_SKIP_VERIFY"] ?? "");
  if (insecure) io.stderr.write("WARNING: VAULT_SKIP_VERIFY is set: Vault's TLS certificate is not verified\n");
  if (!ca && !cert && !key && !serverName && !insecure) return undefined;
  return {
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(serverName ? { serverName } : {}),
    ...(insecure ? { insecure } : {}),
  };
}

async function read(io: ProviderIo, path: string): Promise<string> {
  if (!(await io.files.stat(path))) return "";
  return Buffer.from(await io.files.read(path, { maxBytes: MAX_FILE })).toString("utf8");
}
