import type { SignatureImageStyle } from "../../evidence/legacy/write.ts";
import type { Io } from "../../io/io.ts";
import type { Descriptor } from "../../oci/types.ts";
import { recordedTimeText } from "./recorded-time.ts";

/**
 * How `sign` and `attest` write an image of the legacy form: with Docker's media types by COSIGN_DOCKER_MEDIA_TYPES, and with
 * the time it was made where --record-creation-timestamp asks for it.
 *
 * @param subject of an image that is a referrer
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
