import { TsignError } from "../../errors.ts";
import { parseReference } from "../../oci/ref.ts";
import { splitWords } from "../../sources/shell-words.ts";
import type { RuleText, SignerText } from "../schema.ts";
import { combine, type Outcome, type Unit } from "./combine.ts";
import { anywhere, type Draft, evidenceOf, type Member } from "./draft.ts";
import { keySigners } from "./signers.ts";

const COMMAND =
  /(?:^|[\s;&|(])(?:\S*\/)?(?:cosign|tsign)\s+(verify(?:-attestation|-blob|-blob-attestation)?)\s+(\S.*)$/;
/** Flags without a value of their own. */
const BOOLEANS = new Set([
  ...["insecure-ignore-tlog", "insecure-ignore-sct", "private-infrastructure", "offline", "use-signed-timestamps"],
  ...["check-claims", "experimental-oci11", "new-bundle-format", "allow-http-registry", "allow-insecure-registry"],
  ...["k8s-keychain", "local-image", "sk", "verbose", "d", "recursive"],
]);
/** Flags that say where and how, and not who. */
const UNUSED =
  /^(?:output|o|output-file|registry-.*|allow-(?:http|insecure)-registry|k8s-keychain|max-workers|timeout|t|verbose|d|offline|experimental-oci11|rekor-url|signature|bundle|quiet)$/;
const EXTENSIONS: Readonly<Record<string, string>> = {
  "certificate-github-workflow-trigger": "githubWorkflowTrigger",
  "certificate-github-workflow-sha": "githubWorkflowSHA",
  "certificate-github-workflow-name": "githubWorkflowName",
  "certificate-github-workflow-repository": "githubWorkflowRepository",
  "certificate-github-workflow-ref": "githubWorkflowRef",
};

/** A command line, split. */
interface Line {
  readonly place: string;
  readonly command: string;
  readonly flags: Map<string, string[]>;
  readonly subjects: readonly string[];
}

/** The lines of a text that run `cosign verify`, with the lines that a backslash continues. */
export function commandLines(text: string, file: string): { place: string; text: string }[] {
  const lines = text.split(/\r?\n/);
  const found: { place: string; text: string }[] = [];
  for (let index = 0; index < lines.length; index++) {
    const place = `${file}:${index + 1}:1`;
    let line = lines[index] ?? "";
    if (/^\s*#/.test(line)) continue;
    while (line.endsWith("\\") && index + 1 < lines.length) line = `${line.slice(0, -1)} ${lines[++index] ?? ""}`;
    if (COMMAND.test(line)) found.push({ place, text: line });
  }
  return found;
}

/** Reads command lines of cosign: one unit for each repository, and one rule for each file. */
export function readCommands(lines: readonly { place: string; text: string }[], draft: Draft): RuleText[] {
  const units: Unit[] = [];
  const files: RuleText[] = [];
  for (const { place, text } of lines) {
    const line = splitLine(text, place);
    const outcome = outcomeOf(line, draft);
    const base = { place, everywhere: false, effect: "enforce" as const, pinned: false, outcome };
    for (const subject of line.subjects) {
      if (line.command.includes("blob")) {
        const name = subject.replace(/^.*[/\\]/s, "");
        if ("refuse" in outcome || "accept" in outcome)
          files.push({ name, files: name, refuse: "imported command has no equal" });
        else
          files.push({
            name,
            files: name,
            ...outcome,
            ...(outcome.attestations ? { attestations: [...outcome.attestations] } : {}),
          } as RuleText);
        continue;
      }
      const repository = repositoryOf(subject);
      if (repository === undefined)
        draft.note("stricter", place, `image "${subject}" is not written out: the rule decides on all images`);
      units.push({ ...base, name: repository ?? "all images", images: [repository ?? "**"] });
    }
  }
  return [...combine(units, draft), ...files];
}

function repositoryOf(image: string): string | undefined {
  if (/[$`{}*]/.test(image)) return undefined;
  const ref = parseReference(image);
  return `${ref.registry}/${ref.repository}`;
}

function splitLine(text: string, place: string): Line {
  const [, command = "", rest = ""] = COMMAND.exec(text) ?? [];
  const words = splitWords(rest, { escaping: "\\", keepUnset: true }, { get: () => undefined });
  const flags = new Map<string, string[]>();
  const subjects: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (/^(?:[|;&<>]|\d?>)/.test(word)) break; // the rest is for the shell
    const flag = /^--?([a-z0-9][a-z0-9-]*)(?:=(.*))?$/s.exec(word.replace(/;$/, ""));
    if (!flag) subjects.push(word.replace(/;$/, ""));
    else {
      const [, name = "", own] = flag;
      const value = own ?? (BOOLEANS.has(name) ? "true" : (words[++index] ?? ""));
      flags.set(name, [...(flags.get(name) ?? []), value]);
    }
  }
  if (subjects.length === 0) throw new TsignError("input", `${place}: the command names no image and no file`);
  return { place, command, flags, subjects };
}

function outcomeOf(line: Line, draft: Draft): Outcome {
  const { place, command, flags } = line;
  const left = new Set(flags.keys());
  const take = (name: string) => {
    left.delete(name);
    return flags.get(name)?.at(-1);
  };
  const isSet = (name: string) => take(name)?.toLowerCase() === "true";
  const ignoreLog = [isSet("insecure-ignore-tlog"), isSet("private-infrastructure")].includes(true);
  const timestamp =
    isSet("use-signed-timestamps") || flags.has("timestamp-certificate-chain") ? "required" : "optional";
  if (take("new-bundle-format") === "false")
    draft.note("forms", place, "--new-bundle-format=false: both forms are accepted here");
  const trust = trustOf(take, isSet("insecure-ignore-sct"), draft);
  const signers = signersOf(take, trust, draft);
  const policies = [...(flags.get("policy") ?? [])];
  left.delete("policy");
  const type = take("type") ?? "custom";
  if (take("check-claims") === "false") left.add("check-claims=false");
  for (const name of left) {
    if (!UNUSED.test(name)) continue;
    left.delete(name);
    if (name !== "output" && name !== "o") draft.note("unused", place, `--${name} changes no verdict`);
  }
  const refuse = (text: string): Outcome => {
    draft.note("refused", place, `${text}: the rule refuses its images`);
    return { refuse: `imported command: ${text}` };
  };
  const [unknown] = left;
  if (unknown !== undefined) return refuse(`--${unknown} has no equal`);
  if (signers === undefined) return refuse("no key, and no identity with its issuer");
  const wrong = policies.find((each) => !/\.(?:cue|rego)$/.test(each));
  if (wrong !== undefined) return refuse(`--policy ${wrong} is not a .cue or .rego file`);
  const member: Member = {
    signers,
    log: ignoreLog ? "insecure-skip" : "required",
    timestamp,
    form: "any",
  };
  if (!command.endsWith("attestation")) return { signatures: evidenceOf(member) };
  const policy = policies.length > 0 ? { policy: policies.map((file) => ({ file })) } : {};
  return { attestations: [{ type, ...evidenceOf(member), ...policy }] };
}

type Take = (name: string) => string | undefined;

function trustOf(take: Take, ignoreSct: boolean, draft: Draft): string | undefined {
  const named = {
    trustedRoot: take("trusted-root"),
    authorities: take("ca-roots"),
    intermediates: take("ca-intermediates"),
    timestampAuthority: take("timestamp-certificate-chain"),
  };
  const material = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  if (Object.keys(material).length === 0 && !ignoreSct) return undefined;
  const name = Object.keys(material).length === 0 ? "without-sct" : "command";
  return draft.trusted(name, { ...material, ...(ignoreSct ? { insecureIgnoreSct: true as const } : {}) });
}

function signersOf(take: Take, trust: string | undefined, draft: Draft): string | undefined {
  const key = take("key");
  const either = (exact: string, regexp: string) => {
    const [text, pattern] = [take(exact), take(regexp)];
    return pattern === undefined ? text : anywhere(pattern);
  };
  const identity = either("certificate-identity", "certificate-identity-regexp");
  const issuer = either("certificate-oidc-issuer", "certificate-oidc-issuer-regexp");
  const extensions = Object.entries(EXTENSIONS).flatMap(([flag, name]) => {
    const value = take(flag);
    return value === undefined ? [] : [[name, value] as const];
  });
  if (key !== undefined) {
    const base = key.replace(/^.*[/\\]/s, "").replace(/\.[a-z]+$/i, "");
    const [signer = ""] = keySigners(base, key, draft);
    return draft.withTrust(signer, trust);
  }
  if (identity === undefined || issuer === undefined) return undefined;
  const text: SignerText = {
    identity,
    issuer,
    ...(extensions.length > 0 ? { extensions: Object.fromEntries(extensions) } : {}),
    ...(trust === undefined ? {} : { trust }),
  };
  return draft.signer(
    typeof identity === "string" ? identity.replace(/@.*/, "").replace(/^.*\/(?=.)/, "") : "identity",
    text,
  );
}
