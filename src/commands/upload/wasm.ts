import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Store a WebAssembly module in a registry",
  about: "Stores a module as an image whose only layer it is, with the media types that runtimes look for.",
  examples: ["tsign upload wasm -f module.wasm registry.example/module:v1"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    file: flag.string("file of the module", { short: "f" }),
  },
});
