import { requireState } from "../../cli/options/monitor.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { readState, writeState } from "../../monitor/state.ts";
import type definition from "./ack.ts";

export const run: Run<typeof definition> = async (io, { args: [id = ""], flags }) => {
  const path = requireState(flags);
  const { why } = flags;
  if (why.trim() === "") throw new TsignError("usage", "--why is required", { hint: "pass --why TEXT" });
  const state = await readState(io, path);
  const known = [...state.findings, ...state.alarms].find((each) => each.id === id);
  if (!known) {
    throw new TsignError("input", `acknowledge "${id}": there is no such finding or alarm in ${path}`, {
      hint: "pass an ID that `tsign monitor` printed: f- or a-, and 16 hex digits",
    });
  }
  if (known.acknowledged) {
    const { at } = known.acknowledged;
    throw new TsignError("input", `acknowledge "${id}": it was acknowledged at ${at}`);
  }
  const acknowledged = { why, at: io.now().toISOString() };
  const marked = <T extends { id: string }>(items: readonly T[]) =>
    items.map((each) => (each.id === id ? { ...each, acknowledged } : each));
  await writeState(io, path, { ...state, findings: marked(state.findings), alarms: marked(state.alarms) });
  io.stdout.write(`acknowledged ${id}\n`);
  return { id, ...acknowledged };
};
