import { registryOptions } from "../../cli/flags/registry.ts";
import type { Run } from "../../cli/parser/define.ts";
import { readBlob } from "../../net/input.ts";
import { openRegistry } from "../../oci/open.ts";
import { parseReference } from "../../oci/ref.ts";
import { pushImage } from "../../sandbox/registry/push.ts";
import { sandboxRegistry } from "../../sandbox/server/state.ts";
import type definition from "./push.ts";

export const run: Run<typeof definition> = async (io, { args: [name = "", file], flags }) => {
  const ref = parseReference(`${await sandboxRegistry(io)}/${name}`);
  const store = await openRegistry(io, ref, registryOptions(flags));
  const content = file === undefined ? Buffer.from("hello from the sandbox\n") : await readBlob(io, file);
  const inside = file?.slice(file.lastIndexOf("/") + 1) ?? "hello.txt";
  const { digest } = await pushImage(store, { file: inside, content, tag: ref.identifier });
  const image = `${ref.name}@${digest}`;
  io.stdout.write(`${image}\n`);
  return { image };
};
