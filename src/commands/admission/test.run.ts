import { Decider } from "../../admission/decider.ts";
import { LivePolicy } from "../../admission/live-policy.ts";
import { recordOf, reportOf, wordOf } from "../../admission/report.ts";
import { NO_DEADLINE } from "../../admission/time-limits.ts";
import { answersFor } from "../../admission/webhook.ts";
import type { Answer } from "../../admission/words.ts";
import { checkWorkloads } from "../../admission/workload-files.ts";
import { readWorkloads, type Workloads } from "../../admission/workload-paths.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import { readImageFile } from "../../cli/options/image-sources.ts";
import { requireOneRegistry } from "../../cli/options/sent-credentials.ts";
import { readPolicyFile, requirePolicyFile } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { countOf } from "../../cli/print/stored.ts";
import { requireReportFormats, writeReports } from "../../cli/reports/write.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { decideOptions } from "../../trust-policy/decide.ts";
import type definition from "./test.ts";

export const run: Run<typeof definition> = async (io, { args, flags, answer }) => {
  const file = requirePolicyFile(io, flags);
  requireReportFormats(io, flags.report);
  const workloads = readWorkloads(flags.workload);
  const places = await readPlaces(io, args, workloads);
  requireOneRegistry([...places.keys()], { path: args.join(", "), flags });
  const policy = await LivePolicy.open(io, {
    read: () => readPolicyFile(io, file),
    registry: registryOptions(flags),
    warn: (text) => io.stderr.write(`WARNING: ${text}\n`),
  });
  const options = decideOptions(io.env);
  const decider = new Decider(io, { current: () => policy.current, options });
  const answers = await answersFor(io, [...places.keys()], { decider, within: NO_DEADLINE });
  io.signal.throwIfAborted();
  for (const each of answers) print(io, each, places.get(each.image) ?? []);
  const result = { images: answers.map((each) => recordOf(each, places.get(each.image) ?? [])) };
  const masked = answer(result);
  const refused = answers.filter(({ allowed }) => !allowed);
  if (flags.report.length > 0) {
    const texts = masked.images.map((each) => each.message ?? "");
    await writeReports(io, reportOf(answers, texts), { files: flags.report, failed: refused.length > 0 });
  }
  if (refused.length > 0) {
    const isFinal = refused.some(({ reason }) => reason !== "unchecked");
    const counted = `${refused.length} of ${countOf(answers.length, "image")}`;
    throw new TsignError(isFinal ? "policy" : "registry", `admit images: the policy does not admit ${counted}`);
  }
  return result;
};

/** The places (`file:line`) of each image, in the order of the files. */
async function readPlaces(io: Io, files: readonly string[], workloads: Workloads): Promise<Map<string, string[]>> {
  const places = new Map<string, string[]>();
  for (const path of files) {
    const { content, read, options } = await readImageFile(io, path, { format: "kubernetes" });
    for (const text of checkWorkloads(content, options.path, workloads)) io.stderr.write(`WARNING: ${text}\n`);
    for (const { image, line } of read.images) {
      places.set(image, [...(places.get(image) ?? []), `${options.path}:${line}`]);
    }
  }
  return places;
}

function print(io: Io, answer: Answer, places: readonly string[]): void {
  const { image, ok, allowed, text, effect } = answer;
  io.stdout.write(`${wordOf(answer).padEnd(10)}${printable(image)} (${places.map(printable).join(", ")})\n`);
  if (!ok) io.stderr.write(`${allowed && effect === "warn" ? "WARNING: " : ""}${text}\n`);
}
