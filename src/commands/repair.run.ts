import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { countOf } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import { applyRepair, type Finding, planRepair } from "../oci/repair.ts";
import type definition from "./repair.ts";

type State = "kept" | "would be repaired" | "repaired" | "failed";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags, answer }) => {
  const { apply } = flags;
  const also = flags.referrer.map(readDigest);
  const image = await resolveImage(io, {
    text,
    flags: { ...flags, attachmentTagPrefix: "" },
    mustExist: true,
    warnAboutTags: false,
  });
  const store = await openAttachments(io, image, flags);
  const plan = await planRepair(store, image.digest, {
    also,
    onUnlistable: ({ message }) => io.stderr.write(`WARNING: referrers under tags are not looked for: ${message}\n`),
  });
  const left = apply ? await applyRepair(io, store, { subject: image.digest, plan }) : new Map();
  const findings = plan.findings.map((finding) => ({ ...finding, state: stateOf(finding, { apply, left }) }));
  for (const { digest, state, problem, reason } of findings) {
    io.stdout.write(`${state}: ${problem} ${store.name}@${digest}: ${printable(reason)}\n`);
  }
  const result = { image: `${image.ref.name}@${image.digest}`, applied: apply, findings };
  const failed = findings.filter(({ state }) => state === "failed");
  if (failed[0]) {
    answer(result);
    const { digest } = failed[0];
    const message = `repair the referrers of ${text}: ${countOf(failed.length, "referrer")} not listed, such as ${digest}`;
    throw new TsignError("registry", message);
  }
  if (left.size > 0) {
    io.stderr.write(`WARNING: the referrers API of ${image.ref.registry} lists nothing: only the index is read\n`);
  }
  const open = findings.filter(({ state }) => state === "would be repaired").length;
  if (open > 0) io.stderr.write(`Nothing was changed: pass --apply to repair ${countOf(open, "finding")}\n`);
  else if (!findings.some(({ state }) => state === "repaired")) io.stderr.write(`Nothing to repair for ${text}\n`);
  return result;
};

function readDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new TsignError("usage", `invalid --referrer "${text}": expected a digest such as sha256:…`);
}

function stateOf(
  { problem, digest }: Finding,
  { apply, left }: { apply: boolean; left: ReadonlyMap<Digest, "kept" | "failed"> },
): State {
  if (problem === "foreign" || problem === "unreadable") return "kept";
  const isList = problem === "missing" || problem === "unlisted";
  return (isList ? left.get(digest) : undefined) ?? (apply ? "repaired" : "would be repaired");
}
