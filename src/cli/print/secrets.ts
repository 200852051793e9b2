import type { HttpRequest, Io } from "../../io/io.ts";

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
const SECRET_FIELD = /secret|token|password|assertion|code/i;
const MAX_FORM = 64 * 1024;
/** Most spellings of what requests were sent with. */
const MOST_SENT = 2000;

/** Whether the value of a flag, written `--name`, is taken for a secret. */
export function isSecretFlag(name: string): boolean {
  return SECRET_FLAG.test(name) || TOKEN_OR_PATH.test(name);
}

/** The values that no message may hold. What messages are built from leaves them out; this finds them where that was forgotten. */
export class Secrets {
  /** Each secret in the spellings it may appear in: as it is, percent-encoded, in base64. */
  readonly #spellings = new Set<string>();
  /** Those that requests were sent with, the latest last. A program that serves sends thousands of tokens, each for a minute. */
  readonly #sent = new Set<string>();
  /** All of them, the longest first; undefined after a change. */
  #sorted: readonly string[] | undefined;

  /** A value, its lines, and its long pieces: half a token is a secret still. */
  add(value: string, into = this.#spellings): void {
    if (ADDRESS_OR_PATH.test(value)) return;
    for (const each of [value, ...value.split(/\r?\n|\r/).map((line) => line.trim())]) {
      const usable = each.length >= SHORTEST && !PLAIN_WORD.test(each) && !/^-----.*-----$/.test(each);
      if (usable) this.#keep(each, into);
    }
    this.addPieces(value, into);
  }

  /** The pieces of a value that are too long and too odd to be part of a path. */
  addPieces(value: string, into = this.#spellings): void {
    for (const piece of value.match(LONG_PIECE) ?? []) if (/\d/.test(piece)) this.#keep(piece, into);
  }

  /** `user:password@` of a URL: the whole, and the password alone. Or `token@`. */
  addUserinfo(text: string, pattern = /:\/\/([^\s/?#@]*)@/, into = this.#spellings): void {
    const [, userinfo = ""] = pattern.exec(text) ?? [];
    if (!userinfo.includes(":")) {
      this.addPieces(userinfo, into);
      return;
    }
    const password = userinfo.slice(userinfo.indexOf(":") + 1);
    for (const each of [userinfo, password, decoded(password)]) this.add(each, into);
  }

  /** What a request authenticates with, which a server may quote. Only the latest are kept. */
  addRequest({ headers, body, url }: HttpRequest): void {
    const [scheme = "", ...rest] = (headers["authorization"] ?? "").split(" ");
    const credentials = rest.join(" ");
    this.add(credentials, this.#sent);
    if (/^basic$/i.test(scheme)) {
      this.addUserinfo(`://${Buffer.from(credentials, "base64").toString("utf8")}@`, /:\/\/(.*)@/s, this.#sent);
    }
    const isForm = /urlencoded/.test(headers["content-type"] ?? "") && body instanceof Uint8Array;
    const form = isForm && body.length <= MAX_FORM ? new URLSearchParams(Buffer.from(body).toString("utf8")) : [];
    for (const [name, value] of [...form, ...url.searchParams])
      if (SECRET_FIELD.test(name)) this.add(value, this.#sent);
    for (const oldest of this.#sent) {
      if (this.#sent.size <= MOST_SENT) break;
      this.#sent.delete(oldest);
      this.#sorted = undefined;
    }
  }

  /** The text with every secret replaced by `***`. */
  mask(text: string): string {
    let masked = text;
    this.#sorted ??= [...new Set([...this.#spellings, ...this.#sent])].sort((a, b) => b.length - a.length);
    for (const secret of this.#sorted) {
      if (masked.includes(secret)) masked = masked.replaceAll(secret, "***");
    }
    return masked;
  }

  #keep(secret: string, into: Set<string>): void {
    const encoded = encodeURIComponent(secret.toWellFormed());
    const spellings = [secret, encoded, Buffer.from(secret).toString("base64").replace(/=+$/, "")];
    for (const each of spellings) {
      if (!into.delete(each)) this.#sorted = undefined;
      into.add(each);
    }
  }
}

/** The secrets of the command line and the environment as they are, before anything of them is understood. */
export function knownSecrets(argv: readonly string[], env: Io["env"]): Secrets {
  const secrets = new Secrets();
  const pinsFile = argv.some((argument) => /^--from(?:=|$)/.test(argument)); // there, --pin names an output
  for (const [index, argument] of argv.entries()) {
    const [name = "", ...rest] = argument.split("=");
    const value = rest.length > 0 ? rest.join("=") : (argv[index + 1] ?? "");
    if (TOKEN_OR_PATH.test(name)) secrets.addPieces(value);
    else if (SECRET_FLAG.test(name) && !(pinsFile && name === "--pin")) secrets.add(value);
    secrets.addUserinfo(argument);
  }
  for (const [name, value = ""] of Object.entries(env)) {
    // A password may hold what ends a URL's userinfo for everybody else.
    if (PROXY.test(name)) secrets.addUserinfo(value, /^(?:[a-z][a-z0-9+.-]*:\/\/+)?(.*)@/is);
    else if (TOKEN_OR_PATH.test(name)) secrets.addPieces(value);
    else if (SECRET_VARIABLE.test(name) || PRIVATE_KEY.test(value)) secrets.add(value);
    secrets.addUserinfo(value);
  }
  return secrets;
}

/** The text with `user:password@` of every URL in it replaced by `***@`. Not for documents: it knows nothing of their form. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#@:"'<>,;()[\]{}\\]*:[^\s/?#@"'<>,;()[\]{}\\]*@/gi, "$1***@");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded
  }
}
