import { TsignError } from "../errors.ts";
import { release } from "../format/pieces.ts";
import { networkError, sizeMismatch } from "./http-errors.ts";
import type { HttpRequest } from "./io.ts";

/** A server may answer before it has read a larger body. Bytes. */
const MAX_BODY = 256 * 1024;

/**
 * Returns the request with its body as bytes, if it is small and as long as content-length says; undefined otherwise. A small stream
 * is read.
 *
 * @throws TsignError what the stream throws; "input" for a stream of another length; the reason of an abort
 */
export async function withSmallBody(request: HttpRequest): Promise<HttpRequest | undefined> {
  const { headers, body = new Uint8Array(0) } = request;
  const stated = headers["content-length"];
  if (body instanceof Uint8Array) {
    const isStated = stated === undefined || stated === String(body.length);
    return isStated && body.length <= MAX_BODY ? request : undefined;
  }
  const size = Number(stated ?? Number.POSITIVE_INFINITY);
  return size <= MAX_BODY ? { ...request, body: await unlessAborted(request, collect(body, size)) } : undefined;
}

async function collect(pieces: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const piece of pieces) {
    const end = at + piece.length;
    if (end > size) throw sizeMismatch(end, size);
    bytes.set(piece, at);
    at = end;
    release(piece);
  }
  if (at < size) throw sizeMismatch(at, size);
  return bytes;
}

async function unlessAborted<T>({ url, signal }: HttpRequest, reading: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stopped = () => reject(signal.reason);
  signal.addEventListener("abort", stopped);
  try {
    signal.throwIfAborted();
    return await Promise.race([reading, aborted]);
  } catch (cause) {
    throw cause instanceof TsignError ? cause : networkError(url, cause);
  } finally {
    signal.removeEventListener("abort", stopped);
  }
}
