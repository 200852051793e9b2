import { TsignError } from "../errors.ts";
import type { Requirement } from "./model.ts";

/**
 * Who made a signature, as names that no two principals share: the fingerprint of the key, and the names of the certificate with
 * their issuer. Two signatures with a name in common are by the same principal.
 */
export type Principal = readonly string[];

/** Most steps of the search; only a policy made for it needs more. */
const MAX_STEPS = 200_000;

/**
 * Whether the signers of a requirement have signed. A principal counts once in the whole requirement: the same key under two
 * names, or one certificate that two patterns match, does not meet "two of them".
 *
 * @param principals by the name of the signer, those whose signatures count
 * @throws TsignError "limit" if that takes too many steps to find out
 */
export function isMet(requirement: Requirement, principals: ReadonlyMap<string, readonly Principal[]>): boolean {
  const search = new Search(principals);
  for (const _ of search.ways(requirement, [])) return true;
  return false;
}

class Search {
  readonly #principals: ReadonlyMap<string, readonly Principal[]>;
  #steps = 0;

  constructor(principals: ReadonlyMap<string, readonly Principal[]>) {
    this.#principals = principals;
  }

  /** The ways to meet a requirement without the principals that are used already: what is used then. */
  *ways(requirement: Requirement, used: readonly Principal[]): Generator<readonly Principal[]> {
    this.#count();
    switch (requirement.kind) {
      case "signer":
        yield* this.#different(requirement.name, 1, used);
        return;
      case "different":
        yield* this.#different(requirement.name, requirement.count, used);
        return;
      case "any":
        for (const member of requirement.members) yield* this.ways(member, used);
        return;
      case "all":
        yield* this.#members(requirement.members, requirement.members.length, used);
        return;
      case "atLeast":
        yield* this.#members(requirement.members, requirement.count, used);
    }
  }

  /** The ways in which at least `count` of the members are met, each member once. */
  *#members(
    members: readonly Requirement[],
    count: number,
    used: readonly Principal[],
  ): Generator<readonly Principal[]> {
    if (count === 0) {
      yield used;
      return;
    }
    const [first, ...others] = members;
    if (first === undefined || members.length < count) return;
    for (const after of this.ways(first, used)) yield* this.#members(others, count - 1, after);
    yield* this.#members(others, count, used);
  }

  #count(): void {
    if (++this.#steps <= MAX_STEPS) return;
    throw new TsignError("limit", `find who met a requirement: more than ${MAX_STEPS} steps`, {
      hint: "name fewer signers, and nest less",
    });
  }

  *#different(name: string, count: number, used: readonly Principal[]): Generator<readonly Principal[]> {
    if (count === 0) {
      yield used;
      return;
    }
    this.#count();
    for (const principal of this.#principals.get(name) ?? []) {
      if (used.some((other) => other.some((part) => principal.includes(part)))) continue;
      yield* this.#different(name, count - 1, [...used, principal]);
    }
  }
}

/** A requirement in words: `release-key`, `all of (a, b)`, `at least 2 of (a, b, c)`. */
export function describe(requirement: Requirement): string {
  switch (requirement.kind) {
    case "signer":
      return requirement.name;
    case "different":
      return `at least ${requirement.count} different signers that match ${requirement.name}`;
    case "any":
    case "all":
      return requirement.members.length === 1 && requirement.members[0]
        ? describe(requirement.members[0])
        : `${requirement.kind} of (${requirement.members.map(describe).join(", ")})`;
    case "atLeast":
      return `at least ${requirement.count} of (${requirement.members.map(describe).join(", ")})`;
  }
}
