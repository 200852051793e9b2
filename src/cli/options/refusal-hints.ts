import { SIGN_PREDICATE_TYPE } from "../../evidence/media-types.ts";
import { didYouMean } from "../../format/nearest.ts";
import { shellQuoted } from "../../format/shell-quoted.ts";
import type { Instead } from "../../images/verdict.ts";
import type { Io } from "../../io/io.ts";
import { PREDICATE_ALIASES } from "../../sign/predicates.ts";
import type { CheckName } from "../../verify/model.ts";
import { flagName } from "../parser/argv.ts";
import { valuesOf } from "./signers.ts";

/** A failed check: its fields, as errors and verdicts carry them. */
interface Refusal {
  readonly check?: CheckName | undefined;
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
}

/** The flags that a signer is demanded by; "" or nothing where one is not given. */
export interface SignerFlags extends Readonly<Record<(typeof IDENTITY_FLAGS)[number], string | readonly string[]>> {
  readonly key: string | readonly string[];
  readonly sk: boolean;
  readonly offline: boolean;
}

const IDENTITY_FLAGS = [
  ...(["certificateIdentity", "certificateIdentityRegexp", "certificateOidcIssuer"] as const),
  ...(["certificateOidcIssuerRegexp", "certificateGithubWorkflowName", "certificateGithubWorkflowRef"] as const),
  ...(["certificateGithubWorkflowRepository", "certificateGithubWorkflowSha"] as const),
  "certificateGithubWorkflowTrigger",
] as const;

/** Names the command that lists who signed an image, to be pasted into a shell. */
export function signersHint(image: string): string {
  return `list the signers with \`tsign tree --signers ${shellQuoted(image)}\``;
}

/**
 * Returns what to do about a signature that a check refused.
 *
 * @param signers names what lists the signers; undefined where no command does
 * @returns undefined where signing again is the only way
 */
export function refusalHint(
  { check, expected, actual }: Refusal,
  flags: SignerFlags,
  signers: string | undefined,
): string | undefined {
  const usesKey = valuesOf(flags.key).length > 0 || flags.sk;
  const listed = signers === undefined ? "" : `; ${signers}`;
  switch (check) {
    case "identity":
      return `check ${identityFlag(flags, expected)}${listed}`;
    case "signature":
      return usesKey ? `check ${flags.sk ? "--sk" : "--key"}${listed}` : undefined;
    case "key":
      if (actual === "certificate")
        return `replace --key with --certificate-identity and --certificate-oidc-issuer${listed}`;
      if (actual === "public key") return `verify with --key instead of --certificate-identity${listed}`;
      return SERVICES;
    case "log":
      if (actual === "no entry") return unloggedHint(flags);
      return usesKey && actual === "another key" ? `check ${flags.sk ? "--sk" : "--key"}${listed}` : SERVICES;
    case "sct":
      return `${SERVICES}; if its authority has no certificate transparency log, add --insecure-ignore-sct`;
    default:
      return undefined;
  }
}

/** Names the command that shows who signed a file; undefined for a signature outside a bundle, which no command shows. */
export function bundleHint({ bundle }: { readonly bundle: string }): string | undefined {
  return bundle === "" ? undefined : `show the signer with \`tsign bundle inspect ${shellQuoted(bundle)}\``;
}

/** Returns what to do about a file's signature that a check refused. */
export function blobRefusalHint(
  refusal: Refusal,
  flags: SignerFlags & { readonly bundle: string },
): string | undefined {
  return refusalHint(refusal, flags, bundleHint(flags));
}

/** The hint for a signature that was never logged. */
export const IF_UNLOGGED = "if it was signed without a transparency log on purpose, add --insecure-ignore-tlog";

const SERVICES = "check that --trusted-root, or TUF_MIRROR, belongs to the services used for signing";

function unloggedHint({ offline }: SignerFlags): string {
  const lookUp = offline ? "leave out --offline to look the entry up in the log; " : "";
  return `${lookUp}${IF_UNLOGGED}`;
}

/** The flag that demands a value, by that value; every flag of an identity where it is not clear. */
function identityFlag(flags: SignerFlags, expected: string | undefined): string {
  const given = IDENTITY_FLAGS.filter((name) => valuesOf(flags[name]).length > 0);
  const demanding = given.filter((name) => valuesOf(flags[name]).some((value) => value === expected));
  return (demanding.length > 0 ? demanding : given).map((name) => `--${flagName(name)}`).join(" and ");
}

/**
 * Returns what to do about an image without a signature or attestation of the kind that was asked for.
 *
 * @param instead what was found in place of it
 */
export function absenceHint(
  io: Pick<Io, "env">,
  instead: Instead,
  asked: {
    readonly kind: "signatures" | "attestations";
    /** The predicate type, of attestations. */
    readonly predicateType?: string;
    readonly localImage: boolean;
    readonly target: { readonly repository: string; readonly reference: string };
  },
): string {
  const { kind, localImage, target } = asked;
  switch (instead.kind) {
    case "other-types":
      return kind === "attestations"
        ? otherTypesHint(instead.predicateTypes, asked.predicateType ?? "")
        : `verify its attestations with \`tsign verify-attestation\`: ${instead.predicateTypes.join(", ")}`;
    case "bundles":
      return `leave out --new-bundle-format=false: the image has ${kind} in Sigstore bundles`;
    case "child": {
      const platform = instead.platform === "" ? "" : ` for ${instead.platform}`;
      const how = localImage
        ? `load the folder into a registry with \`tsign load\`, and verify ${instead.digest}`
        : `verify ${target.repository}@${instead.digest}`;
      return `${how}: this image${platform} in the index has ${kind}, the index itself has none`;
    }
    case "nothing":
      return nothingHint(io, asked);
  }
}

function otherTypesHint(found: readonly string[], asked: string): string {
  if (found.every((type) => type === SIGN_PREDICATE_TYPE))
    return "verify its signatures with `tsign verify`: it has no attestations";
  // Any text is a type, so a misspelt alias is noticed here and not on the command line.
  return (
    didYouMean(asked, PREDICATE_ALIASES, (name) => `--type ${name}`) ??
    "pass one of the types that were found with --type"
  );
}

function nothingHint(io: Pick<Io, "env">, { kind, localImage, target }: Parameters<typeof absenceHint>[2]): string {
  const verb = kind === "signatures" ? "sign" : "attest";
  if (localImage) return `${verb} the image in its registry, and save it again with \`tsign save\``;
  const elsewhere = io.env["COSIGN_REPOSITORY"];
  if (elsewhere) return `check COSIGN_REPOSITORY: the ${kind} were looked for in ${elsewhere}`;
  const image = shellQuoted(target.reference);
  const how = kind === "signatures" ? `tsign sign ${image}` : `tsign attest --type TYPE --predicate FILE ${image}`;
  return `list what is attached to it with \`tsign tree ${image}\`, or ${verb} it with \`${how}\``;
}
