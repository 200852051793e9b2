/**
 * Disables the environment variables that change what a Bun executable runs: BUN_OPTIONS loads a script, BUN_BE_BUN turns the
 * program into Bun's own command line, BUN_INSPECT opens a debugger, BUN_JSC_* set options of the JavaScript engine, one of which
 * replaces functions, NODE_TLS_REJECT_UNAUTHORIZED disables TLS verification, NODE_EXTRA_CA_CERTS and NODE_USE_SYSTEM_CA add CA
 * certificates. No build flag disables them, so each name in the file is replaced by an unused one of the same length.
 */
const RUNTIME = /BUN_(?=[A-Z][A-Z0-9_])/g;
const OF_NODE = [
  "CHANNEL_FD",
  "CHANNEL_SERIALIZATION_MODE",
  "COMPILE_CACHE",
  "DEBUG",
  "EXTRA_CA_CERTS",
  "OPTIONS",
  "PATH",
  "PENDING_DEPRECATION",
  "PRESERVE_SYMLINKS",
  "REDIRECT_WARNINGS",
  "TLS_REJECT_UNAUTHORIZED",
  "UNIQUE_ID",
  "USE_ENV_PROXY",
  "USE_SYSTEM_CA",
  "V8_COVERAGE",
];
const NODE = new RegExp(`NODE_(?=${OF_NODE.join("|")})`, "g");
/** Names that must be in the file. If one is missing, this version of Bun reads its variables in another way. */
const KNOWN = ["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT", "NODE_TLS_REJECT_UNAUTHORIZED", "NODE_EXTRA_CA_CERTS"];

/**
 * Replaces the names of the variables.
 *
 * @param executable the built file
 * @returns a copy of the same length without the names
 * @throws Error when a known name is not found
 */
export function closeDoors(executable: Buffer): Buffer {
  const text = executable.toString("latin1");
  const missing = KNOWN.filter((name) => !text.includes(name));
  if (missing.length > 0)
    throw new Error(`close ${missing.join(", ")}: not in the executable; check how this version of Bun reads it`);
  const closed = Buffer.from(executable);
  for (const { 0: prefix, index } of [...text.matchAll(RUNTIME), ...text.matchAll(NODE)]) {
    // In a script the name must stay an identifier, so a letter changes; elsewhere it gets a zero byte, which no variable has.
    const inText = /[\s!-~]/.test(String.fromCharCode(executable[index - 1] ?? 0));
    closed[index] = inText ? prefix.charCodeAt(0) + 0x20 : 0;
  }
  closeEngine(closed, text);
  return closed;
}

/** x86-64: `cmpb $LETTER, N(register)` for each letter of `_JSC_`, with jumps between them. */
const ON_X64 = sequence("_JSC_", (letter, index) => `\\x80[\\x78-\\x7f]${hex(index + 3)}${hex(letter)}`, "[^]{0,8}?");
/** arm64: `cmp register, #LETTER`, with jumps and loads between them; the number begins at bit 10. */
const ON_ARM64 = sequence(
  "_JSC_",
  (letter) =>
    `[\\x1f\\x3f\\x5f\\x7f\\x9f\\xbf\\xdf\\xff][${[0, 1, 2, 3].map((low) => hex(((letter << 2) & 0xff) | low)).join("")}]${hex(letter >> 6)}\\x71`,
  "(?:[^]{4}){0,6}?",
);

/** Makes the code that compares names with `BUN_JSC_`, letter by letter, expect a character that is in no name. */
function closeEngine(closed: Buffer, text: string): void {
  const x64 = [...text.matchAll(ON_X64)];
  const arm64 = [...text.matchAll(ON_ARM64)];
  const [found] = [...x64, ...arm64];
  if (found === undefined || x64.length + arm64.length !== 1)
    throw new Error(`close BUN_JSC_: expected one comparison in the executable, found ${x64.length + arm64.length}`);
  // Where the comparison with J begins.
  const at = found.index + (found[0].length - (found[1]?.length ?? 0));
  if (x64.length === 1) closed[at + 3] = 1;
  else {
    closed[at + 1] = ((closed[at + 1] ?? 0) & 3) | (1 << 2);
    closed[at + 2] = 0;
  }
}

/** A pattern for instructions, one for each letter. Its first group begins at the second of them. */
function sequence(letters: string, instruction: (letter: number, index: number) => string, between: string): RegExp {
  const [first = "", ...others] = [...letters].map((letter, index) => instruction(letter.charCodeAt(0), index));
  return new RegExp(`${first}${between}(${others.join(between)})`, "g");
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
