import { anySignerFlags } from "../cli/flags/any-signer.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

// Every signature is compared in full, in both forms, as it is stored.
const { insecureIgnoreSct: _sct, newBundleFormat: _form, signature: _signature, ...verifying } = verificationFlags;

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Remove signatures that newer ones supersede",
  about:
    "Lists the signatures of an image that newer ones of the same signer supersede, and what stays and why; with --apply, removes them. Signatures are verified first, with --key or a certificate identity as in `tsign verify`, and everything that does not verify stays. A signature supersedes another only if every policy that accepts the older accepts the newer: they have the same form, signer, certificate authority and extensions and signed content, and are from the same logs and timestamp authorities. At least one signature of every signer stays, every attestation stays, and so does what another tag, an index or another referrer needs.",
  examples: [
    "# Show what would be removed, and why",
    "tsign prune --key cosign.pub registry.example/app:v1",
    "# Remove all but the two newest signatures of each signer",
    "tsign prune --key cosign.pub --keep 2 --apply registry.example/app:v1",
    "# Remove superseded signatures that are older than thirty days",
    "tsign prune --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example --older-than 720h --apply registry.example/app:v1",
  ],
  result: shape.object({
    image: shape.text("the image with its digest"),
    applied: shape.flag("whether --apply was set"),
    signatures: shape.list(
      shape.object(
        {
          where: shape.text(),
          state: shape.choice(["kept", "would be removed", "removed", "unlisted", "failed"]),
          reason: shape.text("why it stays or is removed"),
        },
        {
          signer: shape.text("the verified signer; absent for a signature that does not verify"),
          issuer: shape.text("the issuer of the verified signer"),
          time: shape.text("as a log or a timestamp authority signed it, RFC 3339"),
        },
      ),
      "every signature, in the order in which it is stored",
    ),
  }),
  args: { min: 1, max: 1 },
  flags: {
    ...keyFlags,
    ...verifying,
    ...anySignerFlags,
    ...registryFlags,
    attachmentTagPrefix,
    apply: flag.bool("remove the superseded signatures; without it they are listed"),
    keep: flag.int("number of signatures to keep of those that supersede each other", {
      default: 1,
      range: [1, 1_000_000],
    }),
    olderThan: flag.duration("remove only signatures made longer ago than this, such as 720h"),
  },
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
  exitCodes: { "no-signatures": 10, "image-not-found": 11, "no-match": 12 },
});
