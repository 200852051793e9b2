import { resolve } from "node:path";
import { TsignError } from "../errors.ts";
import type { Files } from "../io/io.ts";
import { openRegistry, PLAIN_REGISTRY } from "../oci/open.ts";
import { parseReference } from "../oci/ref.ts";
import { GITHUB_JOB, person } from "../sandbox/oidc/issuer.ts";
import { pushImage } from "../sandbox/registry/push.ts";
import { parseClock } from "../sandbox/server/clock.ts";
import { parseFault } from "../sandbox/server/faults.ts";
import { startSandbox as startServer } from "../sandbox/server/serve.ts";
import { libraryIo } from "./context.ts";
import { createTransport } from "./transport.ts";

/** Options of `startSandbox`. */
export interface SandboxOptions {
  /** Port of the services and the open registry; by default 0, for a free port. */
  readonly port?: number;
  /** Whether the open registry has the referrers API; true by default. */
  readonly referrers?: boolean;
  /** Time of the services: `2026-01-31T00:00:00Z` is fixed, `+1h30m` and `-2h` are offsets. The real time by default. */
  readonly clock?: string;
  /** Faults to start with: `service:fault[=value][*times]`, as listed by `tsign sandbox fault --help`. */
  readonly faults?: readonly string[];
  /**
   * Folder for the files in `variables`, such as the trusted root. They are removed when the sandbox is closed or the process
   * ends. While the sandbox runs, only the second Ctrl-C or SIGTERM ends the process.
   */
  readonly folder?: string;
}

/** Options of a token from the sandbox. */
export interface TokenOptions {
  /** E-mail address of the person; `tester@example.com` by default. */
  readonly email?: string;
  /** Whether the token is for a job of GitHub Actions instead of a person, from the issuer `ciIssuer`. */
  readonly github?: boolean;
  /** Claims to add or replace. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The audience; `sigstore` by default. */
  readonly audience?: string;
  /** Seconds until it expires; 3600 by default, negative for an expired token. */
  readonly ttl?: number;
}

/** A Sigstore deployment and registries in this process, for tests. Never trust its root: it issues certificates to anyone. */
export interface Sandbox extends AsyncDisposable {
  /** `localhost:PORT`: the open registry. */
  readonly registry: string;
  /** Addresses of the services. */
  readonly urls: {
    readonly issuer: string;
    readonly ciIssuer: string;
    readonly fulcio: string;
    readonly rekor1: string;
    readonly rekor2: string;
    readonly timestamp: string;
    readonly tuf: string;
  };
  /** trusted_root.json, for `createVerifier`. */
  readonly trustedRoot: string;
  /** Signing configs for `openSession`: Rekor v2 with timestamps, and Rekor v1 without. */
  readonly signingConfig: string;
  readonly signingConfigRekor1: string;
  /**
   * Environment variables for tsign and cosign to use the sandbox (`tsign sandbox env`). Those with files are only included with
   * the option `folder`.
   */
  readonly variables: Readonly<Record<string, string>>;
  /** Returns an identity token (JWT) for the sandbox's certificate authority. */
  token(options?: TokenOptions): string;
  /**
   * Pushes an image with one layer and one file to the open registry.
   *
   * @param name `name[:tag]`
   * @returns its reference with digest: `localhost:PORT/name@sha256:…`
   * @throws TsignError "input" for an invalid name
   */
  pushImage(name: string, content?: Uint8Array | string): Promise<string>;
  /** Switches faults on: `rekor1:no-etag`, `tsa:slow=500*1`. @throws TsignError "usage" */
  fault(...faults: readonly string[]): void;
  /** Switches all faults off. */
  clearFaults(): void;
  /** Stops the servers and removes the files. */
  close(): Promise<void>;
}

/**
 * Starts a sandbox for tests on the loopback address: an OIDC issuer, Fulcio with a CT log, Rekor v1 and v2, a timestamp authority,
 * a TUF repository and registries, in this process and in memory:
 * `await using sandbox = await startSandbox();`
 *
 * @throws TsignError "input" if the port is in use; "usage" for an invalid fault or clock
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const folder = options.folder === undefined ? undefined : resolve(options.folder);
  const io = libraryIo({ transport: createTransport() });
  const own = { ...io, env: { XDG_RUNTIME_DIR: folder ?? "." }, files: folder === undefined ? NO_FILES : io.files };
  const server = await startServer(own, {
    port: options.port ?? 0,
    referrers: options.referrers ?? true,
    clock: parseClock(options.clock ?? "", io),
    faults: (options.faults ?? []).map(parseFault),
  });
  const { sigstore, faults, registries } = server;
  const { at, files, tokens } = sigstore;
  const close = () => server.close();
  return {
    registry: registries.open,
    urls: {
      issuer: at.issuer,
      ciIssuer: at.ciIssuer,
      fulcio: at.fulcio,
      rekor1: at.rekor1,
      rekor2: at.rekor2,
      timestamp: at.tsa,
      tuf: at.tuf,
    },
    trustedRoot: files["trusted_root.json"],
    signingConfig: files["signing_config.json"],
    signingConfigRekor1: files["signing_config.rekor1.json"],
    variables: folder === undefined ? withoutFiles(server.variables) : server.variables,
    token: ({ email = "tester@example.com", github = false, claims = {}, audience, ttl } = {}) =>
      tokens.mint({
        issuer: github ? at.ciIssuer : at.issuer,
        claims: { ...(github ? GITHUB_JOB : person(email)), ...claims },
        ...(audience === undefined ? {} : { audience }),
        ...(ttl === undefined ? {} : { lifetime: ttl }),
      }),
    async pushImage(name, content = "hello from the sandbox\n") {
      const ref = parseReference(`${registries.open}/${name}`);
      const store = await openRegistry(io, ref, PLAIN_REGISTRY);
      const { digest } = await pushImage(store, {
        file: "content",
        content: Buffer.from(content),
        tag: ref.identifier,
      });
      return `${ref.name}@${digest}`;
    },
    fault: (...texts) => {
      for (const fault of texts.map(parseFault)) faults.add(fault);
    },
    clearFaults: () => faults.clear(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Returns the variables whose values are not paths. */
function withoutFiles(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => !value.startsWith("/")));
}

const nowhere = () => Promise.reject(new TsignError("internal", "the sandbox has no folder"));

/** The files of a sandbox in memory: nothing is written. */
const NO_FILES: Files = {
  read: nowhere,
  // biome-ignore lint/correctness/useYield: there are no files
  chunks: async function* () {
    await nowhere();
  },
  stat: async () => undefined,
  write: async () => {},
  replace: async () => {},
  replaceProven: async () => {},
  requireWritable: async () => {},
  makeDirectory: async () => {},
  makeOwnFolder: async () => "/nowhere",
  list: async () => [],
  remove: async () => {},
};
