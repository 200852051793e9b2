import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../../errors.ts";
import { type Glob, isCovered } from "../glob.ts";
import { type ImagePattern, parseImagePattern } from "../image-names.ts";
import type { AttestationText, EvidenceText, RuleText } from "../schema.ts";
import { allOf, type Draft } from "./draft.ts";

/** What is decided about images: accepted without a signature, refused, or what is demanded. */
export type Outcome =
  | { readonly accept: true }
  | { readonly refuse: string }
  | { readonly signatures?: EvidenceText; readonly attestations?: readonly AttestationText[] };

/** A part of the other policy that decides on images by itself. */
export interface Unit {
  readonly name: string;
  readonly place: string;
  /** Patterns of this program. */
  readonly images: readonly string[];
  /** Whether it may decide on other images, too, because a pattern of it has no equal. */
  readonly everywhere: boolean;
  readonly effect: "enforce" | "warn" | "audit";
  readonly pinned: boolean;
  readonly outcome: Outcome;
  /** The patterns of all images that a unit does not decide on, if it decides on all others. */
  readonly otherwise?: readonly string[];
}

interface Item {
  readonly text: string;
  readonly pattern: ImagePattern;
  readonly units: readonly Unit[];
}

/**
 * The rules for units that all count where several match an image, for a policy in which the first rule that matches decides.
 * Rules for what several match come first and demand what each demands.
 */
export function combine(units: readonly Unit[], draft: Draft): RuleText[] {
  const items = order(units.flatMap((unit) => unit.images.map((text) => itemOf(text, unit))));
  const isSimple = items.every(
    (item, index) =>
      !items.some(
        (other, at) => at !== index && other.units[0] !== item.units[0] && meets(item.pattern, other.pattern),
      ),
  );
  if (isSimple && !units.some((unit) => unit.everywhere)) {
    return units.filter((unit) => unit.images.length > 0).map((unit) => ruleOf(unit, unit.images));
  }
  const rules: RuleText[] = [];
  for (const [index, item] of items.entries()) {
    const before = items.slice(0, index);
    if (before.some((other) => other.text === item.text)) continue;
    const applying = units.filter(
      (unit) =>
        unit.everywhere ||
        items.some(
          (other, at) =>
            other.units.includes(unit) &&
            (at >= index || !covers(item.pattern, other.pattern)) &&
            meets(item.pattern, other.pattern),
        ),
    );
    rules.push(together(item, applying, draft));
    const untagged = { ...item.pattern, tag: undefined };
    const others = items.filter(
      (other) => !item.units.includes(other.units[0] as Unit) && other.pattern.tag === undefined,
    );
    // An image with this tag may be named by its digest.
    if (item.pattern.tag && others.some((other) => meets(untagged, other.pattern))) {
      const text = item.text.slice(0, item.text.lastIndexOf(":"));
      const all = units.filter(
        (unit) =>
          applying.includes(unit) ||
          others.some((other) => other.units.includes(unit) && meets(untagged, other.pattern)),
      );
      const rule = together({ text, pattern: untagged, units: item.units }, all, draft);
      // Other images of the repository may have no policy at all.
      const isMatched = others.some((other) => covers(other.pattern, untagged));
      rules.push(isMatched ? rule : refusing(rule, item, draft));
    }
  }
  return rules;
}

/** The rule for images of which only those with a tag have a policy, and those that another pattern matches: it refuses them. */
function refusing(rule: RuleText, { text, units }: Item, draft: Draft): RuleText {
  draft.note(
    "refused",
    units[0]?.place ?? "",
    `images of ${text} with another tag, or named by digest, are refused: other policies match some of them only`,
  );
  const { name, images } = rule;
  return {
    ...(name === undefined ? {} : { name }),
    images,
    refuse: "imported policies match some of these images only",
  };
}

/** One rule for one unit. */
export function ruleOf({ name, effect, pinned, outcome }: Unit, images: readonly string[]): RuleText {
  const [first] = images;
  return {
    name,
    images: images.length === 1 && first !== undefined ? first : [...images],
    ...(effect === "enforce" ? {} : { effect }),
    ...(pinned ? { digest: "required" as const } : {}),
    ...written(outcome),
  };
}

function written(outcome: Outcome): Partial<RuleText> {
  if ("accept" in outcome) return { insecureAcceptAnything: true };
  if ("refuse" in outcome) return { refuse: outcome.refuse };
  const { signatures, attestations } = outcome;
  return { ...(signatures ? { signatures } : {}), ...(attestations ? { attestations: [...attestations] } : {}) };
}

function itemOf(text: string, unit: Unit): Item {
  const pattern = parseImagePattern(text);
  if ("wrong" in pattern) throw new TsignError("internal", `pattern ${text}: ${pattern.wrong}`);
  return { text, pattern, units: [unit] };
}

/** Narrower patterns before those that match all their images. */
function order(items: readonly Item[]): Item[] {
  const open = [...items];
  const ordered: Item[] = [];
  while (open.length > 0) {
    const at = open.findIndex(
      (item) =>
        !open.some(
          (other) => other !== item && covers(item.pattern, other.pattern) && !covers(other.pattern, item.pattern),
        ),
    );
    ordered.push(...open.splice(Math.max(at, 0), 1));
  }
  return ordered;
}

/** Whether `pattern` matches every image that `other` matches. */
export function covers(pattern: ImagePattern, other: ImagePattern): boolean {
  if (!isCovered(other.repository, [pattern.repository])) return false;
  return pattern.tag === undefined || (other.tag !== undefined && isCovered(other.tag, [pattern.tag]));
}

/** Whether both match an image, or may: a pattern with a tag and one for digests do not. */
export function meets(one: ImagePattern, other: ImagePattern): boolean {
  if (!intersect(one.repository, other.repository)) return false;
  return one.tag === undefined || other.tag === undefined || intersect(one.tag, other.tag);
}

/** Whether one text matches both globs. */
function intersect({ parts: one }: Glob, { parts: other }: Glob): boolean {
  const seen = new Set<number>();
  const open: [number, number][] = [[0, 0]];
  for (let at = open.pop(); at; at = open.pop()) {
    const [i, j] = at;
    if (i === one.length && j === other.length) return true;
    const key = i * (other.length + 1) + j;
    if (seen.has(key)) continue;
    seen.add(key);
    const [a, b] = [one[i], other[j]];
    if (a && "run" in a) open.push([i + 1, j]);
    if (b && "run" in b) open.push([i, j + 1]);
    if (!a || !b) continue;
    if ("character" in a && "character" in b) {
      if (a.character === b.character) open.push([i + 1, j + 1]);
    } else if ("character" in a && "run" in b) {
      if (b.run === "any" || a.character !== "/") open.push([i + 1, j]);
    } else if ("run" in a && "character" in b && (a.run === "any" || b.character !== "/")) open.push([i, j + 1]);
  }
  return false;
}

/** One rule that demands what several units demand. */
function together(item: Item, units: readonly Unit[], draft: Draft): RuleText {
  const [first, ...others] = units;
  if (!first) throw new TsignError("internal", "a rule without a policy");
  if (others.length === 0) return ruleOf(first, [item.text]);
  const enforced = units.some((unit) => unit.effect === "enforce");
  const effect = enforced ? "enforce" : units.some((unit) => unit.effect === "warn") ? "warn" : "audit";
  for (const unit of units.filter((each) => each.effect !== effect)) {
    draft.note(
      "stricter",
      unit.place,
      `${unit.name} has effect ${unit.effect}, and ${effect} for ${item.text}, which other policies decide on, too`,
    );
  }
  const outcome = units
    .map((unit) => ({ outcome: unit.outcome, unit }))
    .reduce((one, two) => ({
      outcome: both(one.outcome, two.outcome, () =>
        draft.note(
          "stricter",
          two.unit.place,
          `${item.text}: several policies decide, and a key or identity counts once for all of them`,
        ),
      ),
      unit: two.unit,
    })).outcome;
  const names = units.map((unit) => unit.name).join(" + ");
  return ruleOf({ ...first, name: names, effect, pinned: units.some((unit) => unit.pinned), outcome }, [item.text]);
}

/** What two policies demand together. `note` is called where they demand signatures of their own. */
export function both(one: Outcome, two: Outcome, note: () => void): Outcome {
  if ("refuse" in one || "accept" in two) return one;
  if ("refuse" in two || "accept" in one) return two;
  const attestations = [...(one.attestations ?? []), ...(two.attestations ?? [])].filter(
    (each, index, all) => all.findIndex((other) => isDeepStrictEqual(other, each)) === index,
  );
  const signatures = bothSigned(one.signatures, two.signatures, note);
  if (signatures === "conflict")
    return { refuse: "policies that demand different forms of signatures decide on these images" };
  return { ...(signatures ? { signatures } : {}), ...(attestations.length > 0 ? { attestations } : {}) };
}

function bothSigned(
  one: EvidenceText | undefined,
  two: EvidenceText | undefined,
  note: () => void,
): EvidenceText | "conflict" | undefined {
  if (!one || !two || isDeepStrictEqual(one, two)) return one ?? two;
  const { form: a = "any" } = one;
  const { form: b = "any" } = two;
  if (a !== "any" && b !== "any" && a !== b) return "conflict";
  note();
  const form = a === "any" ? b : a;
  const isSkipped = one.log === "insecure-skip" && two.log === "insecure-skip";
  const isDated = one.timestamp === "required" || two.timestamp === "required";
  return {
    signers: isDeepStrictEqual(one.signers, two.signers) ? one.signers : allOf([one.signers, two.signers]),
    ...(isSkipped ? { log: "insecure-skip" as const } : {}),
    ...(isDated ? { timestamp: "required" as const } : {}),
    ...(form === "any" ? {} : { form }),
  };
}
