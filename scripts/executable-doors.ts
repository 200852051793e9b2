/**
 * Disables the environment variables that change what a Bun executable runs: BUN_OPTIONS loads a script, BUN_BE_BUN turns the
 * program into Bun's own command line, BUN_INSPECT opens a debugger, NODE_TLS_REJECT_UNAUTHORIZED disables TLS verification,
 * NODE_EXTRA_CA_CERTS and NODE_USE_SYSTEM_CA add CA certificates. No build flag disables them, so each name in the file is
 * replaced by an unused one of the same length.
 */
const NAMES =
  /BUN_[A-Z][A-Z0-9_]+|NODE_(?:TLS_REJECT_UNAUTHORIZED|EXTRA_CA_CERTS|USE_SYSTEM_CA|OPTIONS|PATH|DEBUG|DEBUG_NATIVE|REDIRECT_WARNINGS|PENDING_DEPRECATION|CHANNEL_FD|CHANNEL_SERIALIZATION_MODE|COMPILE_CACHE)(?![A-Z_])/g;

/**
 * Replaces the names of the variables.
 *
 * @param executable the built file
 * @returns a copy of the same length without the names
 * @throws Error when a known name is not found, because another version of Bun may use other variables
 */
export function closeDoors(executable: Buffer): Buffer {
  const closed = Buffer.from(executable);
  const found = new Set<string>();
  for (const { 0: name, index } of closed.toString("latin1").matchAll(NAMES)) {
    found.add(name);
    // In a script the name must stay an identifier, so a letter changes; elsewhere it gets a zero byte, which no variable has.
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
    if (!found.has(door))
      throw new Error(`close ${door}: the name is not in the executable; check how this version of Bun reads it`);
  }
  return closed;
}
