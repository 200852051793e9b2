import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import { parseReference } from "../oci/ref.ts";
import { ruleForImage } from "../trust-policy/decide.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import type { ClusterPolicies, ClusterPolicy } from "./cluster-policies.ts";
import type { Decider, ImageNeeds } from "./decider.ts";
import { isPolicyKind } from "./policy-objects.ts";
import type { PullScope, PullSecrets } from "./pull-secrets.ts";
import { pinnedDigest } from "./report.ts";
import type { Review, Unreadable } from "./review.ts";
import { type Answer, answerOf, answerWithout, combined } from "./words.ts";
import type { Workloads } from "./workload-paths.ts";
import { kindName, type NamedImage, questionOf } from "./workloads.ts";

/** The response in an AdmissionReview (admission.k8s.io/v1). */
export interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  /** Absent if allowed. `message` may have several lines. */
  readonly status?: {
    readonly status: "Failure";
    readonly code: number;
    readonly reason: string;
    readonly message: string;
  };
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly patchType?: "JSONPatch";
  /** JSON Patch (RFC 6902) in base64. */
  readonly patch?: string;
}

/** A response, and what it is based on, for logs and metrics. */
export interface Reviewed {
  readonly response: Response;
  readonly answers: readonly Answer[];
}

/** What a review is answered with. */
export interface Reviewing {
  readonly decider: Decider;
  readonly policy: TrustPolicy;
  /** Whether tags are replaced by the digests that were verified. */
  readonly mutates: boolean;
  /** Milliseconds until it must be answered. */
  readonly within: number;
  /** The policies of the cluster's objects, which are demanded too. */
  readonly policies?: Pick<ClusterPolicies, "for" | "check"> | undefined;
  /** Where custom resources name images. */
  readonly workloads?: Workloads | undefined;
  /** Reads the credentials of Pods; without it the service's own are used. */
  readonly pullSecrets?: PullSecrets | undefined;
  /** Leaves out secrets that a registry quotes: answers are read by people who may not know the service's passwords. */
  readonly mask?: ((text: string) => string) | undefined;
}

/** Most different images in one object. */
const MAX_IMAGES = 200;
/** Longest text of a message, and of an annotation, in UTF-16 code units. */
const MAX_MESSAGE = 8000;
/** The API server passes on about 4 kB of warnings, and asks for at most 256 characters in each. */
const [MAX_WARNING, MAX_WARNINGS] = [256, 12];

/**
 * Decides on a review: allowed if every image that it asks to admit is. Never throws for what is in the review: what cannot be read is
 * refused.
 */
export async function review(
  io: Pick<Io, "now" | "sleep">,
  asked: Review | Unreadable,
  how: Reviewing,
): Promise<Reviewed> {
  const { uid } = asked;
  if ("fault" in asked) return { response: refusal(uid, 400, asked.fault), answers: [] };
  const { policies } = how;
  if (policies && isPolicyKind(asked.kind)) {
    return { response: await policyResponse(asked, () => policies.check(asked)), answers: [] };
  }
  const question = questionOf(asked, how.workloads);
  if (question.kind === "nothing") return { response: { uid, allowed: true }, answers: [] };
  if (question.kind === "unreadable") {
    const message = `read ${printable(kindName(asked.kind))}: ${question.faults.map(printable).join("; ")}`;
    return { response: refusal(uid, 400, message), answers: [] };
  }
  const { images } = question;
  const names = [...new Set(images.map(({ image }) => image))];
  if (names.length > MAX_IMAGES) {
    const message = `read ${printable(kindName(asked.kind))}: names ${names.length} images, more than ${MAX_IMAGES}`;
    return { response: refusal(uid, 400, message), answers: [] };
  }
  const { decider, within, mask, pullSecrets } = how;
  let reading: Promise<PullScope> | undefined;
  const scope = pullSecrets && (() => (reading ??= pullSecrets.of(asked.namespace, ...question.specs)));
  const others = policies?.for(asked.namespace) ?? [];
  const answers = await answersFor(io, names, { decider, within, mask, scope, others });
  const all = [how.policy, ...others.flatMap((each) => ("loaded" in each ? [each.loaded.policy] : []))];
  return {
    response: responseFor(uid, answers, how.mutates ? patchFor(images, answers, all) : undefined),
    answers,
  };
}

/** Allows an object with a policy if the policy can be used, or is the one that the object had before. */
async function policyResponse(
  { uid, operation, object, oldObject }: Review,
  check: () => Promise<void>,
): Promise<Response> {
  const isSame = oldObject !== undefined && isDeepStrictEqual(object?.["spec"], oldObject["spec"]);
  if (operation === "DELETE" || (operation === "UPDATE" && isSame)) return { uid, allowed: true };
  try {
    await check();
    return { uid, allowed: true };
  } catch (error) {
    if (!(error instanceof TsignError)) return refusal(uid, 500, "internal error");
    const hint = error.hint === undefined ? "" : `; ${printable(error.hint)}`;
    return refusal(uid, 400, `${printable(error.message)}${hint}`);
  }
}

/**
 * Decides on images, in the order of their names: by the service's policy, and by others. Those that are not decided in time are not
 * allowed.
 */
export async function answersFor(
  io: Pick<Io, "now" | "sleep">,
  images: readonly string[],
  {
    decider,
    within,
    mask,
    others = [],
    ...needs
  }: Pick<Reviewing, "decider" | "within" | "mask"> & ImageNeeds & { readonly others?: readonly ClusterPolicy[] },
): Promise<Answer[]> {
  const until = io.now().getTime() + within;
  const answered = new AbortController();
  const late = io.sleep(within, answered.signal).then(
    () => undefined,
    () => undefined,
  );
  const all = images.map(async (image) => {
    const judged = [undefined, ...others].map(async (other) => {
      if (other && "error" in other) return answerWithout(image, other);
      const loaded = other?.loaded;
      const outcome = await Promise.race([decider.decide(image, until, { ...needs, loaded }), late]);
      return answerOf(outcome ?? decider.late(image, within, loaded));
    });
    const answer = combined(await Promise.all(judged));
    return mask ? { ...answer, text: mask(answer.text) } : answer;
  });
  try {
    return await Promise.all(all);
  } finally {
    answered.abort();
  }
}

function responseFor(uid: string, answers: readonly Answer[], patch: readonly unknown[] | undefined): Response {
  const refused = answers.filter(({ allowed }) => !allowed);
  const tolerated = answers.filter(({ allowed, ok }) => allowed && !ok);
  const warnings = tolerated.filter(({ effect }) => effect === "warn").map(({ text }) => cut(text, MAX_WARNING));
  const notes = {
    ...(warnings.length > 0 ? { warnings: warnings.slice(0, MAX_WARNINGS) } : {}),
    auditAnnotations: annotations(answers, tolerated),
  };
  if (refused.length === 0) {
    const patched = patch && patch.length > 0 ? ({ patchType: "JSONPatch", patch: encoded(patch) } as const) : {};
    return { uid, allowed: true, ...notes, ...patched };
  }
  // A refusal is final; an image that could not be checked may be accepted when it is tried again.
  const isFinal = refused.some(({ reason }) => reason !== "unchecked");
  const isDefect = refused.some((each) => each.isDefect);
  const code = isFinal ? 403 : isDefect ? 500 : 503;
  return { ...refusal(uid, code, linesOf(refused)), ...notes };
}

/** Kubernetes' reasons (metav1.StatusReason) by status code. */
const REASONS = { 400: "BadRequest", 403: "Forbidden", 500: "InternalError", 503: "ServiceUnavailable" } as const;

/** A response that refuses. @param code an HTTP status */
export function refusal(uid: string, code: keyof typeof REASONS, message: string): Response {
  const status = { status: "Failure", code, reason: REASONS[code], message: cut(message, MAX_MESSAGE) } as const;
  return { uid, allowed: false, status };
}

function linesOf(refused: readonly Answer[]): string {
  const lines: string[] = [];
  let size = 0;
  for (const { text } of refused) {
    size += text.length + 1;
    if (size > MAX_MESSAGE - 100) break;
    lines.push(text);
  }
  const left = refused.length - lines.length;
  return [...lines, ...(left > 0 ? [`and ${left} more ${left === 1 ? "image" : "images"}`] : [])].join("\n");
}

function annotations(answers: readonly Answer[], tolerated: readonly Answer[]): Record<string, string> {
  const decided = answers.map(({ image, pinned, rule, reason }) => ({ image, pinned, rule, reason }));
  return {
    images: cut(printable(JSON.stringify(decided)), MAX_MESSAGE),
    ...(tolerated.length > 0 ? { unsatisfied: cut(tolerated.map(({ text }) => text).join("\n"), MAX_MESSAGE) } : {}),
  };
}

/**
 * The patch that replaces tags by the digests that were verified. An image is left as it is if another rule decides on it by its
 * digest: the rule has a pattern with a tag, and what it demanded would no longer be demanded.
 */
function patchFor(
  images: readonly NamedImage[],
  answers: readonly Answer[],
  policies: readonly TrustPolicy[],
): object[] {
  const byName = new Map(answers.map((answer) => [answer.image, answer]));
  return images.flatMap(({ image, pointer }) => {
    const { ok = false, pinned } = byName.get(image) ?? {};
    if (!ok || pinned === undefined || image.includes("@")) return [];
    const digest = pinnedDigest(pinned);
    const value = `${image}@${digest}`;
    if (!isDigest(digest)) return [];
    const [tagged, pinnedToo] = [parseReference(image), parseReference(value)];
    if (policies.some((each) => ruleForImage(each, tagged) !== ruleForImage(each, pinnedToo))) return [];
    return [
      { op: "test", path: pointer, value: image },
      { op: "replace", path: pointer, value },
    ];
  });
}

function encoded(patch: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(patch)).toString("base64");
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
