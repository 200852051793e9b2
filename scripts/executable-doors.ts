/**
 * Closes the variables with which the environment could change what a Bun executable runs: BUN_OPTIONS loads a script,
 * BUN_BE_BUN turns the program into Bun's own command line, BUN_INSPECT opens a debugger, NODE_TLS_REJECT_UNAUTHORIZED
 * switches TLS off, NODE_EXTRA_CA_CERTS and NODE_USE_SYSTEM_CA add authorities. No build flag turns them off; each name is
 * changed inside the file, its length kept, to one that no program sets.
 */
const NAMES =
  /BUN_[A-Z][A-Z0-9_]+|NODE_(?:TLS_REJECT_UNAUTHORIZED|EXTRA_CA_CERTS|USE_SYSTEM_CA|OPTIONS|PATH|DEBUG|DEBUG_NATIVE|REDIRECT_WARNINGS|PENDING_DEPRECATION|CHANNEL_FD|CHANNEL_SERIALIZATION_MODE|COMPILE_CACHE)(?![A-Z_])/g;

/**
 * @param executable the built file
 * @returns a copy of the same length without the names
 * @throws Error when the doors that are known to be there are not found: another version of Bun may have other ones
 */
export function closeDoors(executable: Buffer): Buffer {
  const closed = Buffer.from(executable);
  const found = new Set<string>();
  for (const { 0: name, index } of closed.toString("latin1").matchAll(NAMES)) {
    found.add(name);
    // Where a script has the name, it has to stay one: a letter changes. Elsewhere a zero byte, which no variable can have.
    const inScript = /[\s."'`[]/.test(String.fromCharCode(closed[index - 1] ?? 0));
    closed[index] = inScript ? name.charCodeAt(0) + 0x20 : 0;
  }
  for (const door of [
    "BUN_OPTIONS",
    "BUN_BE_BUN",
    "BUN_INSPECT",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NODE_EXTRA_CA_CERTS",
  ]) {
    if (!found.has(door)) throw new Error(`${door} does not occur in the executable: look how this Bun reads it`);
  }
  return closed;
}
