/**
 * Flags, of whatever command, whose value is a secret, and the names of variables that hold one. A file's or socket's path
 * and an address are none.
 */
const SECRET_FLAG =
  /^--?(?:p|password|pin|puk|(?:new|old)-(?:pin|PIN|puk|key)|management-key|registry-(?:password|token))$/;
const SECRET_VARIABLE =
  /(?:TOKEN|PASSWORD|PASSWD|SECRET|PIN|PUK|(?:PRIVATE|SECRET|ACCESS|API|MANAGEMENT|NEW|OLD)_?KEY|CREDENTIALS?|AUTH|AUTH_CONFIG)$/i;
/** These may name a file as well: only what is too long and too odd for a file's name is taken for a secret. */
const TOKEN_OR_PATH = /^(?:--?identity-token|.*(?:ID|IDENTITY)_TOKEN)$/;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const ADDRESS_OR_PATH = /^(?:[/.~]|[a-z][a-z0-9+.-]*:\/\/|[A-Za-z]:\\)/;
const PROXY = /^(?:HTTPS?|ALL)_PROXY$/i;
/** What is shorter, or a plain word, may be part of any message by chance: masking it would tell it. */
const SHORTEST = 6;
const PLAIN_WORD = /^[a-z]{1,11}$|^(?:true|false|\d{1,6})$/i;
const LONG_PIECE = /[A-Za-z0-9_+=-]{20,}/g;

/**
 * The values that no message may hold, from the command line and the environment as they are: what messages are built from
 * leaves them out, and this finds them where that was forgotten.
 *
 * @returns each secret in the spellings it may appear in (as it is, percent-encoded, in base64), longest first
 */
export function knownSecrets(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const found = new Set<string>();
  for (const [index, argument] of argv.entries()) {
    const [name = "", ...rest] = argument.split("=");
    const value = rest.length > 0 ? rest.join("=") : (argv[index + 1] ?? "");
    if (TOKEN_OR_PATH.test(name)) addPieces(found, value);
    else if (SECRET_FLAG.test(name)) addSecret(found, value);
    addUserinfo(found, argument);
  }
  for (const [name, value = ""] of Object.entries(env)) {
    if (PROXY.test(name)) addUserinfo(found, value, /^(?:[a-z][a-z0-9+.-]*:\/*)?(.*)@/is);
    else if (TOKEN_OR_PATH.test(name)) addPieces(found, value);
    else if (SECRET_VARIABLE.test(name) || PRIVATE_KEY.test(value)) addSecret(found, value);
    addUserinfo(found, value);
  }
  const spelled = [...found].flatMap((each) => [
    each,
    encodeURIComponent(each.toWellFormed()),
    Buffer.from(each).toString("base64").replace(/=+$/, ""),
  ]);
  return [...new Set(spelled)].sort((a, b) => b.length - a.length);
}

/** Whether the value of a flag, written `--name`, is taken for a secret. */
export function isSecretFlag(name: string): boolean {
  return SECRET_FLAG.test(name) || TOKEN_OR_PATH.test(name);
}

/** The text with every secret replaced by `***`. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) if (safe.includes(secret)) safe = safe.replaceAll(secret, "***");
  return safe;
}

/** The text with `user:password@` of every URL in it replaced by `***@`. Not for documents: it knows nothing of their form. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#@:"'<>,;()[\]{}\\]*:[^\s/?#@"'<>,;()[\]{}\\]*@/gi, "$1***@");
}

/** A value, its lines, and its long pieces: half a token is a secret still. */
function addSecret(found: Set<string>, value: string): void {
  if (ADDRESS_OR_PATH.test(value)) return;
  const lines = value.split(/\r?\n|\r/).map((line) => line.trim());
  for (const each of [value, ...lines]) {
    const usable = each.length >= SHORTEST && !PLAIN_WORD.test(each) && !/^-----.*-----$/.test(each);
    if (usable) found.add(each);
  }
  addPieces(found, value);
}

function addPieces(found: Set<string>, value: string): void {
  for (const piece of value.match(LONG_PIECE) ?? []) if (/\d/.test(piece)) found.add(piece);
}

/** `user:password@` of a URL: the whole, and the password alone. */
function addUserinfo(found: Set<string>, text: string, pattern = /:\/\/([^\s/?#@]*:[^\s/?#@]*)@/): void {
  const [, userinfo = ""] = pattern.exec(text) ?? [];
  if (!userinfo.includes(":")) return;
  const password = userinfo.slice(userinfo.indexOf(":") + 1);
  addSecret(found, userinfo);
  addSecret(found, password);
  try {
    addSecret(found, decodeURIComponent(password));
  } catch {
    // not percent-encoded
  }
}
