import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Store files in a registry",
  about:
    "Stores a file as an image whose only layer it is, so that it can be signed like one, and prints its reference. Several " +
    "files make an index, and each needs a platform of its own.",
  examples: [
    "tsign upload blob -f app registry.example/app-binary:v1",
    "tsign upload blob -f app-linux:linux/amd64 -f app-mac:darwin/arm64 registry.example/app-binary:v1",
    "tsign upload blob --ct text/x-config -a source=git -f app.conf registry.example/app-config:v1",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    annotation: flag.strings("key=value pairs to store with it", { short: "a", typeName: "stringToString" }),
    ct: flag.string("media type of the files; by default what they look like"),
    files: flag.strings("file, with :os[/architecture] when there are several", { short: "f" }),
  },
});
