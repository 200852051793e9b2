import type { Kind, Message } from "./messages.ts";

/** A rule of docs/style.md that a text does not keep. */
export interface Broken {
  /** Its number there. */
  readonly rule: number;
  /** What to write. */
  readonly why: string;
}

interface Rule extends Broken {
  /** The kinds it holds for; all if not given. */
  readonly kinds?: readonly Kind[];
  /** Whether a text breaks it. */
  readonly broken: (text: string, message: Message) => boolean;
}

/** Names that begin with a capital letter wherever they stand. */
const PROPER_NAMES =
  /^(Amazon|Attestation|AWS|Azure|Bearer|Buildkite|CircleCI|Cloud|Container Registry|Cosign|CUE|DER|Docker|Dockerfile|DSSE|Ed25519|Forbidden|Fulcio|GCP|GitHub|GitLab|Google|HashiCorp|Helm|HTTP|HTTPS|Key Vault|Kubernetes|Microsoft|Node|OIDC|OpenID|PKCS|PEM|PIN|PIV|Rego|Rekor|Sigstore|SPIFFE|SPDX|CycloneDX|TLS|TUF|Unix|Vault|Windows|YAML|ML-DSA|X\.509)\b/;
/** Beginnings that cosign's users' scripts read, word for word. */
const COSIGN_WORDS = [
  "Image reference {text} uses a tag",
  "This can lead you to sign a different image",
  "Skipping tlog verification is an insecure practice",
  "This command only shows",
  "Could not fetch trusted_root.json",
  "Using payload from",
  "File {path} already exists. Overwrite?",
  "The signature supplied in the request",
  "The public key supplied in the request",
  "There was an error processing",
  "your identity, such as your e-mail address",
  "specified image attachment",
  "Flag --",
  "Command ",
];
/** Reasons in conditions of Kubernetes' objects, which it demands in CamelCase. */
const CONDITION_REASONS = ["Loaded", "Invalid", "Unavailable"];
const STOPS: readonly Kind[] = [
  "error",
  "check",
  "hint",
  "warning",
  "flag",
  "deprecation",
  "variable",
  "summary",
  "reason",
];
const SENTENCES: readonly Kind[] = ["error", "check", "hint", "warning", "flag", "deprecation", "variable", "reason"];

/** Verbs that hints and summaries begin with. */
const IMPERATIVES = words(`
  accept acknowledge add allow answer approve ask assign attach attest build call change check choose chmod compare configure connect convert copy correct
  create declare decrypt delete disable download enable encrypt ensure enter export fetch find fix follow free generate get give grant
  group import include increase inject inspect install keep leave limit list load log look lower make manage mark mount move name omit open overwrite pass
  pick pin plug print provide publish pull push put quote raise read rebuild refresh register reinstall remove rename renew repair repeat replace report request rerun reset
  restart restore retry rotate run save select send separate set shorten show sign skip specify split start stop store switch
  test trust try turn type unlock unset update upgrade upload use verify wait watch write`);
/** Words before the imperative: \`for the legacy form, pass …\`, \`to skip it, pass …\`. */
const LEAD_IN =
  /^(?:to|for|if|in|on|with|without|instead of|otherwise|then|first|when|once|after|before|or|either)\b[^,:]*[,:] (\S+)/;

const RULES: readonly Rule[] = [
  {
    rule: 1,
    why: "begin in lower case",
    kinds: SENTENCES,
    broken: (text, { place }) =>
      (place === "whole" || place === "start") &&
      /^[A-Z][a-z]+(?![\w-]*[A-Z_/#=(])/.test(text) &&
      !PROPER_NAMES.test(text),
  },
  {
    rule: 1,
    why: "write no full stop, colon, comma or space at the end",
    kinds: STOPS,
    broken: (text, { place }) =>
      (place === "whole" || place === "end") &&
      /(?:[^.…][.]|[:;,!]|[^:]\s)$/.test(text) &&
      !/\bpkcs11:$|:v\d:$/.test(text),
  },
  {
    rule: 1,
    why: "leave WARNING, Error and hint to the code that prints the text",
    broken: (text, { kind }) => kind !== "about" && /\bWARNING\b|\b(?:Error|hint|warning): /.test(text),
  },
  {
    rule: 2,
    why: 'compare as "X mismatch: got A, want B"',
    broken: (text) =>
      !text.includes(" mismatch: ") &&
      /\b(?:of|has|have|under|for|names?) another (?:key|kind|digest|content|size|nonce|algorithm|version|hash)\b|\bhas another\b/.test(
        text,
      ),
  },
  { rule: 2, why: 'count as "expected one X, found N"', broken: pattern(/\b(?:has|have|had) not (?:one|any|a)\b/) },
  {
    rule: 3,
    why: "begin a hint with an imperative, or with did you mean",
    kinds: ["hint"],
    broken: (text, { place }) => (place === "whole" || place === "start") && !isInstruction(text),
  },
  {
    rule: 4,
    why: 'write "logged", "in the transparency log" or "public"',
    broken: pattern(/\bmade public\b/),
  },
  { rule: 4, why: 'write "anyone" or "the user who …"', broken: pattern(/\b(?:whoever|whatever|strangers?)\b/i) },
  { rule: 4, why: 'write "no one", or name what is missing', broken: pattern(/\bnobody\b/i) },
  { rule: 4, why: 'write "timestamped" or name the time', broken: pattern(/\b(?:and|is|was|be) dated\b/) },
  {
    rule: 5,
    why: 'write "is not a X" or "invalid X"',
    broken: pattern(/(?<!there )\b(?:is|are|was|were) no (?!longer\b|more than\b)/),
  },
  {
    rule: 5,
    why: 'write "is not a X", "invalid X" or "there is no X"',
    broken: pattern(/\b(?:is|are|was|were) none\b/),
  },
  { rule: 5, why: 'write "not from a X", "without a X"', broken: pattern(/\bof no\b|\bno more\b(?! than)/) },
  {
    rule: 5,
    why: "name what is wrong instead of what is something else",
    broken: pattern(/\bsomething else\b|\bsomething that\b|\bwhat is no\b|\bgoes nowhere\b/),
  },
  {
    rule: 6,
    why: "programs print, read, write and ignore; services return, refuse and time out; files contain",
    broken: (text) =>
      /\b(?:tells?|told|says|said|saying|speaks?|spoken|judge[sd]?|(?<!you )wants?|wanted|holds?|knows? nothing|lets? in|obeys?|obeyed)\b/i.test(
        text.replaceAll(/`[^`]*`|"[^"]*"|\{[^}]*\}|--[\w-]+|, want\b/g, ""), // rule 2 ends in ", want B"
      ),
  },
  {
    rule: 7,
    why: 'write "--a and --b cannot be used together"',
    broken: pattern(
      /\bexclude (?:one another|each other)\b|\bmutually exclusive\b|--[\w-]+ (?:contradicts?|excludes?)\b/,
    ),
  },
  {
    rule: 7,
    why: 'write "--a requires --b"',
    broken: pattern(
      /\bneed (?:one another|each other)\b|--[\w-]+(?: [A-Z]+)? needs?\b|--[\w-]+ and --[\w-]+ must be set together/,
    ),
  },
  {
    rule: 7,
    why: 'write "--a is ignored with --b"',
    kinds: ["warning"],
    broken: pattern(/\bhas no effect\b|\bno effect of\b/),
  },
  {
    rule: 7,
    why: 'write a deprecation as what to do ("use --b") or as a past participle ("ignored", "no longer needed")',
    kinds: ["deprecation"],
    broken: (text, { place }) =>
      place === "whole" &&
      !isInstruction(text) &&
      !/^(?:no longer|always|never|now|ignored|stored|replaced|determined)\b/.test(text),
  },
  {
    rule: 8,
    why: "write a summary of under 60 characters that begins with an imperative",
    kinds: ["summary"],
    broken: (text) => text.length >= 60 || !/^[A-Z]/.test(text) || !isInstruction(text.toLowerCase()),
  },
  {
    rule: 8,
    why: "write a flag's text so that it stands alone",
    kinds: ["flag"],
    broken: pattern(
      /^(?:that|it|its|this|these|those|they|their|the same|the other|likewise)\b|\b(?:that|those) (?:name|issuer|certificate|file|key|image|log|address|token)s?\b/,
    ),
  },
  { rule: 8, why: "begin an example's comment with a capital letter", kinds: ["example"], broken: pattern(/^# [a-z]/) },
];

/** The rules that a text breaks. */
export function brokenRules(message: Message): Broken[] {
  const { text, kind } = message;
  if (!/[A-Za-z]{2}/.test(text) || (kind === "hint" && /^[a-z]+$/.test(text))) return []; // numbers, names of types
  if (CONDITION_REASONS.includes(text)) return [];
  if (COSIGN_WORDS.some((start) => text.trim().startsWith(start))) return [];
  return RULES.filter(({ kinds }) => kinds?.includes(kind) ?? true)
    .filter(({ broken }) => broken(text, message))
    .map(({ rule, why }) => ({ rule, why }));
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

function pattern(expression: RegExp): (text: string) => boolean {
  return (text) => expression.test(text);
}

/** Whether a text says what to do. What is put in at its start may. */
function isInstruction(text: string): boolean {
  if (/^did you mean\b|^\{|^(?:do not|don't|please|also)\b/.test(text)) return true;
  const [first = ""] = text.split(/[\s,;:]/);
  if (IMPERATIVES.has(first)) return true;
  const [, later = ""] = LEAD_IN.exec(text) ?? [];
  // What was found may come first: `this is a private key; pass the public one`.
  const clauses = text.split(/[;:] /).slice(1);
  return [later, ...clauses.map((clause) => clause.split(/[ ,]/)[0] ?? "")].some(
    (word) => IMPERATIVES.has(word) || word.startsWith("{"),
  );
}
