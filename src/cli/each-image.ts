import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";

/**
 * Runs a command for one image after another, and goes on after one has failed. Prints each failure with the image's name, if there
 * are several images.
 *
 * @throws the first failure, after all images; at once if the user declines or interrupts
 */
export async function forEachImage(
  io: Pick<Io, "stderr" | "signal">,
  images: readonly string[],
  run: (image: string) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const image of images) {
    try {
      await run(image);
    } catch (error) {
      if (!(error instanceof TsignError) || error.code === "cancelled" || io.signal.aborted) throw error;
      failures.push(error);
      const { message } = error;
      if (images.length > 1)
        io.stderr.write(`${message.includes(image) ? "" : `${image}: `}${message}\n`, { always: true });
    }
  }
  if (failures.length > 0) throw failures[0];
}
