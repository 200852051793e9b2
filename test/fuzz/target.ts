import type fc from "fast-check";
import type { World } from "./world.ts";

/** What is fed to a target: plain data, so that a finding can be kept in a file and judged again without anything else. */
export interface Input {
  /** What is read. */
  readonly document: Uint8Array;
  /** Which of the target's readers it is for. */
  readonly form: string;
  /** Everything else that judging takes: trust, keys, what is genuine. JSON. */
  readonly setting: unknown;
}

/** What became of an input: "read" for one that a reader took, "yes" for one that verified. */
export type Outcome = "refused" | "read" | "yes";

export interface Target {
  readonly name: string;
  /** Inputs from genuine documents, changed. */
  inputs(world: World): fc.Arbitrary<Input> | Promise<fc.Arbitrary<Input>>;
  /** @throws Finding for a broken promise; any other exception is one too. */
  judge(input: Input): Promise<Outcome> | Outcome;
  /** What some inputs have to reach: a target that everything is refused by tests nothing. */
  readonly reaches: Exclude<Outcome, "refused">;
  /** What an input may take; one second where nothing is said. */
  readonly cpuSeconds?: number;
}

/** A promise of tsign that an input broke. */
export class Finding extends Error {
  override readonly name = "Finding";
}
