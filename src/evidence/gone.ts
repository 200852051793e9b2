import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";

/** Pauses before checking again whether something is deleted, in milliseconds. */
const PAUSES = [100, 400, 1500];

/** Returns the error of a registry that refuses a request; throws any other error. */
export function refusalOf(error: unknown): TsignError {
  if (error instanceof TsignError && (error.code === "registry" || error.code === "auth")) return error;
  throw error;
}

/** Waits until something is deleted, as some registries delete with a delay. @returns whether it is */
export async function isGone(io: Pick<Io, "sleep" | "signal">, check: () => Promise<boolean>): Promise<boolean> {
  for (const pause of PAUSES) {
    if (await check()) return true;
    await io.sleep(pause, io.signal);
  }
  return check();
}
