import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { flagName, type GivenFlag } from "./argv.ts";
import type { Flags } from "./define.ts";
import { flagVariable } from "./environment.ts";

/**
 * Keys of the flags that decide what is trusted, which key is used, whose identity is expected, and what is signed or verified:
 * setting one of them to two different values is an error. For any other flag, the last value is used, as in cosign, with a
 * warning.
 */
const DECISIVE: Readonly<Record<"trust" | "key" | "identity" | "target", readonly string[]>> = {
  trust: [
    ...["trustedRoot", "certificateChain", "caRoots", "caIntermediates", "timestampCertificateChain", "sct"],
    ...[
      "insecureIgnoreTlog",
      "insecureIgnoreSct",
      "insecureSkipVerify",
      "checkClaims",
      "privateInfrastructure",
      "offline",
    ],
    ...["useSignedTimestamps", "newBundleFormat", "ignoreTlog", "rfc3161Timestamp", "insecureIgnoreFrontend"],
    ...["root", "rootChecksum", "mirror", "staging", "signingConfig", "useSigningConfig", "tlogUpload"],
    ...["rekorUrl", "fulcioUrl", "oidcIssuer", "timestampServerUrl", "signatureDigestAlgorithm"],
    ...["registryCacert", "registryServerName", "timestampClientCacert", "timestampServerName"],
    ...["allowHttpRegistry", "allowInsecureRegistry"],
  ],
  key: [
    ...["key", "sk", "slot", "slotId", "kms", "certificate", "signingAlgorithm", "issueCertificate", "modulePath"],
    ...["registryClientCert", "registryClientKey", "timestampClientCert", "timestampClientKey"],
    ...["pin", "puk", "newPin", "newPIN", "oldPin", "newPuk", "oldPuk", "newKey", "oldKey", "managementKey"],
  ],
  identity: [
    ...["certificateIdentity", "certificateIdentityRegexp", "certificateOidcIssuer", "certificateOidcIssuerRegexp"],
    ...["certificateGithubWorkflowName", "certificateGithubWorkflowRef", "certificateGithubWorkflowRepository"],
    ...["certificateGithubWorkflowSha", "certificateGithubWorkflowTrigger"],
    ...["identityToken", "fulcioAuthFlow", "oidcProvider", "oidcClientId", "oidcClientSecretFile", "oidcRedirectUrl"],
    ...["oidcDisableAmbientProviders", "registryUsername", "registryPassword", "registryToken", "k8sKeychain"],
    ...["username", "password", "email", "aud"],
  ],
  target: [
    ...[
      "bundle",
      "signature",
      "payload",
      "attestation",
      "artifact",
      "digest",
      "digestAlg",
      "hash",
      "tsr",
      "rekorResponse",
    ],
    ...["attachment", "attachmentTagPrefix", "localImage", "baseImageOnly", "platform", "type", "predicateType"],
    ...["predicate", "statement", "sbom", "file", "baseConfig", "dir", "state", "recursive", "upload", "noUpload"],
    ...["out", "outfile", "outputFile", "outputAttestation", "outputCertificate", "outputKeyPrefix", "outputPayload"],
    ...["outputSignature", "rfc3161TimestampBundle"],
  ],
};
const KIND = new Map(Object.entries(DECISIVE).flatMap(([kind, keys]) => keys.map((key) => [key, kind] as const)));

/** Hints about what to do instead. */
const ALTERNATIVES: Readonly<Record<string, string>> = {
  key: "run the command once for each key",
  certificateIdentity: "use --certificate-identity-regexp '^(one|other)$' to accept several identities",
  certificateOidcIssuer: "use --certificate-oidc-issuer-regexp '^(one|other)$' to accept several issuers",
};

/**
 * Rejects two different values of a decisive flag on the command line. Warns about any other flag that is repeated, and about
 * an environment variable that a decisive flag on the command line overrides.
 *
 * @param given the flags on the command line, in order
 * @param parse parses a value, so that `1` and `true` are equal
 * @throws TsignError "usage"
 */
export function checkRepeated(
  io: Pick<Io, "env" | "stderr">,
  { flags, given, bound }: { flags: Flags; given: readonly GivenFlag[]; bound: boolean },
  parse: (key: string, text: string) => unknown,
): void {
  for (const key of new Set(given.map((each) => each.key))) {
    const flag = flags[key];
    if (flag === undefined) continue;
    const isList = flag.kind === "strings" || flag.kind === "texts"; // lists collect all values
    const read = (text: string) => (isList ? text : parse(key, text));
    const name = `--${flagName(key)}`;
    const texts = given.filter((each) => each.key === key).map(({ value }) => value);
    const values = new Set(texts.map(read));
    const kind = KIND.get(key);
    if (!isList && values.size > 1 && kind !== undefined) {
      const hint = ALTERNATIVES[key] ?? `set ${name} once`;
      throw new TsignError("usage", `${name} is set ${texts.length} times with different values`, { hint });
    }
    if (!isList && values.size > 1)
      io.stderr.write(`WARNING: ${name} is set ${texts.length} times; only the last value is used\n`);
    const variable = bound && !flag.unbound ? io.env[flagVariable(key)] : undefined;
    if (kind !== undefined && variable && !values.has(read(variable))) {
      io.stderr.write(`WARNING: ${flagVariable(key)} is ignored because ${name} is set\n`);
    }
  }
}
