import { registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Repair the list of referrers of an image",
  about:
    "Compares the referrers index of an image, which registries without the referrers API need, with the manifests in the repository, and shows what is wrong; with --apply, repairs it. Entries whose manifest does not exist are removed from the index. A wrong artifact type, annotations or size are corrected. Manifests under tags of the repository, and those of --referrer, are added if they refer to the image. If the registry has the referrers API by now, manifests that it does not list are stored again, so that it does. No manifest is deleted, and entries that do not refer to the image stay as they are.",
  examples: [
    "# Show what is wrong with the list of referrers",
    "tsign repair registry.example/app:v1",
    "# Repair it",
    "tsign repair --apply registry.example/app:v1",
    "# Add a bundle that no list contains",
    "tsign repair --apply --referrer sha256:… registry.example/app:v1",
  ],
  result: shape.object({
    image: shape.text("the image with its digest"),
    applied: shape.flag("whether --apply was set"),
    findings: shape.list(
      shape.object({
        digest: shape.digest("the manifest of the referrer"),
        problem: shape.choice(["stale", "wrong", "duplicate", "missing", "unlisted", "foreign", "unreadable"]),
        state: shape.choice(["kept", "would be repaired", "repaired", "failed"]),
        reason: shape.text(),
      }),
    ),
  }),
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    apply: flag.bool("repair the list; without it, what is wrong is shown"),
    referrer: flag.texts("digest of a manifest that refers to the image, to add if no list contains it", {
      typeName: "string",
    }),
  },
  exitCodes: { "image-not-found": 11 },
});
