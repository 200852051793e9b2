import type { Fault, Refuse } from "./faults.ts";
import type { Requirement, Signer } from "./model.ts";
import { requireName } from "./read-signers.ts";
import type { PolicyFile, Requirement as Text } from "./schema.ts";

/** Deepest nesting, groups included, and most signers that a requirement names. */
const [MAX_DEPTH, MAX_SIGNERS] = [8, 64];

/** Turns a requirement as it is written into one in which groups are replaced by what they stand for. */
export type Requirements = (text: Text, path: Fault["path"]) => Requirement;

/** What rules refer to. */
export interface RuleContext {
  readonly path: string;
  readonly trust: ReadonlyMap<string, unknown>;
  readonly builders: readonly unknown[];
  readonly requirements: Requirements;
  readonly refuse: Refuse;
}

/**
 * Prepares the requirements of a file, and checks its groups.
 *
 * @throws TsignError "input" for unknown names, groups that contain themselves, and counts that cannot be met
 */
export function readRequirements(file: PolicyFile, signers: ReadonlyMap<string, Signer>, refuse: Refuse): Requirements {
  const groups = new Map(Object.entries(file.groups ?? {}));
  const both = [...groups.keys()].find((name) => signers.has(name));
  if (both !== undefined) refuse(["groups", both], `a signer is named "${both}" too`, "choose another name");
  const names = new Map<string, unknown>([...signers, ...groups]);
  /** The signers so far of the requirement that is read: a few groups that name each other many times stand for billions. */
  const counted: { path: Fault["path"]; signers: number } = { path: [], signers: 0 };
  const count = () => {
    if (++counted.signers > MAX_SIGNERS)
      refuse(counted.path, `names more than ${MAX_SIGNERS} signers`, "use patterns for identities");
  };
  const resolve = (text: Text, path: Fault["path"], within: readonly string[], depth: number): Requirement => {
    if (depth > MAX_DEPTH) refuse(path, `nested deeper than ${MAX_DEPTH} levels`, "name fewer groups inside groups");
    const members = (list: readonly Text[], field: string) =>
      list.map((each, index) => resolve(each, [...path, field, index], within, depth + 1));
    if (typeof text === "string") {
      requireName(text, { names, path, refuse, kind: "signer" });
      const group = groups.get(text);
      if (group === undefined) {
        count();
        return { kind: "signer", name: text };
      }
      if (within.includes(text)) refuse(path, `group "${text}" contains itself`, "remove it from one of the groups");
      return resolve(group, path, [...within, text], depth + 1);
    }
    if ("any" in text) return { kind: "any", members: members(text.any, "any") };
    if ("all" in text) return { kind: "all", members: members(text.all, "all") };
    const { atLeast, of } = text;
    if (typeof of === "string") {
      count();
      return differentOf(of, { count: atLeast, path, signers, refuse });
    }
    if (atLeast > of.length) {
      refuse(
        [...path, "atLeast"],
        `got ${atLeast}, want at most ${of.length}, the number of members`,
        "lower it, or add members",
      );
    }
    return { kind: "atLeast", count: atLeast, members: members(of, "of") };
  };
  const top: Requirements = (text, path) => {
    Object.assign(counted, { path, signers: 0 });
    return resolve(text, path, [], 0);
  };
  for (const [name, group] of groups) top(group, ["groups", name]);
  return top;
}

/** `{atLeast: n, of: NAME}`: different principals that match one signer. A key or an exact identity is one principal. */
function differentOf(
  name: string,
  options: { count: number; path: Fault["path"]; signers: ReadonlyMap<string, Signer>; refuse: Refuse },
): Requirement {
  const { count, path, signers, refuse } = options;
  requireName(name, { names: signers, path: [...path, "of"], refuse, kind: "signer" });
  if (count > 1 && signers.get(name)?.kind === "key") {
    refuse([...path, "atLeast"], `"${name}" is one key, and counts once`, "write a list of signers");
  }
  return { kind: "different", count, name };
}

/** The names of the signers in a requirement, with repetitions. */
export function signersOf(requirement: Requirement): string[] {
  if ("name" in requirement) return [requirement.name];
  return requirement.members.flatMap(signersOf);
}
