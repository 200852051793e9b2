import { registryFlags, registryOptions } from "../../cli/flags/registry.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { readBlob } from "../../net/input.ts";
import { openRegistry } from "../../oci/open.ts";
import { parseReference } from "../../oci/ref.ts";
import { pushImage } from "../../sandbox/registry/push.ts";
import { sandboxRegistry } from "../../sandbox/server/state.ts";

export default defineCommand({
  usage: "<name[:tag]> [file]",
  summary: "Push a small image into the sandbox",
  about: "Pushes an image of one layer that holds the file, or a greeting, and prints its reference by digest.",
  examples: ["tsign sandbox push hello", "tsign sandbox push app:v1 build/app"],
  args: { min: 1, max: 2 },
  flags: { ...registryFlags },
  bindEnvironment: false,
  async run(io, { args: [name = "", file], flags }) {
    const ref = parseReference(`${await sandboxRegistry(io)}/${name}`);
    const store = await openRegistry(io, ref, registryOptions(flags));
    const content = file === undefined ? Buffer.from("hello from the sandbox\n") : await readBlob(io, file);
    const inside = file?.slice(file.lastIndexOf("/") + 1) ?? "hello.txt";
    const { digest } = await pushImage(store, { file: inside, content, tag: ref.identifier });
    io.stdout.write(`${ref.name}@${digest}\n`);
  },
});
