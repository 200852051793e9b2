/**
 * The services that have not answered yet. The transport adds them; when --timeout runs out, the error message names them.
 */
const pending = new WeakMap<AbortSignal, Set<string>>();

/**
 * Runs a step, and records until it ends that the command waits for a service.
 *
 * @param signal the signal that ends the command
 * @param name the service in messages: `Fulcio at fulcio.sigstore.dev`
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

/** Returns the services that have not answered yet, in the order of the requests. */
export function unanswered(signal: AbortSignal): readonly string[] {
  return [...(pending.get(signal) ?? [])];
}
