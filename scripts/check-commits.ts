import { execFileSync } from "node:child_process";

/**
 * Checks the messages of the commits since a base: the subject is `area: imperative`, at most 72 characters, without a full
 * stop, and followed by an empty line. `npm run commits -- BASE`, `origin/main` by default.
 */
const MAX_SUBJECT = 72;

/** Returns the faults of a commit message; empty when it is valid. */
export function faultsOf(message: string): string[] {
  const [subject = "", second = ""] = message.trimEnd().split("\n");
  if (/^(Merge|Revert) /.test(subject)) return [];
  const faults: string[] = [];
  if (subject.length > MAX_SUBJECT) {
    faults.push(`the subject is longer than ${MAX_SUBJECT} characters: ${subject.length}`);
  }
  if (!/^[a-z.][a-z0-9 ,./_-]*: \S/.test(subject)) faults.push("the subject does not have the form `area: imperative`");
  const [, first = ""] = /: (\S+)/.exec(subject) ?? [];
  if (/^(?:[A-Z][a-z]|\w+(?:ed|ing)$)/.test(first) && !/^(?:embed|need|feed|speed|exceed|bring|string)$/.test(first)) {
    faults.push(`\`${first}\` is not a lower-case imperative`);
  }
  if (subject.endsWith(".")) faults.push("the subject ends with a full stop");
  if (second !== "") faults.push("the second line is not empty");
  return faults;
}

if (import.meta.main) {
  const base = process.argv[2] ?? "origin/main";
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" });
  const commits = git("rev-list", "--no-merges", `${base}..HEAD`).split("\n").filter(Boolean);
  let failed = 0;
  for (const commit of commits) {
    const message = git("log", "-1", "--format=%B", commit);
    const faults = faultsOf(message);
    if (faults.length > 0) failed++;
    for (const fault of faults) process.stdout.write(`${commit.slice(0, 10)} ${message.split("\n")[0]}\n  ${fault}\n`);
  }
  process.stdout.write(`${commits.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}
