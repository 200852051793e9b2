import { registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "<name[:tag]> [file]",
  summary: "Push a small image to the sandbox's registry",
  about:
    "Pushes an image with one layer, which contains the given file or a greeting, and prints its reference with digest.",
  examples: [
    "# Push an image with a greeting",
    "tsign sandbox push hello",
    "# Push an image that contains a file",
    "tsign sandbox push app:v1 build/app",
  ],
  result: shape.object({ image: shape.text("registry/repository@digest") }),
  args: { min: 1, max: 2 },
  flags: { ...registryFlags },
  bindEnvironment: false,
});
