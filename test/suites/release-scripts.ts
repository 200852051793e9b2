import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** Reads the scripts in the GitHub Action and the GitLab component, and serves a folder to them. */

interface Step {
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns the scripts of a composite action in order.
 *
 * @param values what stands between `${{` and `}}`, such as `inputs.base-url`; an input's default is used without one
 */
export function actionSteps(path: string, values: Readonly<Record<string, string>>): Step[] {
  const text = readFileSync(path, "utf8");
  const [inputs = "", steps = ""] = text.split(/^runs:$/m);
  const known = new Map<string, string>();
  for (const [, name, value = ""] of inputs.matchAll(/^ {2}([\w-]+):$(?:\n {4}.*)*?\n {4}default: (.*)$/gm))
    known.set(`inputs.${name}`, value.replace(/^"(.*)"$/, "$1"));
  for (const [name, value] of Object.entries(values)) known.set(name, value);
  return steps.split(/^ {4}- /m).flatMap((step) => {
    const [, script] = /^ {6}run: \|\n((?: {8}.*\n?)+)/m.exec(step) ?? [];
    if (script === undefined) return [];
    const variables = [...step.matchAll(/^ {8}([A-Z_]+): \$\{\{ (\S+) \}\}$/gm)].map(
      ([, name = "", expression = ""]) => {
        const value = known.get(expression);
        if (value === undefined) throw new Error(`${path}: no value for ${expression}`);
        return [name, value];
      },
    );
    return [{ script: script.replaceAll(/^ {8}/gm, ""), env: Object.fromEntries(variables) }];
  });
}

/** Returns the script of a GitLab component, with its inputs filled in. */
export function componentScript(path: string, inputs: Readonly<Record<string, string>>): string {
  const text = readFileSync(path, "utf8").replaceAll(/\$\[\[ inputs\.([\w-]+) \]\]/g, (whole, name: string) => {
    return inputs[name] ?? whole;
  });
  const [, script = ""] = /^ {4}- \|\n((?: {6}.*\n?)+)/m.exec(text) ?? [];
  return script.replaceAll(/^ {6}/gm, "");
}

/** Serves the files of a folder over HTTP. */
export async function serve(folder: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(folder, (request.url ?? "").slice(1))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
