import { type ErrorCode, type ServiceName, TsignError, withFields, withMessage } from "../errors.ts";

/** The service of an exchange, for errors. */
export interface Peer {
  readonly service: ServiceName;
  /** Its name in messages: `Fulcio`. Without one, messages contain only the host. */
  readonly name?: string;
}

/** Codes of the errors that get the service's name, because the host alone does not identify the service. */
const BETWEEN: readonly ErrorCode[] = ["network", "timeout", "limit", "registry", "service"];

/** Adds the service and the URL to an error of the transport. */
export async function attributing<T>(
  exchange: { url: URL; peer: Peer | undefined },
  step: () => Promise<T>,
): Promise<T> {
  const { url, peer } = exchange;
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TsignError) || !BETWEEN.includes(error.code)) throw error;
    const attributed = withFields(error, { url, service: peer?.service });
    const isNamed = peer?.name === undefined || peer.name === url.host; // every message contains the host
    throw isNamed ? attributed : withMessage(attributed, `${peer.name}: ${error.message}`);
  }
}

/** Adds them to the errors of a body that is read after its exchange. */
export async function* attributedPieces(
  pieces: AsyncIterable<Uint8Array>,
  exchange: { url: URL; peer: Peer | undefined },
): AsyncIterable<Uint8Array> {
  const body = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await attributing(exchange, () => body.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await body.return?.();
  }
}

/** Returns the error code for an invalid answer of a service. */
export function faultOf(peer: Peer | undefined): ErrorCode {
  return peer?.service === "registry" ? "registry" : "service";
}
