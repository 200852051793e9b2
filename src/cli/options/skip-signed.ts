import { TsignError } from "../../errors.ts";
import { missingSignatures, type SameSigning, type WantedSignature } from "../../images/already-signed.ts";
import type { RegistryImage } from "../../images/open.ts";
import type { Wanted } from "../../images/verdict.ts";
import type { Io } from "../../io/io.ts";
import { defaultHashes } from "../../keys/index.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import { signingDemands } from "../../sign/check.ts";
import { NO_TRUST } from "../../trust/material.ts";
import type { Policy } from "../../verify/model.ts";
import type { attestingFlags } from "../flags/attesting.ts";
import type { registryFlags } from "../flags/registry.ts";
import { flagName } from "../parser/argv.ts";
import type { FlagValues } from "../parser/define.ts";
import { openAttachments } from "./images.ts";
import type { Opened } from "./signing.ts";

type Flags = FlagValues<typeof registryFlags> & { readonly attachmentTagPrefix: string };

/** Fetches at a time for an image: few signatures are expected. */
const WORKERS = 4;

/** Flags of signing that write a new signature elsewhere, or where --skip-signed does not look. */
const REFUSED = ["bundle", "outputCertificate", "outputPayload", "outputSignature", "registryReferrersMode"] as const;

/**
 * Refuses --skip-signed where a skipped image would leave something unwritten.
 *
 * @throws TsignError "usage"
 */
export function requireSkippable(
  flags: Readonly<Record<(typeof REFUSED)[number], string>> & {
    readonly skipSigned: boolean;
    readonly upload: boolean;
  },
): void {
  if (!flags.skipSigned) return;
  const given = REFUSED.find((name) => flags[name] !== "" && flags[name] !== "legacy");
  const name = given === undefined ? undefined : `--${flagName(given)}`;
  const conflict = flags.upload ? name : "--upload=false";
  if (conflict !== undefined) throw new TsignError("usage", `--skip-signed and ${conflict} cannot be used together`);
}

/**
 * Refuses --skip-attested where a skipped image would leave something unwritten, or not removed.
 *
 * @throws TsignError "usage"
 */
export function requireSkippableAttestation(
  flags: Pick<FlagValues<typeof attestingFlags>, "bundle"> & {
    readonly skipAttested: boolean;
    readonly noUpload: boolean;
    readonly replace: boolean;
  },
): void {
  if (!flags.skipAttested) return;
  const conflict = flags.noUpload ? "--no-upload" : flags.replace ? "--replace" : flags.bundle && "--bundle";
  if (conflict) throw new TsignError("usage", `--skip-attested and ${conflict} cannot be used together`);
}

/**
 * Returns a function that returns those of the wanted signatures or attestations of an image that must still be made.
 *
 * @throws TsignError "unsupported" for a certificate without an identity that can be compared
 */
export async function missingOf(
  io: Io,
  flags: Flags,
  { opened, wanted: kind }: { opened: Opened; wanted: Wanted },
): Promise<(image: RegistryImage, wanted: readonly WantedSignature[]) => Promise<readonly WantedSignature[]>> {
  const signing = await sameSigning(io, opened);
  const search = {
    wanted: kind,
    bundles: true,
    tagPrefix: flags.attachmentTagPrefix,
    maxBytes: maxAttachmentSize(io.env),
    workers: WORKERS,
  } as const;
  return async (image, wanted) => {
    const attachments = await openAttachments(io, image, flags);
    return missingSignatures(io, { attachments, digest: image.digest }, { wanted, search, signing });
  };
}

/**
 * What a signature must satisfy to be one that this signing makes: its signer, and every log and authority that it uses.
 *
 * @throws TsignError "unsupported" for a certificate without an identity that can be compared
 */
export async function sameSigning(io: Pick<Io, "now">, { session, verification }: Opened): Promise<SameSigning> {
  const { witnesses, trust, certified } = verification;
  const count = (role: string) => new Set(witnesses.filter((each) => each.role === role).map(({ name }) => name)).size;
  const [logs, authorities] = [count("log"), count("timestamp-authority")];
  return {
    policy: {
      ...signingDemands({ certified, witnesses }),
      signer: await signerOf({ session, verification }),
      ...(logs > 1 ? { transparencyLogs: logs } : {}),
      ...(authorities > 1 ? { timestamps: authorities } : {}),
    },
    trust: { ...(trust ?? NO_TRUST), now: io.now() },
    leaf: certified ? undefined : session.identity.certificate?.leaf,
  };
}

async function signerOf({
  session,
  verification,
}: Pick<Opened, "session" | "verification">): Promise<Policy["signer"]> {
  const { key } = session.identity;
  const { certified, identity } = verification;
  if (!certified) return { kind: "key", key, hashes: defaultHashes(key) };
  if (!identity) {
    throw new TsignError(
      "unsupported",
      "read certificate: missing identity or issuer, so that no signature can be skipped",
    );
  }
  const { exactly } = await import("../../verify/patterns.ts");
  const { name, issuer } = identity;
  return { kind: "identity", identity: { subject: [exactly(name)], issuer: [exactly(issuer)], extensions: new Map() } };
}
