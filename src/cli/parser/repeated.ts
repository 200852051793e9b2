import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { flagName, type GivenFlag } from "./argv.ts";
import type { Flags } from "./define.ts";
import { flagVariable } from "./environment.ts";

/**
 * Flags, by their keys, that decide what is trusted, which key, whose identity and which target, so that of two values
 * neither may be dropped. Of every other flag with one value the last counts, as in cosign, and is warned about.
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

/** What to do instead, where it is not plain. */
const INSTEAD: Readonly<Record<string, string>> = {
  key: "verify once for each key",
  certificateIdentity: "--certificate-identity-regexp '^(one|other)$' takes several",
  certificateOidcIssuer: "--certificate-oidc-issuer-regexp '^(one|other)$' takes several",
};

/**
 * Refuses a flag that decides and has two values on the command line; warns of every other that is given more than once,
 * and of a variable whose flag decides and has another value on the command line, which counts.
 *
 * @param given what the command line gives, in order
 * @param parse the value of a flag from a text: `1` and `true` are the same
 * @throws TsignError "usage"
 */
export function checkRepeated(
  io: Pick<Io, "env" | "stderr">,
  { flags, given, bound }: { flags: Flags; given: readonly GivenFlag[]; bound: boolean },
  parse: (key: string, text: string) => unknown,
): void {
  for (const key of new Set(given.map((each) => each.key))) {
    const flag = flags[key];
    if (flag === undefined || flag.kind === "strings" || flag.kind === "texts") continue; // these grow
    const name = `--${flagName(key)}`;
    const texts = given.filter((each) => each.key === key).map(({ value }) => value);
    const values = new Set(texts.map((text) => parse(key, text)));
    const kind = KIND.get(key);
    if (values.size > 1 && kind !== undefined) {
      const hint = INSTEAD[key] ?? "give it once";
      throw new TsignError("usage", `${name} is given ${texts.length} times, with different values`, { hint });
    }
    if (values.size > 1) io.stderr.write(`WARNING: ${name} is given ${texts.length} times: the last one counts\n`);
    const variable = bound ? io.env[flagVariable(key)] : undefined;
    if (kind !== undefined && variable && !values.has(parse(key, variable))) {
      io.stderr.write(`WARNING: ${flagVariable(key)} has another value than ${name}, which counts\n`);
    }
  }
}
