import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Upload a WebAssembly module to a registry",
  about: "Uploads a WebAssembly module as an image with one layer and the media types that runtimes expect.",
  examples: ["# Upload a module", "tsign upload wasm -f module.wasm registry.example/module:v1"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    file: flag.string("WebAssembly module file", { short: "f" }),
  },
});
