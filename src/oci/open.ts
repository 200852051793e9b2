import { TsignError } from "../errors.ts";
import type { Io, TlsOptions } from "../io.ts";
import type { Repository } from "./ref.ts";
import { type Credentials, findCredentials } from "./registry/keychain.ts";
import { RegistrySession } from "./registry/session.ts";
import { registryStore } from "./registry/store.ts";
import type { ImageStore } from "./types.ts";

const MAX_PEM = 16 * 1024 * 1024;

/** How a registry is reached: the `--registry-*` and `--allow-*` flags. Empty text means not given. */
export interface RegistryOptions {
  readonly allowInsecure: boolean;
  readonly allowHttp: boolean;
  readonly username: string;
  readonly password: string;
  readonly token: string;
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly serverName: string;
}

/**
 * Opens a repository of a registry. Nothing is sent yet; the TLS settings hold for this registry alone.
 *
 * @throws TsignError "input" for certificate files that cannot be read
 */
export async function openRegistry(io: Io, repository: Repository, options: RegistryOptions): Promise<ImageStore> {
  const session = new RegistrySession({
    io,
    repository,
    tls: await tlsOptions(io, options),
    allowHttp: options.allowHttp || options.allowInsecure,
    credentials: async () => givenCredentials(options) ?? (await findCredentials(io, repository)),
  });
  return registryStore({ io, session, repository });
}

/** Flags go before the user's configuration: a user name with its password, then a token. */
function givenCredentials({ username, password, token }: RegistryOptions): Credentials | undefined {
  if (username && password) return { kind: "password", username, password };
  return token ? { kind: "bearer", token } : undefined;
}

async function tlsOptions(io: Io, options: RegistryOptions): Promise<TlsOptions> {
  const { caFile, clientCertFile, clientKeyFile, serverName, allowInsecure } = options;
  if ((clientCertFile === "") !== (clientKeyFile === "")) {
    throw new TsignError("usage", "--registry-client-cert and --registry-client-key go together");
  }
  return {
    ...(caFile ? { ca: await readPemFile(io, caFile, "CERTIFICATE") } : {}),
    ...(clientCertFile ? { cert: await readPemFile(io, clientCertFile, "CERTIFICATE") } : {}),
    ...(clientKeyFile ? { key: await readPemFile(io, clientKeyFile, "PRIVATE KEY") } : {}),
    ...(serverName ? { serverName } : {}),
    ...(allowInsecure ? { insecure: true } : {}),
  };
}

async function readPemFile(io: Io, path: string, label: string): Promise<string> {
  const text = Buffer.from(await io.files.read(path, { maxBytes: MAX_PEM })).toString("latin1");
  if (!text.includes(`${label}-----`)) throw new TsignError("input", `${path} holds no PEM block of type ${label}`);
  return text;
}
