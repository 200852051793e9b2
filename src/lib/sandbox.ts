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

/** What `startSandbox` takes. */
export interface SandboxOptions {
  /** Port of the services and the open registry; 0, the default, takes a free one. */
  readonly port?: number;
  /** Whether the open registry has the referrers API; true by default. */
  readonly referrers?: boolean;
  /** The services' time: `2026-01-31T00:00:00Z` stands still, `+1h30m` and `-2h` are shifted. The real one by default. */
  readonly clock?: string;
  /** What goes wrong from the start: `service:fault[=value][*times]`, listed by `tsign sandbox fault --help`. */
  readonly faults?: readonly string[];
  /**
   * Folder for the files that `variables` name, such as the trusted root; they go when the sandbox is closed or the process ends.
   * Until then a first Ctrl-C or SIGTERM does not end the process, a second one does.
   */
  readonly folder?: string;
}

/** What a token of the sandbox states. */
export interface TokenOptions {
  /** The person; `tester@example.com` by default. */
  readonly email?: string;
  /** A job of GitHub Actions instead of a person, by the issuer `ciIssuer`. */
  readonly github?: boolean;
  /** Claims to add or replace. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** `sigstore` by default. */
  readonly audience?: string;
  /** Seconds it holds, 3600 by default; below zero it has expired. */
  readonly ttl?: number;
}

/** A Sigstore deployment and registries in this process. Nothing that it signs proves anything: never trust its root. */
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
  /** Signing configs, for `openSession`: of Rekor v2 with timestamps, and of Rekor v1 without. */
  readonly signingConfig: string;
  readonly signingConfigRekor1: string;
  /**
   * Environment variables by which tsign and cosign find the sandbox (`tsign sandbox env`). Those that name files are there only
   * with the option `folder`.
   */
  readonly variables: Readonly<Record<string, string>>;
  /** An identity token that the sandbox's certificate authority accepts (JWT). */
  token(options?: TokenOptions): string;
  /**
   * Pushes an image of one layer with one file to the open registry.
   *
   * @param name `name[:tag]`
   * @returns its reference by digest: `localhost:PORT/name@sha256:…`
   * @throws TsignError "input" for a name that is not one
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
 * Starts a sandbox on the loopback address: an OIDC issuer, Fulcio with a CT log, Rekor v1 and v2, a timestamp authority, a TUF
 * repository and registries, in this process and in memory. Made for tests:
 * `await using sandbox = await startSandbox();`
 *
 * @throws TsignError "input" when the port is taken; "usage" for a fault or a clock that is not one
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

/** Variables whose values are paths. */
function withoutFiles(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => !value.startsWith("/")));
}

const nowhere = () => Promise.reject(new TsignError("internal", "the sandbox has no folder"));

/** For a sandbox that lives in memory alone: what would be written is not. */
const NO_FILES: Files = {
  read: nowhere,
  // biome-ignore lint/correctness/useYield: there is nothing to read
  chunks: async function* () {
    await nowhere();
  },
  stat: async () => undefined,
  write: async () => {},
  replace: async () => {},
  requireWritable: async () => {},
  makeDirectory: async () => {},
  makeOwnFolder: async () => "/nowhere",
  list: async () => [],
  remove: async () => {},
};
