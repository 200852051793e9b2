/**
 * Loads a package that is installed with tsign, from the node_modules folders above this file. The executable, which has no
 * file, uses io/packages-beside.ts instead (scripts/executable.ts).
 */
export const importPackage = (name: string): Promise<unknown> => import(name);
