/** Stands in for `node:test` in a worker: tests are collected, so that they can be run any number of times. */

export interface Collected {
  readonly file: string;
  readonly name: string;
  /** @throws whatever the test, or what it left to be done after it, throws */
  run(): Promise<void>;
}

type Context = { readonly name: string; after(hook: () => unknown): void };
type Body = (context: Context) => unknown;

export const collected: Collected[] = [];
let file = "";

/** From here on tests are those of this file. */
export function collectFor(path: string): void {
  file = path;
}

export function test(name: string, ...rest: unknown[]): void {
  const body = rest.at(-1) as Body;
  const run = async () => {
    const hooks: (() => unknown)[] = [];
    try {
      await body({ name, after: (hook) => hooks.push(hook) });
    } finally {
      for (const hook of hooks) await hook();
    }
  };
  collected.push({ file, name, run });
}

export function describe(_name: string, body: () => void): void {
  body();
}

export const it = test;
export default test;
