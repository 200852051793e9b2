import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorRecord } from "../../src/cli/answer.ts";
import type { ImagesResult } from "../../src/cli/reports/record.ts";

const FOLDER = resolve(import.meta.dirname, "../../docs/schema");
const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
for (const file of readdirSync(FOLDER)) ajv.addSchema(JSON.parse(readFileSync(join(FOLDER, file), "utf8")));

/** Fails unless a value matches a schema. @param schema such as `verify.json` */
export function assertSchema(value: unknown, schema: string): void {
  const validate = ajv.getSchema(schema) ?? assert.fail(`no schema ${schema}`);
  assert.ok(validate(value), `${JSON.stringify(value, null, 1)}\n${ajv.errorsText(validate.errors)}`);
}

/**
 * Reads what a command printed with --json: one line with a document that matches the command's schema.
 *
 * @param command its words
 */
export function jsonAnswer({ code, stdout }: { code: number; stdout: string }, command: string) {
  assert.match(stdout, /^[^\n]+\n$/, "one line");
  const document = JSON.parse(stdout) as {
    ok: boolean;
    command: string;
    result: ImagesResult;
    error?: ErrorRecord;
  };
  assertSchema(document, `${command.replaceAll(" ", "-")}.json`);
  assert.equal(document.ok, code === 0);
  return { code, document };
}
