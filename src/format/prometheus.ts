/** Labels of a sample by name. */
export type Labels = Readonly<Record<string, string>>;

/** The labels of a sample in the text format of Prometheus (version 0.0.4), `{name="value"}`; "" without labels. */
export function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
