import type { Io } from "../../io/io.ts";
import { REGISTRY_LOGIN } from "../registry/auth.ts";
import type { SigstoreFile } from "../sigstore.ts";
import type { Addresses } from "../trust.ts";

/** The sandbox's registries, each as `localhost:<port>`. */
export interface Registries {
  /** Without login; with the referrers API unless it is disabled. */
  readonly open: string;
  /** Without login and without the referrers API. */
  readonly plain: string;
  readonly basic: string;
  readonly bearer: string;
}

/**
 * Returns the variables with which programs find a sandbox. TUF_ROOT, TUF_MIRROR and TUF_ROOT_JSON make cosign and tsign trust
 * and use it without flags, instead of the user's own trusted root.
 *
 * @param folder folder with the files for clients
 */
export function sandboxVariables(at: Addresses, registries: Registries, folder: string): Record<string, string> {
  const file = (name: SigstoreFile) => `${folder}/${name}`;
  return {
    TSIGN_SANDBOX: registries.open,
    TSIGN_SANDBOX_URL: at.base,
    TSIGN_SANDBOX_ISSUER: at.issuer,
    TSIGN_SANDBOX_CI_ISSUER: at.ciIssuer,
    TSIGN_SANDBOX_GITHUB_TOKEN_URL: `${at.ciIssuer}/gha?v=1`,
    TSIGN_SANDBOX_FULCIO: at.fulcio,
    TSIGN_SANDBOX_CT: at.ct,
    TSIGN_SANDBOX_REKOR: at.rekor1,
    TSIGN_SANDBOX_REKOR2: at.rekor2,
    TSIGN_SANDBOX_TSA: at.tsa,
    TSIGN_SANDBOX_TRUSTED_ROOT: file("trusted_root.json"),
    TSIGN_SANDBOX_SIGNING_CONFIG: file("signing_config.json"),
    TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1: file("signing_config.rekor1.json"),
    TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1_TSA: file("signing_config.rekor1-tsa.json"),
    TSIGN_SANDBOX_FULCIO_CHAIN: file("fulcio_chain.pem"),
    TSIGN_SANDBOX_TSA_CHAIN: file("tsa_chain.pem"),
    TSIGN_SANDBOX_CT_KEY: file("ct_log.pub"),
    TSIGN_SANDBOX_REKOR_KEY: file("rekor1.pub"),
    TSIGN_SANDBOX_REKOR2_KEY: file("rekor2.pub"),
    TSIGN_SANDBOX_WITNESSES: file("witnesses.txt"),
    TSIGN_SANDBOX_REGISTRY_PLAIN: registries.plain,
    TSIGN_SANDBOX_REGISTRY_BASIC: registries.basic,
    TSIGN_SANDBOX_REGISTRY_BEARER: registries.bearer,
    TSIGN_SANDBOX_REGISTRY_USER: REGISTRY_LOGIN.user,
    TSIGN_SANDBOX_REGISTRY_PASSWORD: REGISTRY_LOGIN.password,
    TUF_ROOT: `${folder}/tuf`,
    TUF_MIRROR: at.tuf,
    TUF_ROOT_JSON: file("tuf_root.json"),
  };
}

/** Returns PATH with the folder of this tsign first. */
export function pathWithTsign({ env, launcher }: Pick<Io, "env" | "launcher">): string {
  return `${launcher.folder}:${env["PATH"] ?? ""}`;
}

/** Returns `export` lines for a POSIX shell. */
export function shellExports(variables: Readonly<Record<string, string>>): string {
  const quoted = (value: string) => (/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join("");
}
