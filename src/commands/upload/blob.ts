import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Upload files to a registry",
  about:
    "Uploads a file as an image with one layer, so that it can be signed like an image, and prints its reference. Several files are uploaded as an index, and each requires a distinct platform.",
  examples: [
    "# Upload a file",
    "tsign upload blob -f app registry.example/app-binary:v1",
    "# Upload a file for each platform",
    "tsign upload blob -f app-linux:linux/amd64 -f app-mac:darwin/arm64 registry.example/app-binary:v1",
    "# Set the media type and an annotation",
    "tsign upload blob --ct text/x-config -a source=git -f app.conf registry.example/app-config:v1",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    annotation: flag.strings("annotations to store with the image, as key=value pairs", {
      short: "a",
      typeName: "stringToString",
    }),
    ct: flag.string("media type of the files, detected by default"),
    files: flag.strings("file to upload, followed by :os[/architecture] if there are several", { short: "f" }),
  },
});
