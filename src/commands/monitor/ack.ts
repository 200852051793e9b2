import { state } from "../../cli/flags/monitor.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <id>",
  summary: "Acknowledge a finding or an alarm of the monitor",
  about:
    "Notes in the state file of `tsign monitor` why a finding or an alarm is settled, so that it does not decide the exit code any longer. The state of the log is unchanged: other misbehaviour of a log raises another alarm.",
  examples: ["# Acknowledge a finding", "tsign monitor ack f-0123456789abcdef --state monitor.json --why release-1.2"],
  result: shape.object({ id: shape.text(), why: shape.text(), at: shape.text("RFC 3339") }),
  args: { min: 1, max: 1 },
  flags: { state, why: flag.string("the reason (required)") },
  bindEnvironment: false,
});
