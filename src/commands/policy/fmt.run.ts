import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { shellQuoted } from "../../format/shell-quoted.ts";
import { isStdin } from "../../io/stdin.ts";
import { blobName } from "../../net/input.ts";
import { formatPolicy } from "../../trust-policy/format.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import type definition from "./fmt.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags }) => {
  if (flags.write && (isStdin(file) || file.includes("://"))) {
    throw new TsignError("usage", `format ${blobName(file)}: not a file`, {
      hint: "leave out --write to print the policy",
    });
  }
  const { content, path } = await readPolicyFile(io, file);
  await readTrustPolicy(content, path);
  const formatted = formatPolicy(content, path);
  if (flags.write) {
    if (formatted !== Buffer.from(content).toString("utf8")) await io.files.write(file, formatted, { mode: 0o644 });
    return { policy: formatted };
  }
  if (!flags.check) {
    io.stdout.data(formatted);
    return { policy: formatted };
  }
  if (formatted === Buffer.from(content).toString("utf8")) return { policy: formatted };
  throw new TsignError("input", `${file} is not formatted`, {
    hint: `run \`tsign policy fmt --write ${shellQuoted(file)}\``,
  });
};
