import { recordRemoved } from "../cli/effects.ts";
import { imageOptions } from "../cli/options/image-verification.ts";
import { openTarget } from "../cli/options/images.ts";
import { signersHint } from "../cli/options/refusal-hints.ts";
import { readVerification } from "../cli/options/verification.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { factsOf } from "../cli/print/signed-by.ts";
import { countOf } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { printable } from "../format/printable.ts";
import { type Planned, planPrune } from "../images/prune.ts";
import { applyPrune, type Pruned } from "../images/prune-apply.ts";
import type { Io } from "../io/io.ts";
import type definition from "./prune.ts";

type State = "kept" | "would be removed" | "removed" | "unlisted" | "failed";

/** The words in front of a signature's place. */
const WORDS: Readonly<Record<State, string>> = {
  kept: "keep",
  "would be removed": "would remove",
  removed: "removed",
  unlisted: "removed from the list",
  failed: "could not remove",
};

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags, answer }) => {
  const { apply } = flags;
  const verifying = { ...flags, insecureIgnoreSct: false, newBundleFormat: true, signature: "", checkClaims: true };
  const verification = await readVerification(io, verifying, { kind: "signature", signersHint: signersHint(text) });
  const options = imageOptions(io, verifying, { verification, wanted: { kind: "signatures" }, annotations: {} });
  const target = await openTarget(io, text, { flags: { ...flags, localImage: false }, mustExist: true });
  const planned = await planPrune(io, target, {
    verification: options,
    retention: { keep: flags.keep, before: retainedAfter(io, flags) },
  });
  const tagPrefix = flags.attachmentTagPrefix;
  const pruned = apply ? await applyPrune(io, target, { planned, tagPrefix }) : undefined;
  const signatures = planned.map((each) => describe(each, pruned));
  for (const { where, state, reason } of signatures) {
    io.stdout.write(`${WORDS[state]} ${printable(where)}: ${reason}\n`);
    if (state === "removed" || state === "unlisted") recordRemoved(io, where);
  }
  const result = { image: `${target.repository}@${target.digest}`, applied: apply, signatures };
  if (pruned?.failure) {
    answer(result);
    const { code, message } = pruned.failure;
    throw new TsignError(code, `not everything could be removed from ${text}: ${message}`, { cause: pruned.failure });
  }
  summarize(
    io,
    signatures.map(({ state }) => state),
  );
  return result;
};

function retainedAfter(io: Pick<Io, "now">, { olderThan }: FlagValues<typeof definition.flags>): Date | undefined {
  if (olderThan < 0) throw new TsignError("usage", "--older-than must not be negative");
  return olderThan === 0 ? undefined : new Date(io.now().getTime() - olderThan);
}

function describe(planned: Planned, pruned: Pruned | undefined) {
  const { candidate, recognized, standing } = planned;
  const { where } = candidate.origin;
  const state = stateOf(planned, pruned);
  const facts = recognized && factsOf(recognized.verified, { logs: [], look: { terminal: false } });
  const reason =
    "kept" in standing
      ? standing.kept
      : `superseded by ${standing.newer.map(({ evidence }) => printable(evidence.origin.where)).join(" and ")}`;
  return {
    where,
    state,
    reason,
    ...(facts ? { signer: facts.signer } : {}),
    ...(facts?.issuer ? { issuer: facts.issuer } : {}),
    ...(facts?.time ? { time: facts.time } : {}),
  };
}

function stateOf(planned: Planned, pruned: Pruned | undefined): State {
  if ("kept" in planned.standing) return "kept";
  if (!pruned) return "would be removed";
  if (pruned.stored.has(planned)) return "unlisted";
  return pruned.removed.has(planned) ? "removed" : "failed";
}

function summarize(io: Pick<Io, "stderr">, states: readonly State[]): void {
  const count = (...wanted: State[]) => states.filter((state) => wanted.includes(state)).length;
  if (count("would be removed") > 0) {
    io.stderr.write(`Nothing was removed: pass --apply to remove ${countOf(count("would be removed"), "signature")}\n`);
  } else if (count("removed", "unlisted") === 0) io.stderr.write("No signature is superseded\n");
  if (count("unlisted") > 0) {
    io.stderr.write(
      `WARNING: the registry does not delete manifests: still stored, but no longer listed as referrers: ${count("unlisted")}\n`,
    );
  }
}
