import { type ErrorCode, type ServiceName, TsignError, withFields, withMessage } from "../errors.ts";

/** Who is at the other end, for errors. */
export interface Peer {
  readonly service: ServiceName;
  /** In messages: `Fulcio`. Without one, the host says it. */
  readonly name?: string;
}

/** What can go wrong between here and a service: the host alone does not tell users which service it is. */
const BETWEEN: readonly ErrorCode[] = ["network", "timeout", "limit", "registry", "service"];

/** Says in an error of the transport with whom the exchange was. */
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
    const isNamed = peer?.name === undefined || peer.name === url.host; // every message has the host
    throw isNamed ? attributed : withMessage(attributed, `${peer.name}: ${error.message}`);
  }
}

/** The same for a body that is read after its exchange. */
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

/** The code for an answer that is wrong. */
export function faultOf(peer: Peer | undefined): ErrorCode {
  return peer?.service === "registry" ? "registry" : "service";
}
