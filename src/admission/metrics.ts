import { type Labels, labelsText } from "../format/prometheus.ts";
import type { Answer } from "./words.ts";

/** Upper bounds of the latency histogram, in seconds. */
const BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Most series of a counter, and characters of a rule's name: whoever may write policy objects chooses the names. */
const [MOST_SERIES, MAX_NAME] = [1000, 100];

interface Histogram {
  readonly counts: number[];
  sum: number;
  total: number;
}

/** Counts what a service does, for Prometheus (text format 0.0.4). */
export class Metrics {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #latency = new Map<string, Histogram>();

  /** Counts an answered request. @param milliseconds from the request to the answer */
  request(path: string, status: string, milliseconds: number): void {
    this.count("tsign_admission_requests_total", { path, status });
    const known = this.#latency.get(path) ?? { counts: BOUNDS.map(() => 0), sum: 0, total: 0 };
    this.#latency.set(path, known);
    const seconds = milliseconds / 1000;
    known.sum += seconds;
    known.total++;
    for (const [index, bound] of BOUNDS.entries()) {
      if (seconds <= bound) known.counts[index] = (known.counts[index] ?? 0) + 1;
    }
  }

  /** Counts the decision about an image. */
  decision({ rule = "", reason, allowed, source }: Answer): void {
    const labels = { reason, allowed: String(allowed) };
    const others = { rule: "others", ...labels };
    this.count("tsign_admission_decisions_total", { rule: rule.slice(0, MAX_NAME), ...labels }, others);
    this.count("tsign_admission_sources_total", { source });
  }

  /** @param others labels where there are too many series already */
  count(name: string, labels: Labels, others = labels): void {
    const series = this.#counters.get(name) ?? new Map<string, number>();
    this.#counters.set(name, series);
    const own = labelsText(labels);
    const key = series.has(own) || series.size < MOST_SERIES ? own : labelsText(others);
    series.set(key, (series.get(key) ?? 0) + 1);
  }

  /** @param gauges values at this time, by name */
  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = [];
    for (const [name, series] of this.#counters) {
      lines.push(`# TYPE ${name} counter`);
      for (const [labels, value] of series) lines.push(`${name}${labels} ${value}`);
    }
    const latency = "tsign_admission_request_seconds";
    if (this.#latency.size > 0) lines.push(`# TYPE ${latency} histogram`);
    for (const [path, { counts, sum, total }] of this.#latency) {
      for (const [index, bound] of BOUNDS.entries()) {
        lines.push(`${latency}_bucket${labelsText({ path, le: String(bound) })} ${counts[index]}`);
      }
      lines.push(`${latency}_bucket${labelsText({ path, le: "+Inf" })} ${total}`);
      lines.push(`${latency}_sum${labelsText({ path })} ${sum}`, `${latency}_count${labelsText({ path })} ${total}`);
    }
    for (const [name, value] of Object.entries(gauges)) lines.push(`# TYPE ${name} gauge`, `${name} ${value}`);
    return `${lines.join("\n")}\n`;
  }
}
