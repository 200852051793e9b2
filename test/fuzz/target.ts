import type fc from "fast-check";
import type { World } from "./world.ts";

/** An input for a target: plain data, so that a finding can be stored in a file and replayed. */
export interface Input {
  /** The document to read. */
  readonly document: Uint8Array;
  /** The target's reader for it. */
  readonly form: string;
  /** The rest of the input: trusted roots, keys, genuine documents. JSON. */
  readonly setting: unknown;
}

/** The outcome of an input: "read" if a reader accepted it, "yes" if it verified. */
export type Outcome = "refused" | "read" | "yes";

export interface Target {
  readonly name: string;
  /** Makes inputs by changing genuine documents. */
  inputs(world: World): fc.Arbitrary<Input> | Promise<fc.Arbitrary<Input>>;
  /** Judges an input. @throws Finding for a broken promise; any other exception counts as one too */
  judge(input: Input): Promise<Outcome> | Outcome;
  /** Outcome that some inputs must reach: a target that refuses everything tests nothing. */
  readonly reaches: Exclude<Outcome, "refused">;
  /** CPU time limit of an input, in seconds; 1 by default. */
  readonly cpuSeconds?: number;
}

/** Thrown when an input breaks a promise of tsign. */
export class Finding extends Error {
  override readonly name = "Finding";
}
