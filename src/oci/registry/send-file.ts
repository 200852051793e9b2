import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { giveBack } from "../../format/pieces.ts";
import type { Answer } from "../../net/http.ts";

/**
 * Uploads the content of a file, which the transport may send without reading it. Then nothing here has computed its digest: the
 * registry must have, which a 201 with that digest shows (distribution spec, "Pushing a blob monolithically": the registry refuses
 * other content with DIGEST_INVALID). After any other answer the file is read and checked, so that a damaged file is reported as
 * such, whatever the registry answers.
 *
 * @param blob.read returns the content, and throws at its end if it does not have the digest
 * @param send uploads; it calls its parameter for the content of each attempt
 * @throws TsignError what `read` throws
 */
export async function sendFile(
  { digest, read }: { digest: Digest; read: () => AsyncIterable<Uint8Array> },
  send: (body: () => AsyncIterable<Uint8Array>) => Promise<Answer>,
): Promise<Answer> {
  let isChecked = false;
  const attempt = () => {
    isChecked = false;
    return (async function* () {
      yield* read();
      isChecked = true;
    })();
  };
  const check = async () => {
    if (!isChecked) for await (const piece of read()) giveBack(piece);
  };
  try {
    const answer = await send(attempt);
    const { "docker-content-digest": computed } = answer.headers;
    if (answer.status !== 201 || computed !== digest) await check();
    return answer;
  } catch (error) {
    if (error instanceof TsignError && error.code === "input") await check(); // names the file that has changed
    throw error;
  }
}
