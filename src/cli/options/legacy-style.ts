import type { SignatureImageStyle } from "../../evidence/legacy/write.ts";
import type { Io } from "../../io/io.ts";
import type { Descriptor } from "../../oci/types.ts";
import { recordedTimeText } from "./recorded-time.ts";

/**
 * Returns how `sign` and `attest` write a legacy image: with Docker's media types if COSIGN_DOCKER_MEDIA_TYPES is set, and with
 * the creation time if --record-creation-timestamp is.
 *
 * @param subject the subject of an image that is a referrer
 * @throws TsignError "input" for a SOURCE_DATE_EPOCH that is not a number
 */
export function legacyStyle(
  io: Pick<Io, "env" | "now">,
  flags: { readonly recordCreationTimestamp: boolean },
  subject?: Descriptor,
): SignatureImageStyle {
  return {
    dockerMediaTypes: /^(1|t|true)$/i.test(io.env["COSIGN_DOCKER_MEDIA_TYPES"] ?? ""),
    created: flags.recordCreationTimestamp ? recordedTimeText(io) : undefined,
    subject,
  };
}
