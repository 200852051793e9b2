import {
  ALARM_SHAPE,
  AUDIT_SHAPE,
  FINDING_SHAPE,
  LOG_SHAPE,
  monitorFlags,
  UNDELIVERED_SHAPE,
} from "../cli/flags/monitor.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Watch transparency logs for signatures in your name",
  about:
    "Follows the Rekor v1 and v2 logs of the trusted root, and with a configuration its certificate transparency logs. It proves that each log only grows, hashes the entries against the signed tree, and reports those with a watched identity, key or digest that the configuration does not expect. A log that misbehaves is an alarm, with the evidence in a file. Findings and alarms are reported once, and decide the exit code until they are acknowledged with `tsign monitor ack`. Create the state file with `tsign monitor init`. The command has no time limit unless --timeout is set.",
  examples: [
    "# Look once, for entries with an identity",
    "tsign monitor --once --state monitor.json --certificate-identity alice@example.com --certificate-oidc-issuer https://accounts.google.com",
    "# Look every ten minutes, for what a configuration lists, and print JSON lines",
    "tsign monitor --state monitor.json --config monitor-config.json --interval 10m --format json-lines",
  ],
  result: shape.object({
    audits: shape.list(AUDIT_SHAPE, "what stored signatures have shown; none without images and bundles"),
    logs: shape.list(LOG_SHAPE),
    findings: shape.list(FINDING_SHAPE, "those that were not reported before"),
    alarms: shape.list(ALARM_SHAPE, "those that were not reported before"),
    open: shape.object({ findings: shape.count(), alarms: shape.count() }),
    undelivered: shape.list(UNDELIVERED_SHAPE, "channels that did not take a report"),
  }),
  args: { min: 0, max: 0 },
  flags: {
    ...monitorFlags,
    dashboard: flag.string("file to write a page (HTML) with logs, findings and alarms to, after each look", {
      output: true,
    }),
    evidence: flag.string("folder for the evidence of alarms; by default the state file's name with .evidence"),
    format: flag.choice(["text", "json-lines"], "format of the output", { default: "text" }),
    frozenAfter: flag.duration("time in which every log must grow; 0 for no limit", { default: 86_400_000 }),
    interval: flag.duration("time between two looks", { default: 300_000 }),
    metrics: flag.string("file to write metrics for Prometheus to, after each look", { output: true }),
    once: flag.bool("look once and exit"),
    summary: flag.string("file to write a summary in Markdown to, after each look", { output: true }),
  },
  bindEnvironment: false,
  ownExitCodes: {
    3: "there are findings that are not acknowledged",
    4: "a log misbehaves, or misbehaved and the alarm is not acknowledged",
    5: "a log, or a place with signatures, could not be read",
  },
  unlimited: true,
});
