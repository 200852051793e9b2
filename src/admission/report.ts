import { IMAGE_STATES, type ImageState } from "../images/batch.ts";
import type { Answer } from "./words.ts";

/** An image as reports have it. */
interface Reported {
  readonly image: string;
  readonly state: ImageState;
  readonly digest?: string;
  readonly pinned?: string;
  readonly signatures: readonly never[];
  readonly missed: readonly never[];
  readonly error?: {
    readonly code: "policy" | "registry";
    readonly message: string;
    readonly fields: Record<string, never>;
  };
}

/**
 * The answers as the result of a verification, for reports. What a rule tolerates is not verified.
 *
 * @param texts what happened, without secrets
 */
export function reportOf(answers: readonly Answer[], texts: readonly string[]) {
  const images = answers.map((each, index): Reported => {
    const { image, pinned } = each;
    const state = stateOf(each);
    const code = state === "unchecked" ? ("registry" as const) : ("policy" as const);
    return {
      ...{ image, state, signatures: [], missed: [] },
      ...(pinned === undefined ? {} : { digest: pinnedDigest(pinned), pinned }),
      ...(state === "verified" ? {} : { error: { code, message: texts[index] ?? "", fields: {} } }),
    };
  });
  const counts = Object.fromEntries(
    IMAGE_STATES.map((state) => [state, images.filter((each) => each.state === state).length]),
  ) as Record<ImageState, number>;
  return { images, summary: { total: images.length, ...counts } };
}

/** The state of an image in reports and for exit codes. */
export function stateOf({ ok, reason }: Answer): ImageState {
  if (ok) return "verified";
  return reason === "unsigned" || reason === "not-found" || reason === "unchecked" ? reason : "refused";
}

/** An image as the results of `admission test` and `admission audit` have it. @param places where it is named, or where it runs */
export function recordOf({ image, allowed, reason, pinned, rule, text }: Answer, places: readonly string[]) {
  return {
    ...{ image, places, allowed, reason },
    ...(pinned === undefined ? {} : { digest: pinnedDigest(pinned) }),
    ...(rule === undefined ? {} : { rule }),
    ...(text === "" ? {} : { message: text }),
  };
}

/** The digest of `repository@digest`. */
export function pinnedDigest(pinned: string): string {
  return pinned.slice(pinned.lastIndexOf("@") + 1);
}

/** What became of an image, in a word for people. */
export function wordOf({ ok, allowed, reason }: Answer): string {
  return ok ? "accepted" : allowed ? "tolerated" : reason === "unchecked" ? "unchecked" : "refused";
}
