import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import type { PublicKey } from "../../keys/types.ts";
import type { SigningServices } from "../../sign/services.ts";
import type { keyFlags } from "../flags/key.ts";
import { signingFlags } from "../flags/signing.ts";
import { flagName } from "../parser/argv.ts";
import type { FlagValues } from "../parser/define.ts";
import { formsOf } from "./forms.ts";

type Flags = Omit<FlagValues<typeof signingFlags & typeof keyFlags>, "outputCertificate" | "outputSignature">;
type FlagName = Exclude<keyof typeof signingFlags, "outputCertificate" | "outputSignature">;

const FOR_CERTIFICATES: readonly FlagName[] = [
  "fulcioAuthFlow",
  "fulcioUrl",
  "identityToken",
  "oidcClientId",
  "oidcClientSecretFile",
  "oidcDisableAmbientProviders",
  "oidcIssuer",
  "oidcProvider",
  "oidcRedirectUrl",
];
const FOR_TIMESTAMPS: readonly FlagName[] = [
  "timestampClientCacert",
  "timestampClientCert",
  "timestampClientKey",
  "timestampServerName",
];

/** Warns of flags that this signing does not use; cosign ignores them silently. */
export function warnUnusedFlags(
  io: Pick<Io, "stderr">,
  flags: Flags,
  { certified, services }: { certified: boolean; services: SigningServices },
): void {
  const warnUnused = (names: readonly FlagName[], reason: string) => {
    const given = names
      .filter((name) => flags[name] !== signingFlags[name].default)
      .map((name) => `--${flagName(name)}`);
    if (given.length > 0)
      io.stderr.write(`WARNING: ${given.join(", ")} ${given.length === 1 ? "is" : "are"} ignored: ${reason}\n`);
  };
  if (!certified) warnUnused(FOR_CERTIFICATES, "no certificate is requested with --key");
  else warnUnused(["certificate", "certificateChain"], "a certificate is issued for this signing");
  if (services.timestampAuthorities.length === 0) warnUnused(FOR_TIMESTAMPS, "no timestamp authority is configured");
  if (!flags.tlogUpload) warnUnused(["rekorUrl"], "nothing is logged with --tlog-upload=false");
}

/**
 * Refuses to sign when an output file was asked for that this signing does not produce.
 *
 * @throws TsignError "usage"
 */
export function requireFiles(
  flags: Flags,
  options: {
    files: { certificate: string; timestamp: string } | undefined;
    certified: boolean;
    services: SigningServices;
  },
): void {
  const { files, certified, services } = options;
  if (!files) return;
  if (files.certificate !== "" && !certified && flags.certificate === "") {
    throw new TsignError("usage", `write certificate ${files.certificate}: a signature with --key has no certificate`, {
      hint: "leave out --output-certificate; write the public key with `tsign public-key`",
    });
  }
  if (files.timestamp !== "" && services.timestampAuthorities.length === 0) {
    throw new TsignError("usage", `write timestamp ${files.timestamp}: no timestamp authority is configured`, {
      hint: "add one to the signing config, or pass --timestamp-server-url with --use-signing-config=false",
    });
  }
}

/**
 * Warns that cosign will not verify the new signature: it verifies logged signatures in the legacy form over SHA-256 only.
 *
 * @returns whether it warned
 */
export function warnAboutLegacyHash(io: Pick<Io, "stderr">, flags: Flags, { hash }: Pick<PublicKey, "hash">): boolean {
  if (hash === "sha256" || !formsOf(flags, new Set()).legacy) return false;
  io.stderr.write(
    `WARNING: this key signs over ${hash}; cosign verifies logged signatures in the legacy form over sha256 only\n`,
  );
  return true;
}
