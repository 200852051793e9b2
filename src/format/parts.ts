/**
 * Returns an object with some parts replaced. The others are read from the base at each use: what it opens late is still opened late.
 *
 * @param base an Io or a part of one
 */
export function withParts<T extends object>(base: T, parts: Partial<T>): T {
  return Object.create(base, Object.getOwnPropertyDescriptors(parts));
}
