import { sandboxOptions } from "../../cli/options/sandbox.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { pathWithTsign } from "../../sandbox/server/environment.ts";
import { startSandbox } from "../../sandbox/server/serve.ts";
import type definition from "./exec.ts";

export const run: Run<typeof definition> = async (io, { args: [file = "", ...rest], flags }) => {
  const sandbox = await startSandbox(io, { port: 0, ...sandboxOptions(io, flags) });
  try {
    const env = { ...io.env, ...sandbox.variables, PATH: pathWithTsign(io) };
    const { code } = await io.spawn(file, rest, { env, inherit: true, signal: io.signal });
    if (code !== 0) throw new TsignError("input", "", { exitCode: code });
  } finally {
    await sandbox.close();
  }
};
