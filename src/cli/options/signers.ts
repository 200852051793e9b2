import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { defaultHashes } from "../../keys/index.ts";
import { loadPublicKey } from "../../keys/reference.ts";
import type { IdentityPolicy, Policy } from "../../verify/model.ts";
import { keyReference } from "./key.ts";

/** A flag's values: one for commands that take it once. */
type Values = string | readonly string[];

/** The flags that name who may have signed. */
export interface SignerOptions {
  readonly key: Values;
  readonly sk: boolean;
  readonly slot: string;
  readonly certificateIdentity: Values;
  readonly certificateIdentityRegexp: Values;
  readonly certificateOidcIssuer: Values;
  readonly certificateOidcIssuerRegexp: Values;
  readonly signatureDigestAlgorithm: string;
}

/** An accepted signer, and the flag and value that name it: `--key team.pub`. */
export interface NamedSigner {
  readonly signer: Policy["signer"];
  readonly name: string;
}

/** The values of a flag that are not empty, each once. */
export function valuesOf(values: Values): string[] {
  return [...new Set([values].flat())].filter((value) => value !== "");
}

/**
 * Returns the key references of --key, or that of --sk.
 *
 * @throws TsignError "usage" for both
 */
export function keyReferences({ key, sk, slot }: Pick<SignerOptions, "key" | "sk" | "slot">): string[] {
  const keys = valuesOf(key);
  return sk ? [keyReference({ key: keys[0] ?? "", sk, slot })] : keys;
}

/**
 * Refuses keys, identities and patterns of identities together.
 *
 * @throws TsignError "usage"
 */
export function requireOneWay(flags: SignerOptions): void {
  const ways = [keyReferences(flags), valuesOf(flags.certificateIdentity), valuesOf(flags.certificateIdentityRegexp)];
  if (ways.filter((way) => way.length > 0).length <= 1) return;
  throw new TsignError(
    "usage",
    "exactly one of: key reference (--key), or certificate identity (--certificate-identity or " +
      "--certificate-identity-regexp) must be provided",
  );
}

/**
 * Reads the accepted signers, of which any is enough: the keys, or the identities. Identities have the issuer that is given once, or
 * the one at the same place among as many issuers.
 *
 * @param extensions required text by extension OID, of every identity
 * @param hint for a command line without an identity
 * @throws TsignError "usage" for keys and identities together, for neither, and for issuers that belong to no identity; "input"
 *   for keys that cannot be read
 */
export async function readSigners(
  io: Io,
  flags: SignerOptions,
  { extensions, hint }: { extensions: ReadonlyMap<string, string>; hint: string | undefined },
): Promise<[NamedSigner, ...NamedSigner[]]> {
  requireOneWay(flags);
  const [first, ...others] = keyReferences(flags);
  if (first === undefined) return readIdentities(flags, { extensions, hint });
  const flag = flags.sk ? "--sk" : "--key";
  const named = async (reference: string): Promise<NamedSigner> => {
    const key = await loadPublicKey(io, reference);
    const hashes = readHashes(flags) ?? defaultHashes(key);
    return { signer: { kind: "key", key, hashes }, name: flags.sk ? flag : `${flag} ${reference}` };
  };
  const signers: [NamedSigner, ...NamedSigner[]] = [await named(first)];
  for (const reference of others) signers.push(await named(reference));
  return signers;
}

/** The hash of --signature-digest-algorithm; undefined to take the hash of the key. */
function readHashes({ signatureDigestAlgorithm }: SignerOptions): readonly HashName[] | undefined {
  const name = signatureDigestAlgorithm.trim().toLowerCase();
  if (name === "" || name === "sha256") return undefined;
  if (name === "sha384" || name === "sha512") return [name];
  throw new TsignError("usage", `unknown digest algorithm: ${signatureDigestAlgorithm}`, {
    hint: "use sha256, sha384 or sha512",
  });
}

async function readIdentities(
  flags: SignerOptions,
  { extensions, hint }: { extensions: ReadonlyMap<string, string>; hint: string | undefined },
): Promise<[NamedSigner, ...NamedSigner[]]> {
  const exact = valuesOf(flags.certificateIdentity);
  const isExact = exact.length > 0;
  const [first, ...others] = isExact ? exact : valuesOf(flags.certificateIdentityRegexp);
  if (first === undefined) {
    throw new TsignError("usage", "--certificate-identity or --certificate-identity-regexp is required without --key", {
      hint,
    });
  }
  const { exactly, matching } = await import("../../verify/patterns.ts");
  const issuers = issuersOf(flags, others.length + 1, hint);
  const named = async (text: string, index: number): Promise<NamedSigner> => {
    const { issuer, pattern } = issuers(index);
    const identity: IdentityPolicy = {
      subject: [isExact ? exactly(text) : await matching(text)],
      issuer: [
        ...(issuer === undefined ? [] : [exactly(issuer)]),
        ...(pattern === undefined ? [] : [await matching(pattern)]),
      ],
      extensions,
    };
    const name = `--certificate-identity${isExact ? "" : "-regexp"} ${text}`;
    return { signer: { kind: "identity", identity }, name };
  };
  const signers: [NamedSigner, ...NamedSigner[]] = [await named(first, 0)];
  for (const [index, text] of others.entries()) signers.push(await named(text, index + 1));
  return signers;
}

/** The issuer and its pattern for an identity, by its place on the command line. */
function issuersOf(
  flags: SignerOptions,
  count: number,
  hint: string | undefined,
): (index: number) => { issuer: string | undefined; pattern: string | undefined } {
  const [exact, patterns] = [listOf(flags.certificateOidcIssuer), listOf(flags.certificateOidcIssuerRegexp)];
  if (exact.length === 0 && patterns.length === 0) {
    throw new TsignError(
      "usage",
      "--certificate-oidc-issuer or --certificate-oidc-issuer-regexp is required without --key",
      { hint },
    );
  }
  requireMatchingCount("--certificate-oidc-issuer", exact.length, count);
  requireMatchingCount("--certificate-oidc-issuer-regexp", patterns.length, count);
  const at = (values: readonly string[], index: number) => (values.length > 1 ? values[index] : values[0]);
  return (index) => ({ issuer: at(exact, index), pattern: at(patterns, index) });
}

/** The values in order. Repetitions stay among others: two identities may have one issuer, and a third another. */
function listOf(values: Values): string[] {
  const distinct = valuesOf(values);
  return distinct.length > 1 ? [values].flat().filter((value) => value !== "") : distinct;
}

function requireMatchingCount(name: string, found: number, count: number): void {
  if (found <= 1 || found === count) return;
  const identities = count === 1 ? "1 identity" : `${count} identities`;
  throw new TsignError("usage", `${name} is set ${found} times for ${identities}`, {
    hint: `set ${name} once, or once for each identity in the same order`,
  });
}
