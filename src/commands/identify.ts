import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image|file|bundle>",
  summary: "Show who claims to have signed an image or a file",
  about:
    "Shows the signer that each signature and attestation of an image, a file or a bundle names, and the strictest command that verifies it: with the exact identity and issuer, and the image's digest. Nothing is verified: anyone can attach a signature that names any signer. Compare the signer with the one you expect, then run the command. For a file, the bundle FILE.sigstore.json, FILE.sigstore, FILE.bundle or FILE.json beside it is read; for a folder or an archive (NAME.tar) that `tsign save` wrote, the images in it; NAME.tar:IMAGE is one of them.",
  examples: [
    "# Show who claims to have signed an image",
    "tsign identify registry.example/app:v1",
    "# Show who claims to have signed a file that has a bundle beside it",
    "tsign identify app.tar.gz",
    "# Show who claims to have signed the images of an archive",
    "tsign identify images.tar",
    "# Show the signer of a bundle",
    "tsign identify app.sigstore.json",
  ],
  result: shape.object({
    subject: shape.text("the image with its digest, the file, the folder or the archive"),
    verified: shape.flag("always false: nothing was verified"),
    signatures: shape.list(
      shape.object(
        {
          where: shape.text(),
          kind: shape.choice(["signature", "attestation"]),
          signer: shape.text("as the signature claims"),
          source: shape.map(shape.text(), "repository, workflow, ref and commit in the certificate"),
        },
        {
          image: shape.text("the image, of a folder or an archive with several"),
          issuer: shape.text(),
          predicateType: shape.text(),
          time: shape.text("as the log entry claims, RFC 3339"),
          logIndex: shape.text(),
          command: shape.text("the command that verifies it"),
          note: shape.text("why there is no command, or what to replace in it"),
        },
      ),
    ),
  }),
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix, trustedRoot: verificationFlags.trustedRoot },
  exitCodes: { "no-signatures": 10, "image-not-found": 11 },
  bindEnvironment: false,
});
