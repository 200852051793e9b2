/**
 * Whom the program is waiting for: kept by the transport, read when --timeout runs out, so that the message can name the
 * service that did not answer.
 */
const pending = new WeakMap<AbortSignal, Set<string>>();

/**
 * Runs a step, and has it known that it waits for somebody until it ends.
 *
 * @param signal the one that ends the command
 * @param name as messages call it: `Fulcio at fulcio.sigstore.dev`
 */
export async function waitingFor<T>(signal: AbortSignal, name: string, step: () => Promise<T>): Promise<T> {
  const names = pending.get(signal) ?? new Set<string>();
  pending.set(signal, names);
  names.add(name);
  try {
    return await step();
  } finally {
    names.delete(name);
  }
}

/** Who has not answered yet, first asked first; empty when nobody is waited for. */
export function unanswered(signal: AbortSignal): readonly string[] {
  return [...(pending.get(signal) ?? [])];
}
