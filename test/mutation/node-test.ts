/** Replaces `node:test` in a worker: it collects tests, so that they can run any number of times. */

export interface Collected {
  readonly file: string;
  readonly name: string;
  /** Runs the test and its cleanup. @throws what they throw */
  run(): Promise<void>;
}

type Context = { readonly name: string; after(hook: () => unknown): void };
type Body = (context: Context) => unknown;

export const collected: Collected[] = [];
let file = "";

/** Assigns the following tests to a file. */
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
