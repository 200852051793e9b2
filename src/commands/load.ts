import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Load saved images into a registry",
  about:
    "Pushes an image that `tsign save` or `cosign save` wrote, with all its platforms, signatures, attestations, SBOMs and other referrers. Signatures that the image already has in the registry are kept. The tag is written last.\nSeveral images of an archive (NAME.tar) or a folder are all pushed to the repository that is named, by their digests and with their old tags. Tags that exist there are not moved without --force.",
  examples: [
    "# Load an image from the folder app",
    "tsign load --dir app mirror.example/app:v1",
    "# Load all images of an archive into one repository, with their old tags",
    "tsign load --dir all.tar mirror.example/app",
    "# Load all images of an archive, each into its old repository below mirror.example/team",
    "tsign load --dir all.tar --keep-paths mirror.example/team",
    "# Load one image of an archive",
    "tsign load --dir all.tar:registry.example/app:v1 mirror.example/app:v1",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    dir: flag.string("folder or archive (NAME.tar) that `tsign save` wrote"),
    force: flag.bool("overwrite existing tags in the destination when several images are loaded", { short: "f" }),
    keepPaths: flag.bool("load each image into its old repository path, below the one that is named"),
  },
});
