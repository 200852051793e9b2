import { type ServiceName, TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { attributed } from "./attribute.ts";
import { withoutPin } from "./pkcs11-uri.ts";
import type { KeyProvider, OpenProvider } from "./types.ts";

/** Schemes that are read as files (src/net/input.ts) and not by a provider. */
const BLOBS = new Set(["http", "https", "env"]);

/** The provider of each scheme, loaded on demand. */
const PROVIDERS: Readonly<Record<string, readonly [ServiceName, () => Promise<OpenProvider>]>> = {
  hashivault: ["hashivault", async () => (await import("./hashivault.ts")).openHashivault],
  openbao: ["hashivault", async () => (await import("./hashivault.ts")).openHashivault],
  awskms: ["awskms", async () => (await import("./awskms.ts")).openAwskms],
  gcpkms: ["gcpkms", async () => (await import("./gcpkms.ts")).openGcpkms],
  azurekms: ["azurekms", async () => (await import("./azurekms.ts")).openAzurekms],
  k8s: ["k8s", async () => (await import("./k8s.ts")).openK8s],
  pkcs11: ["pkcs11", async () => (await import("./pkcs11.ts")).openPkcs11],
  sk: ["pkcs11", async () => (await import("./pkcs11.ts")).openSecurityKey],
  github: ["github", async () => (await import("./github.ts")).openGithub],
  gitlab: ["gitlab", async () => (await import("./gitlab.ts")).openGitlab],
};

/**
 * Opens the provider for the scheme of a key reference: one of cosign's, else the program `sigstore-kms-<scheme>` of
 * Sigstore's plugin protocol.
 *
 * @returns a provider whose errors have the field `service`; undefined for files, variables and URLs
 * @throws TsignError "input" for an invalid reference
 */
export async function openProvider(io: Io, reference: string): Promise<KeyProvider | undefined> {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(reference) ?? [];
  // `c:/keys/cosign.key` and `name:tag.pub` are files. Only pkcs11: has no slashes after the scheme.
  if (scheme === "" || !(rest.startsWith("//") || scheme === "pkcs11") || BLOBS.has(scheme.toLowerCase()))
    return undefined;
  const known = Object.hasOwn(PROVIDERS, scheme) ? PROVIDERS[scheme] : undefined;
  const [service, load] = known ?? (["kms-plugin", async () => (await import("./plugin.ts")).openPlugin] as const);
  const open = await load();
  return attributed(open(io, reference), service);
}

/** Returns the reference of a key on a PIV token, for the flags --sk and --slot. */
export function securityKeyReference(slot: string): string {
  return `sk://${slot}`;
}

/** Opens the provider of a reference. @throws TsignError "usage" for a file, variable or URL, and as `openProvider` */
export async function requireProvider(io: Io, reference: string): Promise<KeyProvider> {
  const provider = await openProvider(io, reference);
  if (provider) return provider;
  throw new TsignError("usage", `not a key service: "${withoutPin(reference)}"`, {
    hint: "use awskms://, gcpkms://, azurekms://, hashivault://, openbao://, k8s://, gitlab://, github:// or a plugin's scheme",
  });
}
