import type { Io, TlsOptions } from "../io/io.ts";
import type { Repository } from "./ref.ts";
import type { DockerConfig } from "./registry/docker-config.ts";
import { type Credentials, findCredentials } from "./registry/keychain.ts";
import { pullCredentials } from "./registry/pull-secrets.ts";
import { RegistrySession } from "./registry/session.ts";
import { shared } from "./registry/shared.ts";
import { registryStore } from "./registry/store.ts";
import { readTlsFiles } from "./tls-files.ts";
import type { ImageStore } from "./types.ts";

/** How to connect to a registry: the `--registry-*` and `--allow-*` flags. "" means not set. */
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
  /** Also use the credentials of the registry's cloud provider: after stored credentials, before flags. */
  readonly cloudCredentials: boolean;
  /** Configurations with credentials that are looked at before all others, only their `auths`: the pull secrets of a Pod. */
  readonly pullSecrets?: readonly DockerConfig[];
  /** What several repositories share that are opened with these options; default nothing. */
  readonly connections?: Connections;
}

/**
 * What the images of one command share: a session for each repository, so that there is one token for each scope, and the origin
 * of each registry, so that one request finds out whether it uses TLS. All are opened with the same options.
 */
export class Connections {
  /** By `registry/repository`. */
  readonly sessions = new Map<string, Promise<RegistrySession>>();
  /** By registry. */
  readonly origins = new Map<string, Promise<URL>>();

  /** Forgets all when there are more than so many repositories. What is under way goes on. */
  trim(most: number): void {
    if (this.sessions.size <= most) return;
    this.sessions.clear();
    this.origins.clear();
  }
}

/** The options when no flag is set. */
export const PLAIN_REGISTRY: RegistryOptions = {
  allowInsecure: false,
  allowHttp: false,
  username: "",
  password: "",
  token: "",
  caFile: "",
  clientCertFile: "",
  clientKeyFile: "",
  serverName: "",
  cloudCredentials: false,
};

/**
 * Opens a repository of a registry. Nothing is sent yet. The TLS options apply to this registry only.
 *
 * @throws TsignError "input" for certificate files that cannot be read
 */
export async function openRegistry(io: Io, repository: Repository, options: RegistryOptions): Promise<ImageStore> {
  const { connections } = options;
  const open = () => openSession(io, repository, options);
  const session = await (connections ? shared(connections.sessions, repository.name, open) : open());
  return registryStore({ io, session, repository });
}

async function openSession(io: Io, repository: Repository, options: RegistryOptions): Promise<RegistrySession> {
  const tls = await tlsOptions(io, options);
  return new RegistrySession({
    io,
    repository,
    tls,
    allowHttp: options.allowHttp || options.allowInsecure,
    credentials: (origin) => chooseCredentials(io, { repository, origin, tls, options }),
    origins: options.connections?.origins,
  });
}

/**
 * Chooses credentials as cosign does, after pull secrets: flags before the user's configuration; with `--k8s-keychain` the configuration, then the
 * cloud provider, then flags.
 */
async function chooseCredentials(
  io: Io,
  {
    repository,
    origin,
    tls,
    options,
  }: { repository: Repository; origin: URL; tls: TlsOptions; options: RegistryOptions },
): Promise<Credentials> {
  const pulled = options.pullSecrets && pullCredentials(options.pullSecrets, repository);
  if (pulled) return pulled;
  const given = givenCredentials(options);
  if (!options.cloudCredentials) return given ?? findCredentials(io, repository);
  const stored = await findCredentials(io, repository);
  if (stored.kind !== "anonymous") return stored;
  const { findCloudCredentials } = await import("./registry/clouds/find.ts");
  const ofCloud = await findCloudCredentials(io, { registry: repository.registry, origin, tls });
  return ofCloud.kind === "anonymous" ? (given ?? ofCloud) : ofCloud;
}

/** Returns the credentials of the flags; a user name and password take precedence over a token. */
function givenCredentials({ username, password, token }: RegistryOptions): Credentials | undefined {
  if (username && password) return { kind: "password", username, password };
  return token ? { kind: "bearer", token } : undefined;
}

async function tlsOptions(io: Io, options: RegistryOptions): Promise<TlsOptions> {
  const { serverName, allowInsecure } = options;
  return {
    ...(await readTlsFiles(io, options)),
    ...(serverName ? { serverName } : {}),
    ...(allowInsecure ? { insecure: true } : {}),
  };
}
