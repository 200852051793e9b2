import { readBlob } from "../blob.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import { loadSigner } from "../keys/index.ts";
import { readPassword } from "../prompt.ts";
import { readSigningCertificate } from "../sign/certificate.ts";
import type { SigningIdentity } from "../sign/sign.ts";
import { requireNoServices } from "../sign/signing-config.ts";
import type { FlagValues } from "./define.ts";
import type { keyFlags } from "./flags/key.ts";
import type { signingFlags } from "./flags/signing.ts";

type Flags = FlagValues<typeof signingFlags & typeof keyFlags>;

const OFFLINE_HINT = "with a key and without services: --use-signing-config=false --tlog-upload=false";

/**
 * Checks which services the flags ask for, in cosign's order, and refuses what this version cannot do. What remains is
 * signing with a key alone.
 *
 * @throws TsignError "usage", "unsupported" or "input"
 */
export async function requireOfflineSigning(
  io: Io,
  flags: Flags,
  options: { bundlePathCounts: boolean },
): Promise<void> {
  const configured = flags.useSigningConfig || flags.signingConfig !== "";
  if (flags.key === "") {
    throw new TsignError(
      "unsupported",
      "signing without --key needs certificates from Fulcio, not available in this version",
      {
        hint: "make a key with `tsign generate-key-pair` and pass it as --key",
      },
    );
  }
  if (configured && !flags.tlogUpload) {
    throw new TsignError("usage", "--tlog-upload=false contradicts the signing config, which says what is logged", {
      hint: "add --use-signing-config=false, or pass a --signing-config without logs",
    });
  }
  if (configured && !flags.newBundleFormat && !(options.bundlePathCounts && flags.bundle !== "")) {
    throw new TsignError("usage", "the legacy form (--new-bundle-format=false) cannot be made with a signing config", {
      hint: "add --use-signing-config=false --tlog-upload=false",
    });
  }
  if (flags.trustedRoot !== "") {
    const { readTrustedRoot } = await import("../trust/trusted-root.ts");
    readTrustedRoot(await readBlob(io, flags.trustedRoot), flags.trustedRoot);
  }
  if (flags.signingConfig !== "") {
    return requireNoServices(await readBlob(io, flags.signingConfig), flags.signingConfig);
  }
  if (configured) {
    throw new TsignError("unsupported", "the default signing config comes from TUF, not available in this version", {
      hint: OFFLINE_HINT,
    });
  }
  if (flags.tlogUpload) {
    throw new TsignError("unsupported", "recording signatures in a log is not available in this version", {
      hint: OFFLINE_HINT,
    });
  }
}

/** Opens the key, and the certificate if one is to be stored with the signature. */
export async function openIdentity(io: Io, flags: Flags): Promise<SigningIdentity> {
  const signer = await loadSigner(io, flags.key, () => readPassword(io, { confirm: false }));
  if (flags.certificate === "") {
    if (flags.certificateChain !== "") throw new TsignError("usage", "--certificate-chain needs --certificate");
    return { signer };
  }
  const certificate = readSigningCertificate({
    certificate: await readBlob(io, flags.certificate),
    chain: flags.certificateChain === "" ? new Uint8Array() : await readBlob(io, flags.certificateChain),
    key: signer.publicKey,
  });
  return { signer, certificate };
}
