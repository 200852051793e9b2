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

/** Says which flags have no effect on this signing, where cosign passes over them. */
export function warnAboutIdleFlags(
  io: Pick<Io, "stderr">,
  flags: Flags,
  { certified, services }: { certified: boolean; services: SigningServices },
): void {
  const idle = (names: readonly FlagName[], reason: string) => {
    const given = names
      .filter((name) => flags[name] !== signingFlags[name].default)
      .map((name) => `--${flagName(name)}`);
    if (given.length > 0) io.stderr.write(`WARNING: no effect of ${given.join(", ")}: ${reason}\n`);
  };
  if (!certified) idle(FOR_CERTIFICATES, "with --key no certificate is asked for");
  else idle(["certificate", "certificateChain"], "a certificate is issued for this signing");
  if (services.timestampAuthorities.length === 0) idle(FOR_TIMESTAMPS, "no timestamp authority is configured");
  if (!flags.tlogUpload) idle(["rekorUrl"], "nothing is logged with --tlog-upload=false");
}

/**
 * Refuses to sign when a file was asked for that would not be there to be written.
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
    throw new TsignError("usage", `there will be no certificate to write to ${files.certificate}: the key has none`, {
      hint: "leave --output-certificate out; `tsign public-key` writes the public key",
    });
  }
  if (files.timestamp !== "" && services.timestampAuthorities.length === 0) {
    throw new TsignError("usage", `there will be no timestamp to write to ${files.timestamp}`, {
      hint: "name a timestamp authority in the signing config, or by --timestamp-server-url",
    });
  }
}

/**
 * Says that cosign will not verify what is about to be signed: with the legacy form it knows public
 * signatures over SHA-256 only.
 *
 * @returns whether it was said
 */
export function warnAboutLegacyHash(io: Pick<Io, "stderr">, flags: Flags, { hash }: Pick<PublicKey, "hash">): boolean {
  if (hash === "sha256" || !formsOf(flags, new Set()).legacy) return false;
  io.stderr.write(
    `WARNING: this key signs over ${hash}, and cosign verifies the legacy form of logged signatures over sha256 alone\n`,
  );
  return true;
}
