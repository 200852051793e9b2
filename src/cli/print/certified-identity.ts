import type { X509Certificate } from "@sigstore/core";
import { TsignError } from "../../errors.ts";
import { certificateIssuer, certificateNames } from "../../format/certificate-names.ts";
import { printable } from "../../format/printable.ts";
import { shellQuoted } from "../../format/shell-quoted.ts";
import type { Lines } from "../../io/io.ts";
import type { registryFlags } from "../flags/registry.ts";
import { flagName } from "../parser/argv.ts";
import type { FlagValues } from "../parser/define.ts";

/** The identity that a certificate states. */
export interface CertifiedIdentity {
  readonly name: string;
  /** OIDC issuer. */
  readonly issuer: string;
  /** What else a workflow's certificate states, by its name in a sentence: repository, workflow, ref, commit. */
  readonly source: ReadonlyMap<string, string>;
}

/** Fulcio's extensions about the workflow that signs (fulcio, docs/oid-info.md), by their names in a sentence. */
const SOURCE_EXTENSIONS = {
  repository: "1.3.6.1.4.1.57264.1.5",
  workflow: "1.3.6.1.4.1.57264.1.4",
  ref: "1.3.6.1.4.1.57264.1.6",
  commit: "1.3.6.1.4.1.57264.1.3",
};

/**
 * Reads the identity that a certificate states; nothing of it is verified.
 *
 * @param leaf DER
 * @returns undefined for a certificate without a name or an issuer, which no identity policy accepts
 * @throws TsignError "untrusted" for a malformed certificate
 */
export async function certifiedIdentity(leaf: Uint8Array): Promise<CertifiedIdentity | undefined> {
  const { parseCertificate } = await import("../../trust/certificate.ts");
  const { fulcioExtensions } = await import("../../verify/identity.ts");
  const { asn1 } = parseCertificate(leaf);
  const { name, issuer } = readNames(asn1);
  if (name === undefined || issuer === undefined) return undefined;
  const stated = fulcioExtensions(asn1);
  const source = Object.entries(SOURCE_EXTENSIONS).flatMap(([title, oid]) => {
    const value = stated.get(oid);
    return value ? [[title, value] as const] : [];
  });
  return { name, issuer, source: new Map(source) };
}

function readNames(leaf: X509Certificate): { name: string | undefined; issuer: string | undefined } {
  try {
    return { name: certificateNames(leaf)[0], issuer: certificateIssuer(leaf) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TsignError("untrusted", `malformed certificate: ${reason}`, { cause });
  }
}

/** Prints the identity that new signatures will have, as a verifier has to name it. */
export function printIdentity(stderr: Lines, { name, issuer, source }: CertifiedIdentity): void {
  stderr.write(`Certificate identity: ${printable(name)}\n`);
  stderr.write(`Certificate issuer: ${printable(issuer)}\n`);
  if (source.size === 0) return;
  const facts = [...source].map(([title, value]) => `${title} ${printable(value)}`);
  stderr.write(`Certificate source: ${facts.join(", ")}\n`);
}

/** Registry flags that verifying needs as well; user names, passwords and tokens are left out. */
const REGISTRY_FLAGS = [
  ...(["allowHttpRegistry", "allowInsecureRegistry", "k8sKeychain", "registryCacert"] as const),
  ...(["registryClientCert", "registryClientKey", "registryServerName"] as const),
];

/** The flags of a signing that its verification needs too. */
type SharedFlags = { readonly trustedRoot: string } & Partial<FlagValues<typeof registryFlags>> & {
    readonly attachmentTagPrefix?: string;
  };

/** A command line that verifies. */
interface VerifyCommand {
  /** The command: `verify`, `verify-blob`. */
  readonly words: string;
  readonly flags: SharedFlags;
  /** Flags of this command alone, name and value. */
  readonly options?: readonly string[];
  /** Images or files. */
  readonly args: readonly string[];
}

/** Prints the command that verifies what was just signed, in one line to be pasted into a shell. */
export function printVerifyCommand(stderr: Lines, identity: CertifiedIdentity, command: VerifyCommand): void {
  const line = verifyCommand(
    ["--certificate-identity", identity.name, "--certificate-oidc-issuer", identity.issuer],
    command,
  );
  if (line === undefined) return;
  stderr.write("To verify:\n");
  stderr.write(`    ${line}\n`); // indented lines are not wrapped on a terminal
}

/**
 * Returns a command that verifies, in one line to be pasted into a shell; undefined if a shell would not read it as it is shown.
 *
 * @param signer the flags that require a signer, names and values
 */
export function verifyCommand(signer: readonly string[], command: VerifyCommand): string | undefined {
  const { words, flags, options = [], args } = command;
  const parts = [
    ...signer,
    ...options,
    ...(flags.trustedRoot === "" ? [] : ["--trusted-root", flags.trustedRoot]),
    ...REGISTRY_FLAGS.flatMap((key) => flagParts(key, flags[key])),
    ...flagParts("attachmentTagPrefix", flags.attachmentTagPrefix),
    ...args,
  ];
  if (parts.some((part) => printable(part) !== part)) return undefined;
  return `tsign ${words} ${parts.map(shellQuoted).join(" ")}`;
}

function flagParts(key: string, value: string | boolean | undefined): string[] {
  if (value === undefined || value === "" || value === false) return [];
  return value === true ? [`--${flagName(key)}`] : [`--${flagName(key)}`, value];
}
