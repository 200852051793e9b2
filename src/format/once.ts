/**
 * Calls a function once and returns the same result from then on: a module that is imported again and again takes a tenth of a
 * millisecond each time.
 */
export function once<T>(make: () => T): () => T {
  let made: { readonly result: T } | undefined;
  return () => {
    made ??= { result: make() };
    return made.result;
  };
}
