import { EFFECTS } from "../../src/cli/effects.ts";
import { ALARM_SHAPE, AUDIT_SHAPE, FINDING_SHAPE, LOG_SHAPE, UNDELIVERED_SHAPE } from "../../src/cli/flags/monitor.ts";
import type { Page } from "../../src/cli/help/reference.ts";
import { type Shape, shape } from "../../src/cli/parser/shape.ts";
import { TABLE } from "../../src/cli/table.ts";
import { loadCommand } from "../../src/commands.ts";

/** Schemas that are written by hand: what all answers have in common, and the results of verifications. */
export const SHARED_SCHEMAS = ["answer.json", "images.json"];

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The schema of each command with --json, generated from its definition. */
export async function schemaPages(): Promise<Page[]> {
  const pages: Page[] = [];
  for (const entry of TABLE) {
    const { result = EFFECTS } = await loadCommand(entry);
    if (result === "none") continue;
    const file = `${entry.words.join("-")}.json`;
    const names = { $schema: DIALECT, $id: file, title: `What \`tsign ${entry.name} --json\` prints` };
    const answer = {
      $ref: "answer.json",
      properties: { command: { enum: [entry.name, ""] }, result: result.schema },
      unevaluatedProperties: false,
    };
    const failure = { ...answer, properties: { command: { enum: [entry.name, ""] }, ok: { const: false } } };
    const schema = result.own ? { ...names, anyOf: [result.schema, failure] } : { ...names, ...answer };
    pages.push({ file, text: `${JSON.stringify(schema, null, 2)}\n` });
  }
  return [...pages, ...monitorPages()];
}

/** The schemas of what a monitor prints as JSON lines, and of what it posts to webhooks. */
function monitorPages(): Page[] {
  const page = (file: string, title: string, schema: object): Page => ({
    file,
    text: `${JSON.stringify({ $schema: DIALECT, $id: file, title, ...schema }, null, 2)}\n`,
  });
  const typed = (type: string, { schema }: Shape) => ({
    ...schema,
    required: ["version", "type", ...(schema["required"] as string[])],
    properties: { version: { const: 1 }, type: { const: type }, ...(schema["properties"] as object) },
  });
  const lines = {
    log: LOG_SHAPE,
    finding: FINDING_SHAPE,
    alarm: ALARM_SHAPE,
    audit: AUDIT_SHAPE,
    undelivered: UNDELIVERED_SHAPE,
  };
  const report = shape.object({
    id: shape.text("the same for the same findings and alarms"),
    time: shape.text("RFC 3339"),
    findings: shape.list(FINDING_SHAPE),
    alarms: shape.list(ALARM_SHAPE),
  });
  return [
    page("monitor-lines.json", "A line that `tsign monitor --format json-lines` prints", {
      oneOf: Object.entries(lines).map(([type, each]) => typed(type, each)),
    }),
    page("monitor-report.json", "What `tsign monitor` posts to a webhook", typed("report", report)),
  ];
}
