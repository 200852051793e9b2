import { readMonitor, requireState } from "../../cli/options/monitor.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { firstState } from "../../monitor/init.ts";
import { writeState } from "../../monitor/state.ts";
import { apiName } from "../../monitor/target.ts";
import { watchDigest } from "../../monitor/watch.ts";
import type definition from "./init.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const path = requireState(flags);
  const from = flags.from === "now" ? "now" : Number(flags.from);
  if (from !== "now" && !/^\d{1,15}$/.test(flags.from)) {
    throw new TsignError("usage", `--from "${flags.from}" is not an index`, { hint: "pass a number, or now" });
  }
  if (await io.files.stat(path)) {
    throw new TsignError("input", `create state "${path}": the file exists`, {
      hint: "pass another --state, or move the file away: it contains what was seen before",
    });
  }
  const { targets, watch } = await readMonitor(io, flags);
  const state = await firstState(io, { targets, from, watched: watchDigest(watch) });
  await writeState(io, path, state);
  const logs = state.logs.map(({ url, api, head, offset, next }) => ({
    log: url,
    api,
    size: offset + head.size,
    next: offset + next,
  }));
  for (const { log, api, size, next } of logs) {
    io.stdout.write(`${log} (${apiName(api)}): size ${size}, the search begins at entry ${next}\n`);
  }
  return { state: path, logs };
};
